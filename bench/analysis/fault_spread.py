"""What the same faults did in repeated runs: medians, with intervals for any distribution."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from bench.measure.faults import FaultOutcome
from bench.records.restarts_record import FaultSpread
from bench.records.run_record import RunRecord

CONFIDENCE = 0.95
FEWEST = 6
"""Runs without which the interval of a median has no ends at this confidence."""
_COUNTED: Mapping[str, Callable[[FaultOutcome], int]] = MappingProxyType(
    {
        "lost": lambda fault: fault.lost,
        "twice": lambda fault: fault.duplicated,
        "again": lambda fault: fault.run_again,
        "unknown": lambda fault: fault.unknown,
        "refused": lambda fault: fault.refused,
    }
)
COUNTS = frozenset(_COUNTED)
"""The figures that are numbers of tasks; the others are seconds."""


def fault_spreads(records: Sequence[RunRecord]) -> list[FaultSpread]:
    """Returns, for each fault of the plan, each figure over all runs in which it was injected."""
    found = []
    for number in range(max((len(each.faults) for each in records), default=0)):
        made = [each.faults[number] for each in records if number < len(each.faults)]
        found += spreads_of(number + 1, made[0].fault or made[0].kind, made)
    return found


def spreads_of(
    number: int,
    fault: str,
    made: Sequence[FaultOutcome],
    others: Mapping[str, Sequence[float | None]] = MappingProxyType({}),
) -> list[FaultSpread]:
    """Returns each figure of one fault over the runs in which it was injected, and those of
    ``others``, which come with their values. ``number`` and ``fault`` say which fault it is."""
    injected = [each for each in made if each.began_s is not None]
    values: dict[str, Sequence[float | None]] = {
        **{name: [value(each) for each in injected] for name, value in _COUNTED.items()},
        **others,
        **_times(injected),
    }
    return [_spread(number, fault, name, each) for name, each in values.items()]


def _times(injected: Sequence[FaultOutcome]) -> dict[str, Sequence[float | None]]:
    """The times of the runs in which they are known, or known not to have ended."""
    return {
        "no reply": [
            each.enqueue_gap_s for each in injected if each.enqueue_gap_at_least_s is not None
        ],
        "no completion": [
            each.completion_gap_s for each in injected if each.completion_gap_at_least_s is not None
        ],
        "back": [
            each.recovery_s for each in injected if each.recovered_s and not each.without_level
        ],
    }


def _spread(number: int, fault: str, figure: str, values: Sequence[float | None]) -> FaultSpread:
    # A gap or a recovery without an end is longer than any that has one.
    known = sorted(math.inf if each is None else each for each in values)
    low, high = median_interval(known)
    return FaultSpread(
        number=number,
        fault=fault,
        figure=figure,
        values=list(values),
        median=_finite(statistics.median_high(known)) if known else None,
        low=low,
        high=None if high is None else _finite(high),
        has_interval=low is not None,
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def median_interval(ordered: Sequence[float]) -> tuple[float | None, float | None]:
    """Returns the ends of a confidence interval of the median of these values (n,), ascending.

    The ends are the narrowest pair of values, counted from both ends, between which the median of
    any distribution lies with ``CONFIDENCE`` (sign test). None for fewer than ``FEWEST`` values.
    """
    count = len(ordered)
    outside, rank = 0.0, 0
    while rank < count:
        outside += 2 * math.comb(count, rank) / 2.0**count
        if outside > 1 - CONFIDENCE:
            break
        rank += 1
    if not rank:
        return None, None
    return ordered[rank - 1], ordered[count - rank]
