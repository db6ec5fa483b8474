"""Cumulative latencies of a queue in a few fixed buckets, as metrics for monitoring expect."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from bench.measure.histogram import HIGHEST_US, Histogram
from bench.measure.recorder import Interval, IntervalRecorder

LADDER_US = (
    *(100, 200, 500),
    *(1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000),
    *(1_000_000, 2_000_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000),
)
"""Upper bounds of the buckets, in µs."""

_COUNTED_EVERY = 4
"""Reports, of which there are four a second, from one count of the histograms to the next. A count
takes long enough to delay tasks; for most scrapes once a second is enough."""


class BucketCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Latencies of one queue since the start of the run, in µs."""

    counts: list[int]
    """Number of latencies up to each bound and above the one before it; the last number is that of
    the latencies above all bounds."""
    sum_us: int = 0

    @property
    def count(self) -> int:
        """Number of latencies."""
        return sum(self.counts)


ByQueue = Mapping[int, BucketCounts]
"""By the index of the queue."""
Buckets = Mapping[Interval, ByQueue]


def bounds_with(limits_us: Iterable[int]) -> tuple[int, ...]:
    """Returns the bounds of the ladder and these others, ascending.

    Limits that no histogram can tell apart from its ends are left out.
    """
    return tuple(sorted({*LADDER_US, *(each for each in limits_us if 0 < each < HIGHEST_US)}))


def added_buckets(several: Iterable[BucketCounts], bounds: int) -> BucketCounts:
    """Returns the sum of counts that have the same number of bounds."""
    counts, sum_us = [0] * (bounds + 1), 0
    for each in several:
        counts = [one + other for one, other in zip(counts, each.counts, strict=True)]
        sum_us += each.sum_us
    return BucketCounts(counts=counts, sum_us=sum_us)


def added_by_queue(reports: Sequence[Buckets], bounds: int) -> Buckets:
    """Returns the sum of what several processes have counted, by interval and queue."""
    found: dict[Interval, dict[int, list[BucketCounts]]] = {}
    for report in reports:
        for interval, by_queue in report.items():
            for queue, counted in by_queue.items():
                found.setdefault(interval, {}).setdefault(queue, []).append(counted)
    return {
        interval: {queue: added_buckets(each, bounds) for queue, each in by_queue.items()}
        for interval, by_queue in found.items()
    }


class BucketCounter:
    """Counts what an IntervalRecorder has recorded so far, by interval and queue.

    Only histograms that have changed since the last time are looked at, so that the slices of a
    warm-up cost nothing once they are over.
    """

    def __init__(self, intervals: IntervalRecorder, bounds_us: tuple[int, ...]) -> None:
        self._intervals = intervals
        self._bounds_us = bounds_us
        self._known: dict[tuple[Interval, int, int], tuple[int, BucketCounts]] = {}
        """The number of samples and the counts of each histogram when it was last looked at."""
        self._found: dict[Interval, dict[int, BucketCounts]] = {}
        self._calls = 0

    def count(self, *, is_last: bool = False) -> dict[Interval, dict[int, BucketCounts]]:
        """Returns the counts so far, those of a few calls before unless ``is_last``; none where
        there are no bounds."""
        if self._bounds_us and (is_last or self._calls % _COUNTED_EVERY == 0):
            self._found = {
                interval: {
                    queue: self._together(interval, queue, slices)
                    for queue, slices in by_queue.items()
                }
                for interval, by_queue in self._intervals.by_interval().items()
            }
        self._calls += 1
        return self._found

    def _together(
        self, interval: Interval, queue: int, slices: Sequence[Histogram]
    ) -> BucketCounts:
        counted = [self._of((interval, queue, number), each) for number, each in enumerate(slices)]
        return added_buckets(counted, len(self._bounds_us))

    def _of(self, key: tuple[Interval, int, int], histogram: Histogram) -> BucketCounts:
        known = self._known.get(key)
        if known is not None and known[0] == histogram.count:
            return known[1]
        counted = BucketCounts(
            counts=histogram.bucket_counts(self._bounds_us), sum_us=histogram.sum_us
        )
        self._known[key] = histogram.count, counted
        return counted
