"""Cumulative latencies of a queue as a map from value to count, as other tools' tables expect."""

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from bench.measure.histogram import Histogram, merged
from bench.measure.recorder import Interval


class LatencyCounts(msgspec.Struct, kw_only=True):
    """Latencies and failures of one queue since the start of the run, in µs.

    ``count`` includes the failures.
    """

    count: int = 0
    failures: int = 0
    sum_us: int = 0
    min_us: int = 0
    max_us: int = 0
    values: dict[int, int] = msgspec.field(default_factory=dict)
    """Number of tasks by latency, to three significant digits, without failures that have none."""


def latency_counts(
    histograms: Iterable[Histogram], failures: int, are_measured: bool
) -> LatencyCounts:
    """Returns the counts of several histograms together.

    ``are_measured`` says whether the histograms include the failures.
    """
    total = merged(histograms)
    values = total.by_value()
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
    """Returns the latency counts of each interval and queue index.

    ``are_measured`` says whether the histograms include the failures.
    """
    return {
        interval: {
            queue: latency_counts(slices, failures.get(interval, {}).get(queue, 0), are_measured)
            for queue, slices in by_queue.items()
        }
        for interval, by_queue in histograms.items()
    }


def added(counts: Iterable[LatencyCounts]) -> LatencyCounts:
    """Returns the sum of several latency counts."""
    total = LatencyCounts()
    for each in counts:
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


def percentile_us(counts: LatencyCounts, percent: float) -> int:
    """Returns the nearest-rank percentile in µs, equal to the histogram's; 0 without latencies."""
    measured = sum(counts.values.values())
    rank = max(math.ceil(measured * percent / 100 - 1e-9), 1)
    cumulated = 0
    for value_us in sorted(counts.values):
        cumulated += counts.values[value_us]
        if cumulated >= rank:
            # A bucket's value may lie beyond the largest latency in it, where that is known.
            return min(value_us, counts.max_us) if counts.max_us > 0 else value_us
    return 0
