"""What the faults of a run did, as rows of text that all reports of a run share."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from bench import units
from bench.measure.faults import FaultOutcome
from bench.reports.figures import NOTHING

_COUNTS = {
    "lost": "lost",
    "duplicated": "twice",
    "run_again": "again",
    "unknown": "unknown",
    "refused": "refused",
}
FIELDS: Mapping[str, str] = MappingProxyType({text: name for name, text in _COUNTS.items()})
"""The headings of counts, and the fields of an outcome that hold them."""
_SHOWN_IF_ANY = ("unknown", "refused")
EXPLANATION = (
    "lost, twice, again: acknowledged tasks that are nowhere, were completed twice, or were taken "
    "again after an attempt without an end; no reply, no completion: the longest time without "
    "one, which touches the fault; back: from the fault's begin until every "
    "figure was where it had been before, and stayed there for two seconds"
)
BACK_HEADINGS = ("fault", "figure", "back")
NOT_BACK, NO_LEVEL, _NOT_INJECTED = "not by the end", "no level before", "not injected"


def names(faults: Sequence[FaultOutcome]) -> list[str]:
    """Returns the faults as they were written, each with its number."""
    return [f"{number}. {each.fault or each.kind}" for number, each in enumerate(faults, 1)]


def headings(faults: Sequence[FaultOutcome], *, has_moments: bool = True) -> list[str]:
    """Returns the headings of a table with a row for each fault, whose name comes first.

    Without moments, the table is narrower; the name has the planned one.
    """
    counts = [_COUNTS[name] for name in _counted(faults)]
    return ["fault", *(["at"] if has_moments else []), *counts, "no reply", "no completion", "back"]


def rows(faults: Sequence[FaultOutcome], *, has_moments: bool = True) -> list[list[str]]:
    """Returns what each fault did, in the order of ``headings``."""
    counts = _counted(faults)
    skipped = 0 if has_moments else 1
    return [
        [name, *_figures(fault, counts)[skipped:]]
        for name, fault in zip(names(faults), faults, strict=True)
    ]


def _counted(faults: Sequence[FaultOutcome]) -> list[str]:
    """The counts to show: some of them only where there is any."""
    return [
        name
        for name in _COUNTS
        if name not in _SHOWN_IF_ANY or any(getattr(each, name) for each in faults)
    ]


def _figures(fault: FaultOutcome, counts: Sequence[str]) -> list[str]:
    if fault.began_s is None:
        return [*[NOTHING] * (len(counts) + 3), _NOT_INJECTED]
    return [
        units.format_duration(fault.began_s),
        *(units.format_count(getattr(fault, name)) for name in counts),
        gap(fault.enqueue_gap_s, fault.enqueue_gap_at_least_s),
        gap(fault.completion_gap_s, fault.completion_gap_at_least_s),
        back_after(fault),
    ]


def gap(length_s: float | None, at_least_s: float | None) -> str:
    """Returns the length of a gap, with what is known only to be more or less."""
    if length_s is None:
        return NOTHING if at_least_s is None else f"≥ {units.format_duration(at_least_s)}"
    if at_least_s is not None and at_least_s < length_s:
        return f"≤ {units.format_duration(length_s)}"
    return units.format_duration(length_s)


def back_after(fault: FaultOutcome) -> str:
    """Returns how long it took until every figure was back, or why that is not known."""
    if fault.recovery_s is not None:
        return _after(fault.recovery_s)
    if not fault.recovered_s:
        return NOTHING
    missing = [name for name, each in fault.recovered_s.items() if each is None]
    return NO_LEVEL if set(missing) <= set(fault.without_level) else NOT_BACK


def recoveries(fault: FaultOutcome) -> list[tuple[str, str]]:
    """Returns each figure with the time after which it was back, or why there is none."""
    return [(name, recovery(fault, name)) for name in fault.recovered_s]


def recovery(fault: FaultOutcome, name: str) -> str:
    """Returns the time after which a figure was back, or why there is none."""
    value = fault.recovered_s[name]
    if name in fault.without_level:
        return NO_LEVEL
    return NOT_BACK if value is None else _after(value)


def _after(recovery_s: float) -> str:
    return f"after {units.format_duration(recovery_s)}" if recovery_s else "at once"


def lines(faults: Sequence[FaultOutcome]) -> Iterator[str]:
    """Yields a line for each fault: the way back of each figure, and what was not as planned."""
    for name, fault in zip(names(faults), faults, strict=True):
        parts = [f"{figure} {text}" for figure, text in recoveries(fault)]
        parts += [fault.problem] if fault.problem else []
        if parts:
            yield f"{name}: {', '.join(parts)}"
