"""Latencies counted in HdrHistogram buckets: 1 µs to 1 h, three significant digits.

The bucket arithmetic is done here with numpy, a batch at a time; the ``hdrhistogram`` package
writes and reads the standard V2 encoding. This is the only file that knows that package.

Nothing is dropped or bent: a negative value and one past the range have counters of their own,
take part in every percentile at the end of the scale where they belong, and keep their exact
value in the minimum, the maximum and the mean.
"""

import functools
import math
import mmap
from collections.abc import Iterable

import msgspec
import numpy as np
from hdrh.histogram import HdrHistogram

from bench.arrays import Integers

HIGHEST_US = 3_600_000_000
SIGNIFICANT_DIGITS = 3

_HALF_BITS = 10
"""2^11 sub-buckets tell 2000 values apart, as three significant digits ask; half are new in each
bucket past the first."""
_SUB_BUCKETS = 2 << _HALF_BITS


def _index(value: int) -> int:
    bucket = max(value.bit_length() - (_HALF_BITS + 1), 0)
    return (bucket << _HALF_BITS) + (value >> bucket)


@functools.lru_cache(1 << 16)
def highest_equivalent(index: int) -> int:
    """The largest value in µs that is counted at this index."""
    bucket = max((index >> _HALF_BITS) - 1, 0)
    return ((index - (bucket << _HALF_BITS) + 1) << bucket) - 1


_LENGTH = _index(HIGHEST_US) + 1
_VECTOR_FROM = 24


class Packed(msgspec.Struct, frozen=True):
    """A histogram between processes: the standard encoding, and what that leaves out."""

    hdr: str
    negative: int
    overflow: int
    sum_us: int
    min_us: int
    max_us: int


def _zeros() -> Integers:
    """Counters of a new histogram, in memory that is mapped for it alone.

    Only the pages that are counted in ever take memory, and all of them are given back with the
    histogram. Zeros from the heap are written out in full as soon as it hands out what was used
    before, and a run has hundreds of histograms that each use a few pages.
    """
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    return np.frombuffer(mmap.mmap(-1, _LENGTH * np.int64().itemsize, flags=private), np.int64)


class Histogram:
    """Counts of latencies in µs."""

    __slots__ = ("counts", "max_us", "min_us", "negative", "overflow", "recorded", "sum_us")

    def __init__(self) -> None:
        self.counts = _zeros()
        self.recorded = 0
        self.negative = 0
        self.overflow = 0
        self.sum_us = 0
        self.min_us = 0
        self.max_us = 0

    @property
    def count(self) -> int:
        """All samples, negative ones and those past the range included."""
        return self.recorded + self.negative + self.overflow

    def record(self, value_us: int, count: int = 1) -> None:
        """Count one value, ``count`` times."""
        self._note_extremes(value_us, value_us)
        self.sum_us += value_us * count
        if value_us < 0:
            self.negative += count
        elif value_us > HIGHEST_US:
            self.overflow += count
        else:
            self.recorded += count
            self.counts[_index(value_us)] += count

    def record_many(self, values_us: Integers) -> None:
        """Count each of the values (n,)."""
        if len(values_us) < _VECTOR_FROM:
            for value_us in values_us.tolist():
                self.record(value_us)
            return
        low, high = int(values_us.min()), int(values_us.max())
        self._note_extremes(low, high)
        self.sum_us += int(values_us.sum())
        if low < 0 or high > HIGHEST_US:
            self.negative += int(np.count_nonzero(values_us < 0))
            self.overflow += int(np.count_nonzero(values_us > HIGHEST_US))
            values_us = values_us[(values_us >= 0) & (values_us <= HIGHEST_US)]
        self.recorded += len(values_us)
        np.add.at(self.counts, _indices(values_us, high), 1)

    def merge(self, other: "Histogram") -> None:
        """Add all of another histogram's counts."""
        if other.count:
            self._note_extremes(other.min_us, other.max_us)
        filled = other.filled()
        self.counts[filled] += other.counts[filled]
        self.recorded += other.recorded
        self.negative += other.negative
        self.overflow += other.overflow
        self.sum_us += other.sum_us

    def percentile_us(self, percent: float) -> int | None:
        """The smallest value that at least ``percent`` of the samples do not exceed (nearest rank).

        Exact to three significant digits, and never above the exact maximum. None without samples.
        """
        if not self.count:
            return None
        rank = max(math.ceil(percent * self.count / 100 - 1e-9), 1)
        if rank <= self.negative:
            return self.min_us
        if rank > self.negative + self.recorded:
            return self.max_us
        cumulated = np.cumsum(self.counts)
        index = int(np.searchsorted(cumulated, rank - self.negative))
        return min(highest_equivalent(index), self.max_us)

    def mean_us(self) -> float | None:
        """The exact mean, or None without samples."""
        return self.sum_us / self.count if self.count else None

    def filled(self) -> slice:
        """The counters from the first to the last that is not zero.

        Whatever adds or copies should keep to these: the rest takes no memory yet.
        """
        used = np.flatnonzero(self.counts)
        return slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0)

    def encode(self) -> str:
        """The standard compressed V2 encoding in base 64: samples from 0 to the highest value."""
        encoder = _encoder()
        np.frombuffer(encoder.counts, np.uint64)[:_LENGTH] = self.counts
        filled = self.filled()
        encoder.set_internal_tacking_values(filled.start or 0, filled.stop - 1, self.recorded)
        encoded: bytes = encoder.encode()
        return encoded.decode("ascii")

    def pack(self) -> Packed:
        """As a value that crosses process boundaries."""
        return Packed(
            self.encode(), self.negative, self.overflow, self.sum_us, self.min_us, self.max_us
        )

    def _note_extremes(self, low: int, high: int) -> None:
        if self.count:
            self.min_us = min(self.min_us, low)
            self.max_us = max(self.max_us, high)
        else:
            self.min_us, self.max_us = low, high


