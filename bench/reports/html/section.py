"""What a page is put together from: one section a record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from bench.reports.plots.picture import Picture

Tone = Literal["good", "open", "bad"]
"""What a verdict means to a reader; says the colour of its badge."""


@dataclass(frozen=True)
class Table:
    """A table of text. The first ``names`` columns are names, the others figures."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    names: int = 1
    strong: frozenset[int] = frozenset()
    """Numbers of the rows that matter most."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """One record on a page: the answer, and what its kind's template shows below it."""

    kind: str
    """``run``; the template is ``run.html.j2``."""
    group: str
    """What several of its kind are called: ``Runs``."""
    title: str
    verdict: str
    mood: Tone
    answer: str
    """One sentence; the verdict stands before it."""
    figures: Mapping[str, str]
    """For the table of all sections of its kind: heading to figure."""
    view: Mapping[str, object] = field(default_factory=dict)
    """What the template names."""
    pictures: Sequence[Picture] = ()
