"""A queue's latencies so far in a form that other tools' tables take: value to count."""

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np

from bench.measure.histogram import Histogram, highest_equivalent, merged
from bench.measure.recorder import Stage


class Tally(msgspec.Struct, kw_only=True):
    """Cumulative since the run's start. Times in µs; ``count`` holds the failures too."""

    count: int = 0
    failures: int = 0
    sum_us: int = 0
    min_us: int = 0
    max_us: int = 0
    values: dict[int, int] = msgspec.field(default_factory=dict)
    """Latency, to three digits, to how many had it. Failures without a latency are not here."""


def tally(histograms: Iterable[Histogram], failures: int, are_measured: bool) -> Tally:
    """One tally of several histograms. ``are_measured``: whether the failures are in them."""
    total = merged(histograms)
    filled = np.flatnonzero(total.counts).tolist()
    values = {highest_equivalent(index): int(total.counts[index]) for index in filled}
    for outside, extreme_us in ((total.negative, total.min_us), (total.overflow, total.max_us)):
        if outside:
            values[extreme_us] = values.get(extreme_us, 0) + outside
    return Tally(
        count=total.count + (0 if are_measured else failures),
        failures=failures,
        sum_us=total.sum_us,
        min_us=total.min_us,
        max_us=total.max_us,
        values=values,
    )


def tallies(
    histograms: Mapping[Stage, Mapping[int, Sequence[Histogram]]],
    failures: Mapping[Stage, Mapping[int, int]],
    are_measured: bool,
) -> dict[Stage, dict[int, Tally]]:
    """A tally for each stage and queue."""
    return {
        stage: {
            queue: tally(parts, failures.get(stage, {}).get(queue, 0), are_measured)
            for queue, parts in by_queue.items()
        }
        for stage, by_queue in histograms.items()
    }


def plus(tallies: Iterable[Tally]) -> Tally:
    """Several tallies in one."""
    total = Tally()
    for each in tallies:
        if not each.count:
            continue
        total.min_us = min(total.min_us, each.min_us) if total.count else each.min_us
        total.max_us = max(total.max_us, each.max_us) if total.count else each.max_us
        total.count += each.count
        total.failures += each.failures
        total.sum_us += each.sum_us
        for value_us, count in each.values.items():
            total.values[value_us] = total.values.get(value_us, 0) + count
    return total


def percentile_us(tally: Tally, percent: float) -> int:
    """The value that so many of a hundred do not exceed, as the histogram would say; 0 of none."""
    measured = sum(tally.values.values())
    wanted = max(math.ceil(measured * percent / 100 - 1e-9), 1)
    seen = 0
    for value_us in sorted(tally.values):
        seen += tally.values[value_us]
        if seen >= wanted:
            return value_us
    return 0
