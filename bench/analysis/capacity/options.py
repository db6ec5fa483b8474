"""The rate that each number of workers or slots sustains, from the levels and the scaling law.

Measured rates stand as they are. Between and beyond them the law applies, with the low end of its
interval, but never outside the measured rates of its neighbours. More workers never carry less,
since some of them can stay idle, unless a significant decline was measured.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from bench.analysis.capacity.scaling import RUN_NOISE
from bench.records import capacity_record
from bench.records.capacity_record import CapacityRecord, LevelRow

Basis = Literal["measured", "modelled", "extrapolated"]
"""Where a rate comes from: a search, or the scaling law within or beyond the measured levels."""

_SIGNIFICANT = 2 * math.sqrt(2) * RUN_NOISE
"""Least decline between two levels, as a share, that noise does not explain: two standard
deviations of a difference."""


@dataclass(frozen=True)
class SustainedRate:
    """The rate in tasks per second that ``units`` workers or slots sustain at least."""

    units: int
    rate_per_s: float
    basis: Basis
    of_units: int
    """The number whose rate it is; fewer than ``units`` where more add nothing that is known."""


@dataclass(frozen=True)
class Decline:
    """Two measured levels of which the larger sustains significantly less."""

    fewer: LevelRow
    more: LevelRow


def sustained_rates(record: CapacityRecord) -> list[SustainedRate]:
    """Returns the rate of each number that was measured or can be modelled, the smallest first.

    The rates never fall from one number to the next, except at the ``declines``.
    """
    measured = {each.units: each for each in _measured(record)}
    modelled = _modelled(record)
    largest = max(measured, default=0)
    rates: list[SustainedRate] = []
    for count in sorted({*measured, *(modelled if measured else ())}):
        best = rates[-1] if rates else None
        if count in measured:
            rates.append(measured[count])
            continue
        above = next((each for number, each in measured.items() if number > count), None)
        ceiling = min(above.rate_per_s if above else math.inf, _fails_at(record, count))
        floor = best.rate_per_s if best else 0.0
        basis: Basis = "modelled" if above else "extrapolated"
        if above is not None and above.rate_per_s < floor:  # within a decline
            rates.append(SustainedRate(count, above.rate_per_s, basis, count))
        elif best is not None and min(modelled[count], ceiling) <= floor:
            rates.append(SustainedRate(count, floor, best.basis, best.of_units))
        else:
            rates.append(SustainedRate(count, min(modelled[count], ceiling), basis, count))
    return [each for each in rates if each.units <= largest or each.of_units == each.units]


def declines(record: CapacityRecord) -> list[Decline]:
    """Returns the measured levels that sustain significantly less than the next smaller one."""
    by_units = {level.units: level for level in record.levels}
    return [
        Decline(by_units[fewer.of_units], by_units[more.units])
        for fewer, more in pairwise(_measured(record))
        if more.rate_per_s < fewer.rate_per_s
    ]


def _measured(record: CapacityRecord) -> Iterator[SustainedRate]:
    """Yields the rates of the measured levels, the smallest first.

    Where a level sustains less than a smaller one, but not significantly, it has the rate of that.
    """
    best: SustainedRate | None = None
    for level in sorted(record.levels, key=lambda each: each.units):
        if level.lower_per_s is None and not level.is_settled:
            continue
        rate = level.lower_per_s or 0.0
        is_less = best is not None and rate < best.rate_per_s
        if best is not None and is_less and not _is_significant(level, best.rate_per_s):
            best = SustainedRate(level.units, best.rate_per_s, "measured", best.of_units)
        else:
            best = SustainedRate(level.units, rate, "measured", level.units)
        yield best


def _is_significant(level: LevelRow, rate_per_s: float) -> bool:
    """Returns whether a level is proven to fail at clearly less than a rate of fewer workers."""
    upper = level.upper_per_s
    return level.is_settled and upper is not None and upper * (1 + _SIGNIFICANT) < rate_per_s


def _modelled(record: CapacityRecord) -> Mapping[int, float]:
    """Returns the low end of the law's rate for each number; empty without a law that holds."""
    if record.scaling is None or capacity_record.is_rejected(record, "capacity"):
        return {}
    counts = [count for count, _, _, _ in record.scaling.band]
    lows = [low for _, _, low, _ in record.scaling.band]
    numbers = range(math.ceil(counts[0]), math.floor(counts[-1]) + 1)
    found = np.interp(np.array(numbers, np.float64), counts, lows)
    return {number: max(float(low), 0.0) for number, low in zip(numbers, found, strict=True)}


def _fails_at(record: CapacityRecord, count: int) -> float:
    """Returns the lowest rate that fails with that number or more, where none is known to hold."""
    return min(
        (
            level.upper_per_s
            for level in record.levels
            if level.lower_per_s is None and level.upper_per_s is not None and level.units >= count
        ),
        default=math.inf,
    )
