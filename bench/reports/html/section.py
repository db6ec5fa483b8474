"""The parts of a page: one section per record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from bench.reports.html.provenance import Setup
from bench.reports.plots.picture import Picture

Tone = Literal["good", "open", "bad"]
"""What a verdict means to a reader, which decides the colour of its badge."""


@dataclass(frozen=True)
class Table:
    """A table of text, as the templates show it."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    names: int = 1
    """Number of leading columns that hold names; the others hold figures."""
    strong: frozenset[int] = frozenset()
    """Indices of the rows to emphasise."""
    colors: Mapping[str, str] = field(default_factory=dict)
    """Colours of columns by heading, as those of the runs that pictures show."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """One record on a page: the answer, what its kind's template shows, and its provenance."""

    kind: str
    """Kind of record, such as ``run``, whose template is ``run.html.j2``."""
    group: str
    """Heading above several sections of this kind, such as ``Runs``."""
    title: str
    verdict: str
    tone: Tone
    answer: str
    """A sentence that follows the verdict."""
    figures: Mapping[str, str]
    """Figures by heading, for the table of all sections of this kind."""
    stamp: str
    """Sentence that identifies the record and says when it was made."""
    description: str = ""
    """What the scenario is for, in the words of its author."""
    setup: Setup
    """What was run, and where."""
    view: Mapping[str, object] = field(default_factory=dict)
    """Values that the template refers to, by name."""
    pictures: Sequence[Picture] = ()
    color: str = ""
    """Colour of its line in the pictures of the page; empty where they do not show it."""