@functools.cache
def _encoder() -> HdrHistogram:
    """One for all, as each takes half a megabyte to make."""
    return HdrHistogram(1, HIGHEST_US, SIGNIFICANT_DIGITS)


def unpack(packed: Packed) -> Histogram:
    """The histogram that was packed. Raises ValueError when the encoding is damaged."""
    histogram = decode(packed.hdr)
    histogram.negative = packed.negative
    histogram.overflow = packed.overflow
    histogram.sum_us = packed.sum_us
    histogram.min_us = packed.min_us
    histogram.max_us = packed.max_us
    return histogram


def decode(encoded: str) -> Histogram:
    """The counts of a V2 encoding; sum and extremes are then known to three digits only.

    Raises ValueError when the encoding is damaged or has another range or precision.
    """
    try:
        decoded = HdrHistogram.decode(encoded.encode("ascii"))
    except Exception as error:
        raise ValueError(f"not a histogram in HdrHistogram V2 encoding: {error}") from None
    if (decoded.highest_trackable_value, decoded.significant_figures) != (
        HIGHEST_US,
        SIGNIFICANT_DIGITS,
    ):
        raise ValueError("a histogram of another range or precision than 1 µs to 1 h, 3 digits")
    histogram = Histogram()
    counts = np.frombuffer(decoded.counts, np.uint64)[:_LENGTH]
    filled = np.flatnonzero(counts).tolist()
    if filled:
        histogram.counts[filled[0] : filled[-1] + 1] = counts[filled[0] : filled[-1] + 1]
        histogram.recorded = int(counts.sum())
        histogram.sum_us = sum(
            highest_equivalent(index) * int(histogram.counts[index]) for index in filled
        )
        histogram.min_us = highest_equivalent(filled[0])
        histogram.max_us = highest_equivalent(filled[-1])
    # The package ties a knot of a quarter of a megabyte here, which lies about until the garbage
    # collector comes by; a run decodes some a second.
    decoded.encoder = None
    return histogram


def merged(histograms: Iterable[Histogram]) -> Histogram:
    """All samples of several histograms in one."""
    total = Histogram()
    for histogram in histograms:
        total.merge(histogram)
    return total


def _indices(values: Integers, high: int) -> Integers:
    if high < _SUB_BUCKETS:
        return values
    # frexp is exact here: all values are far below 2^53.
    exponents = np.frexp(values.astype(np.float64))[1].astype(np.int64)
    buckets = np.maximum(exponents - (_HALF_BITS + 1), 0)
    return (buckets << _HALF_BITS) + (values >> buckets)
