"""Renders sections as one page that needs no network, no script and no other file."""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from bench.files import write_whole
from bench.inert import visible
from bench.reports.figures import NOTHING
from bench.reports.html.section import Section
from bench.reports.html.side_by_side_page import SideBySidePart
from bench.reports.plots.picture import Picture
from bench.version import __version__

_SIDE_BY_SIDE = "side-by-side"


def page(sections: Sequence[Section], side: SideBySidePart | None = None) -> str:
    """Returns the page as HTML; ``side`` is what its runs show together."""
    numbered = [(_anchor(number, each), each) for number, each in enumerate(sections, 1)]
    template = _environment().get_template("page.html.j2")
    return template.render(
        title=_title(sections, side),
        sections=numbered,
        overviews=list(_overviews(numbered)) if len(sections) > 1 else [],
        side=side,
        version=__version__,
    )


def write_images(
    sections: Sequence[Section], folder: Path, side: SideBySidePart | None = None
) -> None:
    """Write every picture into a folder, as .svg and .png, named after its section.

    Raises UsageError when the folder cannot be written.
    """
    named = [(_anchor(number, each), each.pictures) for number, each in enumerate(sections, 1)]
    if side is not None:
        named.insert(0, (_SIDE_BY_SIDE, side.pictures))
    for name, pictures in named:
        for picture in pictures:
            for kind in ("svg", "png"):
                write_whole(folder / f"{name}-{picture.name}.{kind}", picture.file(kind))


def _anchor(number: int, section: Section) -> str:
    return f"{section.kind}-{number}"


def _title(sections: Sequence[Section], side: SideBySidePart | None) -> str:
    if side is not None and side.runs == len(sections):
        return f"{side.runs} runs side by side"
    if len(sections) == 1:
        return f"{sections[0].title}: {sections[0].verdict}"
    return f"{len(sections)} records"


@dataclass(frozen=True)
class _Overview:
    """A table of all sections of one kind: an anchor, the section and its figures per row."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Section, Sequence[str]]]


def _overviews(numbered: Sequence[tuple[str, Section]]) -> Iterable[_Overview]:
    """Yields a table for each kind, with all figures that any section of that kind has."""
    for group in dict.fromkeys(section.group for _, section in numbered):
        chosen = [(anchor, section) for anchor, section in numbered if section.group == group]
        headings = list(dict.fromkeys(name for _, each in chosen for name in each.figures))
        yield _Overview(
            group,
            headings,
            [
                (anchor, each, [each.figures.get(name, NOTHING) for name in headings])
                for anchor, each in chosen
            ],
        )


def _inlined(pictures: Iterable[Picture], name: str, anchor: str) -> dict[str, str] | None:
    """Returns a picture's caption and drawings for a template; None where there is none."""
    for picture in pictures:
        if picture.name == name:
            return {
                "caption": picture.caption,
                "wide": picture.inline(anchor, is_narrow=False),
                "narrow": picture.inline(anchor, is_narrow=True),
            }
    return None


def _finalized(value: object) -> object:
    """Returns what a template shows of a value: text in which no letter changes how it is read."""
    return visible(value, keep="\n") if type(value) is str else value


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bench.reports.html"),
        autoescape=True,  # names in records are chosen by users
        undefined=jinja2.StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["inlined"] = _inlined
    return environment
