"""The tables that are printed, and how two arms are paired; no I/O."""

import statistics
from collections.abc import Sequence

from bench.jobs.arms import BASE, CANDIDATE

NONE = "–"


def turns(pairs: int) -> list[str]:
    """The order in which the arms are measured: A B, B A, A B …, so that drift favours neither."""
    return [arm for n in range(pairs) for arm in (BASE + CANDIDATE, CANDIDATE + BASE)[n % 2]]


def spread(values: Sequence[float], form: str = ",.0f", unit: str = "") -> str:
    """Median with its unit, and the range where there is one; a dash without any value."""
    if not values:
        return NONE
    text = f"{statistics.median(values):{form}}"
    if len(values) > 1:
        text += f" ({min(values):{form}} to {max(values):{form}})"
    return f"{text} {unit}" if unit else text


def paired_ratios(base: Sequence[float], candidate: Sequence[float]) -> list[float]:
    """B/A of each pair; a pair whose base is zero has none. Raises ValueError for unequal numbers
    of values, which are no pairs."""
    return [one / other for other, one in zip(base, candidate, strict=True) if other]


def header(server: str, base: str | None = None) -> str:
    """The head of a table: of one tree on a server, or of a base revision and this tree."""
    if base is None:
        cells = ["what", server, "target"]
    else:
        cells = ["what", f"A: {base}, {server}", "B: this tree", "B / A", "target"]
    return f"{line(cells)}\n|{'---|' * len(cells)}"


def line(cells: Sequence[str]) -> str:
    """A row of a table in Markdown."""
    return f"| {' | '.join(cells)} |"
