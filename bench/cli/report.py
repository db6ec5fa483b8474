"""``bench report``: shows saved records of any kind."""

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from bench import files
from bench.cli.messages import notify
from bench.errors import UsageError
from bench.records import (
    capacity_record,
    chaos_record,
    clients_record,
    comparison_record,
    formats,
    restarts_record,
    run_files,
    selftest_record,
    sweep_record,
)
from bench.records import run_record as records

if TYPE_CHECKING:
    from bench.reports.html.section import Section
    from bench.reports.html.side_by_side_page import SideBySidePart


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
    section: str
    """Module that turns such a record into a section of a page."""
    several: str = ""
    """What to do with several records of this kind, which are shown one after the other; empty for
    runs, which are shown side by side."""
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
    several="comparisons: name runs of theirs to see those side by side",
)
_KINDS = {
    **dict.fromkeys(comparison_record.FORMATS, _COMPARISON),
    capacity_record.FORMAT: _Kind(
        capacity_record.load,
        capacity_record.encode,
        "bench.reports.capacity:print_capacity",
        "bench.reports.markdown.capacity",
        "bench.reports.html.capacity_page",
        several="capacity searches: --html page.html has a table of them all",
        names_file=True,
    ),
    sweep_record.FORMAT: _Kind(
        sweep_record.load,
        sweep_record.encode,
        "bench.reports.sweep:print_sweep",
        "bench.reports.markdown.sweep",
        "bench.reports.html.sweep_page",
        several="sweeps: --html page.html has a table of them all",
        names_file=True,
    ),
    chaos_record.FORMAT: _Kind(
        chaos_record.load,
        chaos_record.encode,
        "bench.reports.chaos:print_chaos",
        "bench.reports.markdown.chaos",
        "bench.reports.html.chaos_page",
        several="sets of faults: --html page.html has a table of them all",
    ),
    selftest_record.FORMAT: _Kind(
        selftest_record.load,
        selftest_record.encode,
        "bench.reports.selftest:print_selftest",
        "bench.reports.markdown.selftest",
        "bench.reports.html.selftest_page",
        several="self-tests: --html page.html has a table of them all",
    ),
    restarts_record.FORMAT: _Kind(
        restarts_record.load,
        restarts_record.encode,
        "bench.reports.restarts:print_restarts",
        "bench.reports.markdown.restarts",
        "bench.reports.html.restarts_page",
        several="restarts: --html page.html has a table of them all",
    ),
    clients_record.FORMAT: _Kind(
        clients_record.load,
        clients_record.encode,
        "bench.reports.clients:print_clients",
        "bench.reports.markdown.clients",
        "bench.reports.html.clients_page",
        several="clients: --html page.html has a table of them all",
    ),
}
"""Kinds of records by format. Any other file is read as a run record."""
_PAGES = (".html", ".htm")
_MOST_SECTIONS = 40
"""Records of which a page or pictures are made: each takes a second or more."""
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

    Several runs are shown side by side.

    Parameters
    ----------
    record
        Records of any kind, folders of runs, or folders of 'bench ab'.
    """
    if not record:
        raise UsageError("no record given: name one or more records")
    _require_one_output(html, images, is_markdown=markdown, is_json=json)
    loaded = [each for path in record for each in _load(path)]
    if json:
        sys.stdout.write(_single(loaded).kind.encode(loaded[0].record).decode())
    elif markdown:
        sys.stdout.write("\n".join(_markdowns(loaded)))
    elif html is not None or images is not None:
        _draw(loaded, html, images)
    else:
        _print(loaded, record)
    return 0


def _require_one_output(
    html: Path | None, images: Path | None, *, is_markdown: bool, is_json: bool
) -> None:
    draws = html is not None or images is not None
    if is_json and (draws or is_markdown):
        raise UsageError(
            "--json prints a single record; remove --html, --images, --markdown and any other "
            "record"
        )
    if is_markdown and draws:
        raise UsageError("--markdown prints the records; remove --html and --images, or run twice")


def _single(loaded: Sequence[_Loaded]) -> _Loaded:
    if len(loaded) > 1:
        raise UsageError(f"--json prints a single record, and {len(loaded)} are named; name one")
    return loaded[0]


def _load(path: Path) -> list[_Loaded]:
    """Returns the record in a file, the comparison of a job's folder, or the runs in a folder."""
    if not path.is_dir():
        kind = _KINDS.get(records.format_of(path), _RUN)
        return [_Loaded(path, kind, kind.load(path))]
    for name in _IN_FOLDERS:
        if (path / name).exists():
            return _load(path / name)
    found = run_files.find([path])
    if found.note:
        notify(f"{path}: {found.note}")
    return [_Loaded(file, _RUN, run) for file, run in found.files]


