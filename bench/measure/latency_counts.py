"""A queue's latencies so far in a form that other tools' tables take: value to count."""

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np

from bench.measure.histogram import Histogram, highest_equivalent, merged
from bench.measure.recorder import Interval


class LatencyCounts(msgspec.Struct, kw_only=True):
    """Cumulative since the run's start. Times in µs; ``count`` holds the failures too."""

    count: int = 0
    failures: int = 0
    sum_us: int = 0
    min_us: int = 0
    max_us: int = 0
    values: dict[int, int] = msgspec.field(default_factory=dict)
    """Latency, to three digits, to how many had it. Failures without a latency are not here."""


def latency_counts(
    histograms: Iterable[Histogram], failures: int, are_measured: bool
) -> LatencyCounts:
    """The counts of several histograms. ``are_measured``: whether the failures are in them."""
    total = merged(histograms)
    filled = np.flatnonzero(total.counts).tolist()
    values = {highest_equivalent(index): int(total.counts[index]) for index in filled}
    for outside, extreme_us in ((total.negative, total.min_us), (total.overflow, total.max_us)):
        if outside:
            values[extreme_us] = values.get(extreme_us, 0) + outside
    return LatencyCounts(
        count=total.count + (0 if are_measured else failures),
        failures=failures,
        sum_us=total.sum_us,
        min_us=total.min_us,
        max_us=total.max_us,
        values=values,
    )


def latency_counts_by_interval(
    histograms: Mapping[Interval, Mapping[int, Sequence[Histogram]]],
    failures: Mapping[Interval, Mapping[int, int]],
    are_measured: bool,
) -> dict[Interval, dict[int, LatencyCounts]]:
    """Latency counts of each interval and queue."""
    return {
        interval: {
            queue: latency_counts(parts, failures.get(interval, {}).get(queue, 0), are_measured)
            for queue, parts in by_queue.items()
        }
        for interval, by_queue in histograms.items()
    }


def added(parts: Iterable[LatencyCounts]) -> LatencyCounts:
    """The sum of several."""
    total = LatencyCounts()
    for each in parts:
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


def percentile_us(latency_counts: LatencyCounts, percent: float) -> int:
    """The value that so many of a hundred do not exceed, as the histogram would say; 0 of none."""
    measured = sum(latency_counts.values.values())
    wanted = max(math.ceil(measured * percent / 100 - 1e-9), 1)
    seen = 0
    for value_us in sorted(latency_counts.values):
        seen += latency_counts.values[value_us]
        if seen >= wanted:
            return value_us
    return 0
