"""How many latencies lie in each histogram bucket of each second of a window."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from bench.arrays import Floats, Integers
from bench.measure.histogram import HIGHEST_US, Histogram, highest_equivalent

_BUCKETS = 1 << 15
"""More than a histogram has, with two for the samples outside its range."""
_BELOW, _BEYOND = 0, _BUCKETS - 1


@dataclass(frozen=True)
class LatencyCells:
    """Latencies of consecutive seconds, from 0 on: three arrays (n,).

    A second and a bucket may come several times. Buckets ascend with the latency."""

    seconds: int
    """Length of the window."""
    second: Integers
    bucket: Integers
    counts: Integers

    @cached_property
    def count(self) -> int:
        """Number of samples."""
        return int(self.counts.sum())

    @cached_property
    def _cumulated(self) -> Floats:
        """Samples up to each bucket (_BUCKETS,)."""
        found: Floats = np.cumsum(np.bincount(self.bucket, self.counts, minlength=_BUCKETS))
        return found

    def bucket_at(self, rank: int) -> int:
        """Returns the bucket of the sample with this rank, from 1."""
        return int(np.searchsorted(self._cumulated, rank - 0.5))

    @staticmethod
    def value_s(bucket: int) -> float:
        """Returns the largest latency that is counted in a bucket, in seconds; zero for negative
        ones, and the end of the range for those beyond it."""
        if bucket == _BELOW:
            return 0.0
        return (HIGHEST_US if bucket == _BEYOND else highest_equivalent(bucket - 1)) / 1e6

    def in_seconds(self, first_bucket: int = 0) -> Floats:
        """Returns the number of samples in this bucket and above in each second (seconds,)."""
        is_above = self.bucket >= first_bucket
        found: Floats = np.bincount(
            self.second[is_above], self.counts[is_above], minlength=self.seconds
        ).astype(np.float64)
        return found


@dataclass
class LatencySeconds:
    """Collects the histograms of seconds, and gives the latencies of any window of them."""

    _cells: dict[int, list[tuple[Integers, Integers]]] = field(default_factory=dict)

    def add(self, second: int, histogram: Histogram) -> None:
        """Add the latencies of a second, or of a part of it."""
        self._cells.setdefault(second, []).append(_sparse(histogram))

    def window(
        self, start: int, stop: int, others: dict[int, list[Histogram]] | None = None
    ) -> LatencyCells:
        """Returns the latencies of the seconds from ``start`` until before ``stop``; ``others`` are
        histograms to be counted with those that were added."""
        seconds, buckets, counts = [], [], []
        for second in range(start, stop):
            parts = [
                *self._cells.get(second, ()),
                *map(_sparse, (others or {}).get(second, ())),
            ]
            for bucket, number in parts:
                seconds.append(np.full(len(bucket), second - start, np.int64))
                buckets.append(bucket)
                counts.append(number)
        none = [np.empty(0, np.int64)]
        return LatencyCells(
            stop - start,
            np.concatenate(seconds or none),
            np.concatenate(buckets or none).astype(np.int64),
            np.concatenate(counts or none).astype(np.int64),
        )


def _sparse(histogram: Histogram) -> tuple[Integers, Integers]:
    """The buckets that hold samples, and their numbers, as small integers: a long run has
    millions."""
    filled = histogram.filled()
    used = np.flatnonzero(histogram.counts[filled])
    buckets = [used + (filled.start or 0) + 1]
    counts = [histogram.counts[filled][used]]
    for bucket, number in ((_BELOW, histogram.negative), (_BEYOND, histogram.overflow)):
        if number:
            buckets.append(np.array([bucket]))
            counts.append(np.array([number]))
    return np.concatenate(buckets).astype(np.uint16), np.concatenate(counts).astype(np.uint32)
