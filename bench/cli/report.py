"""``bench report``: shows saved records of any kind."""

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from bench import files
from bench.errors import RecordError, UsageError
from bench.records import (
    capacity_record,
    clients_record,
    comparison_record,
    formats,
    restarts_record,
)
from bench.records import run_record as records

if TYPE_CHECKING:
    from bench.reports.html.section import Section


@dataclass(frozen=True)
class _Kind:
    """The functions that handle records of one format. Reports are named, so that only those that
    are needed are loaded."""

    load: Callable[[Path], Any]
    encode: Callable[[Any], bytes]
    show: str
    """Module and function that print such a record."""
    markdown: str
    """Module whose ``markdown`` returns such a record as Markdown."""
    section: str | None
    """Module that turns such a record into a section of a page; None where there is none."""
    names_file: bool = False
    """Whether the section names the record's file, as in a command that continues a search."""


_RUN = _Kind(
    records.load,
    records.encode,
    "bench.reports.run:print_report",
    "bench.reports.markdown.run",
    "bench.reports.html.run_page",
)
_COMPARISON = _Kind(
    comparison_record.load,
    comparison_record.encode,
    "bench.reports.gate.terminal:print_saved",
    "bench.reports.gate.markdown",
    "bench.reports.html.gate_page",
)
_KINDS = {
    **dict.fromkeys(comparison_record.FORMATS, _COMPARISON),
    capacity_record.FORMAT: _Kind(
        capacity_record.load,
        capacity_record.encode,
        "bench.reports.capacity:print_capacity",
        "bench.reports.markdown.capacity",
        "bench.reports.html.capacity_page",
        names_file=True,
    ),
    restarts_record.FORMAT: _Kind(
        restarts_record.load,
        restarts_record.encode,
        "bench.reports.restarts:print_restarts",
        "bench.reports.markdown.restarts",
        None,
    ),
    clients_record.FORMAT: _Kind(
        clients_record.load,
        clients_record.encode,
        "bench.reports.clients:print_clients",
        "bench.reports.markdown.clients",
        "bench.reports.html.clients_page",
    ),
}
"""Kinds of records by format. Any other file is read as a run record."""
_PAGES = (".html", ".htm")
_IN_FOLDERS = (comparison_record.FILE_IN_JOB,)
"""Names of the records that jobs save in their folders."""


@dataclass(frozen=True)
class _Loaded:
    path: Path
    kind: _Kind
    record: Any


def report(
    *record: Path,
    html: Annotated[
        Path | None, Parameter(help="Write a self-contained HTML page. Example: page.html")
    ] = None,
    images: Annotated[
        Path | None,
        Parameter(
            metavar="FOLDER",
            help="Write all pictures into this folder, as .svg and .png. Example: pictures",
        ),
    ] = None,
    markdown: Annotated[
        bool, Parameter(help="Print Markdown, for a comment on GitHub or a job's summary.")
    ] = False,
    json: Annotated[bool, Parameter(help="Print the record as JSON.")] = False,
) -> int:
    """Show records in the terminal, or as an HTML page with --html.

    Parameters
    ----------
    record
        Records of runs, restarts, comparisons, capacity searches or clients, or folders of
        'bench ab'.
        Several records share one page.
    """
    if not record:
        raise UsageError("no record given: name one or more records")
    if json and (len(record) > 1 or html is not None or images is not None or markdown):
        raise UsageError(
            "--json prints a single record; remove --html, --images, --markdown and any other "
            "record"
        )
    if markdown and (html is not None or images is not None):
        raise UsageError("--markdown prints the records; remove --html and --images, or run twice")
    loaded = [_load(path) for path in record]
    if json:
        sys.stdout.write(loaded[0].kind.encode(loaded[0].record).decode())
    elif markdown:
        sys.stdout.write("\n".join(_markdown(each) for each in loaded))
    elif html is not None or images is not None:
        _draw(loaded, html, images)
    else:
        _print(loaded)
    return 0


def _load(path: Path) -> _Loaded:
    file = _in_folder(path) if path.is_dir() else path
    kind = _KINDS.get(records.format_of(file), _RUN)
    return _Loaded(file, kind, kind.load(file))


def _in_folder(folder: Path) -> Path:
    for name in _IN_FOLDERS:
        if (folder / name).exists():
            return folder / name
    raise RecordError(f"{folder}: the folder holds no comparison ({_IN_FOLDERS[0]}); name a record")


def _print(loaded: Sequence[_Loaded]) -> None:
    for number, each in enumerate(loaded):
        if number:
            sys.stdout.write("\n")
        module, _, function = each.kind.show.partition(":")
        getattr(importlib.import_module(module), function)(each.record, each.path)
        sys.stdout.flush()


def _markdown(each: _Loaded) -> str:
    made: str = importlib.import_module(each.kind.markdown).markdown(each.record)
    return made


def _draw(loaded: Sequence[_Loaded], html: Path | None, images: Path | None) -> None:
    """Write a page, pictures or both, and print where they are."""
    if html is not None:
        _require_page(html, loaded)
    # The plotting library is slow to load, and a terminal report needs no picture.
    from bench.reports.html.page import page, write_images  # noqa: PLC0415

    sections = [_section(each) for each in loaded]
    if html is not None:
        files.write_whole(html, page(sections).encode())
        sys.stdout.write(f"page: {html}\n")
    if images is not None:
        write_images(sections, images)
        sys.stdout.write(f"pictures: {images}\n")


def _require_page(html: Path, loaded: Sequence[_Loaded]) -> None:
    """Raises UsageError where the page would overwrite a record or cannot be written."""
    if html.suffix not in _PAGES or any(html.resolve() == each.path.resolve() for each in loaded):
        raise UsageError(f"--html {html}: the name of a page must end in {' or '.join(_PAGES)}")
    files.require_writable(html)


def _section(each: _Loaded) -> "Section":
    if each.kind.section is None:
        raise RecordError(
            f"{each.path}: restarts have no page; name the records of their runs instead"
        )
    with formats.naming(each.path):
        named = (each.path,) if each.kind.names_file else ()
        made: Section = importlib.import_module(each.kind.section).section(each.record, *named)
    return made