def _runs(loaded: Sequence[_Loaded]) -> list[_Loaded]:
    """Returns the runs that are shown together: none where there is but one."""
    runs = [each for each in loaded if each.kind is _RUN]
    return runs if len(runs) > 1 else []


def _others(loaded: Sequence[_Loaded]) -> list[_Loaded]:
    """Returns the records that are shown one by one, and says what to do with several of a kind."""
    together = _runs(loaded)
    others = [each for each in loaded if each not in together]
    for kind in {id(each.kind): each.kind for each in others}.values():
        if kind.several and sum(each.kind is kind for each in others) > 1:
            notify(f"only runs are shown side by side, not {kind.several}")
    return others


def _print(loaded: Sequence[_Loaded], given: Sequence[Path]) -> None:
    runs, others = _runs(loaded), _others(loaded)
    if runs:
        # Most calls show a single record.
        from bench.reports.side_by_side import print_side_by_side  # noqa: PLC0415

        print_side_by_side([(each.path, each.record) for each in runs], given)
    for number, each in enumerate(others):
        if number or runs:
            sys.stdout.write("\n")
        module, _, function = each.kind.show.partition(":")
        getattr(importlib.import_module(module), function)(each.record, each.path)
        sys.stdout.flush()


def _markdowns(loaded: Sequence[_Loaded]) -> Iterator[str]:
    runs = _runs(loaded)
    if runs:
        from bench.reports.markdown import side_by_side  # noqa: PLC0415

        yield side_by_side.markdown([(each.path, each.record) for each in runs])
    for each in _others(loaded):
        made: str = importlib.import_module(each.kind.markdown).markdown(each.record)
        yield made


def _draw(loaded: Sequence[_Loaded], html: Path | None, images: Path | None) -> None:
    """Write a page, pictures or both, and print where they are. Raises UsageError where there would
    be too many of them."""
    if len(loaded) > _MOST_SECTIONS:
        raise UsageError(
            f"--html and --images show {_MOST_SECTIONS} records at most, and {len(loaded)} are "
            "named: name fewer; 'bench history' shows how many runs changed over time"
        )
    if html is not None:
        _require_page(html, loaded)
    # The plotting library is slow to load, and a terminal report needs no picture.
    from bench.reports.html.page import page, write_images  # noqa: PLC0415

    sections, side = _sections(loaded)
    if html is not None:
        files.write_whole(html, page(sections, side).encode())
        sys.stdout.write(f"page: {html}\n")
    if images is not None:
        write_images(sections, images, side)
        sys.stdout.write(f"pictures: {images}\n")


def _sections(loaded: Sequence[_Loaded]) -> tuple[list["Section"], "SideBySidePart | None"]:
    """Returns the section of each record, and what the runs among them show together; None where
    these are too few for that, or too many."""
    from bench.analysis.side_by_side import MOST_RUNS  # noqa: PLC0415
    from bench.reports.html import side_by_side_page  # noqa: PLC0415

    sections = [_section(each) for each in loaded]
    runs = _runs(loaded)
    if not 1 < len(runs) <= MOST_RUNS:
        return sections, None
    places = [place for place, each in enumerate(loaded) if each in runs]
    paths = [each.path for each in runs]
    marked = side_by_side_page.marked([sections[place] for place in places], paths)
    for place, section in zip(places, marked, strict=True):
        sections[place] = section
    return sections, side_by_side_page.part([(each.path, each.record) for each in runs])


def _require_page(html: Path, loaded: Sequence[_Loaded]) -> None:
    """Raises UsageError where the page would overwrite a record or cannot be written."""
    if html.suffix not in _PAGES or any(html.resolve() == each.path.resolve() for each in loaded):
        raise UsageError(f"--html {html}: the name of a page must end in {' or '.join(_PAGES)}")
    files.require_writable(html)


def _section(each: _Loaded) -> "Section":
    with formats.naming(each.path):
        named = (each.path,) if each.kind.names_file else ()
        made: Section = importlib.import_module(each.kind.section).section(each.record, *named)
    return made
