"""Counts latencies in HdrHistogram buckets: 1 µs to 1 h, three significant digits.

The bucket arithmetic is done here with numpy, one batch at a time; the ``hdrhistogram`` package
writes and reads the standard V2 encoding. No other module uses that package.

No value is dropped or clamped: negative values and values beyond the range have counters of their
own, take part in every percentile at their end of the scale, and enter the minimum, the maximum
and the mean with their exact value.
"""

import base64
import functools
import math
import mmap
import struct
import zlib
from collections.abc import Iterable

import msgspec
import numpy as np
from hdrh.histogram import HdrHistogram

from bench.arrays import Integers, extremes, total

HIGHEST_US = 3_600_000_000
SIGNIFICANT_DIGITS = 3

_HALF_BITS = 10
"""Three significant digits require 2000 distinct values, hence 2^11 sub-buckets per bucket. In each
bucket after the first, the upper half of them (2^10) covers values that no earlier bucket does."""
_SUB_BUCKETS = 2 << _HALF_BITS


def _index(value: int) -> int:
    bucket = max(value.bit_length() - (_HALF_BITS + 1), 0)
    return (bucket << _HALF_BITS) + (value >> bucket)


@functools.lru_cache(1 << 16)
def highest_equivalent(index: int) -> int:
    """Returns the largest value in µs that is counted at this index."""
    bucket = max((index >> _HALF_BITS) - 1, 0)
    return ((index - (bucket << _HALF_BITS) + 1) << bucket) - 1


_LENGTH = _index(HIGHEST_US) + 1
_VECTOR_FROM = 8


class Packed(msgspec.Struct, frozen=True):
    """A histogram as sent between processes: the V2 encoding and what it cannot hold.

    ``hdr`` is the base64 text of the encoding; ``negative`` and ``overflow`` count the samples
    outside its range. Times are in µs.
    """

    hdr: str
    negative: int
    overflow: int
    sum_us: int
    min_us: int
    max_us: int


def _zeros() -> Integers:
    """Returns the counters of a new histogram, in a memory mapping of its own.

    Only pages that are written to occupy memory, and all of them are released together with the
    histogram. An array of zeros from the heap occupies all its pages as soon as the allocator
    reuses memory, and a run has hundreds of histograms that each touch a few pages.
    """
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    return np.frombuffer(mmap.mmap(-1, _LENGTH * np.int64().itemsize, flags=private), np.int64)


class Histogram:
    """Counts of latencies in µs, with an exact minimum, maximum and mean."""

    __slots__ = (
        "_filled",
        "_filled_at",
        "counts",
        "max_us",
        "min_us",
        "negative",
        "overflow",
        "recorded",
        "sum_us",
    )

    def __init__(self) -> None:
        self.counts = _zeros()
        self._filled, self._filled_at = slice(0), 0
        """What ``filled`` returned, and what ``recorded`` was then."""
        self.recorded = 0
        self.negative = 0
        self.overflow = 0
        self.sum_us = 0
        self.min_us = 0
        self.max_us = 0

    @property
    def count(self) -> int:
        """Number of samples, including negative ones and those beyond the range."""
        return self.recorded + self.negative + self.overflow

    def record(self, value_us: int, count: int = 1) -> None:
        """Adds ``count`` samples of one value."""
        self._update_extremes(value_us, value_us)
        self.sum_us += value_us * count
        if value_us < 0:
            self.negative += count
        elif value_us > HIGHEST_US:
            self.overflow += count
        else:
            self.recorded += count
            self.counts[_index(value_us)] += count

    def record_many(self, values_us: Integers) -> None:
        """Adds one sample for each of the values (n,)."""
        if len(values_us) < _VECTOR_FROM:
            for value_us in values_us.tolist():
                self.record(value_us)
            return
        low, high = extremes(values_us)
        self._update_extremes(low, high)
        self.sum_us += total(values_us)
        if low < 0 or high > HIGHEST_US:
            self.negative += int(np.count_nonzero(values_us < 0))
            self.overflow += int(np.count_nonzero(values_us > HIGHEST_US))
            values_us = values_us[(values_us >= 0) & (values_us <= HIGHEST_US)]
        self.recorded += len(values_us)
        np.add.at(self.counts, _indices(values_us, high), 1)

    def merge(self, other: "Histogram") -> None:
        """Adds all samples of another histogram, which stays unchanged."""
        if other.count:
            self._update_extremes(other.min_us, other.max_us)
        filled = other.filled()
        self.counts[filled] += other.counts[filled]
        self.recorded += other.recorded
        self.negative += other.negative
        self.overflow += other.overflow
        self.sum_us += other.sum_us

    def percentile_us(self, percent: float) -> int | None:
        """Returns the nearest-rank percentile: the smallest value that at least ``percent`` % of
        the samples do not exceed, in µs.

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

    def count_above(self, value_us: int) -> int:
        """Returns the number of samples above a value within the range, to three significant
        digits."""
        return self.overflow + int(self.counts[_index(value_us) + 1 :].sum())

    def bucket_counts(self, bounds_us: tuple[int, ...]) -> list[int]:
        """Returns the number of samples up to each of these ascending bounds within the range, and
        above the one before it; the last number (n + 1) is that of the samples above all bounds.

        A bound includes all values that are counted with it, as in ``count_above``.
        """
        filled = self.filled()
        start, cumulated = filled.start or 0, np.cumsum(self.counts[filled])
        up_to = np.concatenate(([0], cumulated))[
            np.clip(_ends(bounds_us) - start, 0, len(cumulated))
        ]
        found: list[int] = np.diff(up_to, prepend=0, append=self.recorded).tolist()
        found[0] += self.negative
        found[-1] += self.overflow
        return found

    def mean_us(self) -> float | None:
        """Returns the exact mean in µs; None without samples."""
        return self.sum_us / self.count if self.count else None

    def filled(self) -> slice:
        """Returns the range of counters from the first to the last that is not zero.

        Code that adds or copies counters should touch only these, as the others occupy no memory.
        """
        if self._filled_at != self.recorded:
            is_used = self.counts != 0  # its ends are found faster than all its indices
            stop = len(is_used) - int(is_used[::-1].argmax())
            self._filled, self._filled_at = slice(int(is_used.argmax()), stop), self.recorded
        return self._filled

    def by_value(self) -> dict[int, int]:
        """Returns the number of samples within the range by their value in µs, ascending: the
        largest value that is counted with theirs."""
        filled = self.filled()
        counts = self.counts[filled]
        used = np.flatnonzero(counts)
        indices = used + (filled.start or 0)
        buckets = np.maximum((indices >> _HALF_BITS) - 1, 0)
        highest = ((indices - (buckets << _HALF_BITS) + 1) << buckets) - 1
        return dict(zip(highest.tolist(), counts[used].tolist(), strict=True))

    def encode(self) -> str:
        """Returns the compressed V2 encoding in base64; it holds the samples within the range."""
        encoder = _encoder()
        np.frombuffer(encoder.counts, np.uint64)[:_LENGTH] = self.counts
        filled = self.filled()
        encoder.set_internal_tacking_values(filled.start or 0, filled.stop - 1, self.recorded)
        encoded: bytes = encoder.encode()
        return encoded.decode("ascii")

    def pack(self) -> Packed:
        """Returns the histogram as a value that can be sent to another process."""
        return Packed(
            self.encode(), self.negative, self.overflow, self.sum_us, self.min_us, self.max_us
        )

    def _update_extremes(self, low: int, high: int) -> None:
        if self.count:
            self.min_us = min(self.min_us, low)
            self.max_us = max(self.max_us, high)
        else:
            self.min_us, self.max_us = low, high


@functools.cache
def _encoder() -> HdrHistogram:
    """Returns an encoder that all histograms share, because each one allocates half a megabyte."""
    return HdrHistogram(1, HIGHEST_US, SIGNIFICANT_DIGITS)


def unpack(packed: Packed) -> Histogram:
    """Returns the histogram that was packed. Raises ValueError if the encoding is damaged."""
    histogram = decode(packed.hdr)
    histogram.negative = packed.negative
    histogram.overflow = packed.overflow
    histogram.sum_us = packed.sum_us
    histogram.min_us = packed.min_us
    histogram.max_us = packed.max_us
    return histogram


def decode(encoded: str) -> Histogram:
    """Returns the histogram of a V2 encoding; its sum and extremes are exact to three digits only.

    Raises ValueError if the encoding is damaged, has a different range or precision, or counts more
    samples than a histogram can. Memory and time are bounded whatever the encoding holds.
    """
    _require_decodable(encoded)
    try:
        decoded = HdrHistogram.decode(encoded.encode("ascii"))
    except Exception as error:
        raise ValueError(f"{_DAMAGED}: {error}") from None
    histogram = Histogram()
    counts = np.frombuffer(decoded.counts, np.uint64)[:_LENGTH]
    filled = np.flatnonzero(counts).tolist()
    if filled:
        if math.fsum(counts[filled].tolist()) > _MOST_SAMPLES:
            raise ValueError("the histogram counts more samples than any run has")
        histogram.counts[filled[0] : filled[-1] + 1] = counts[filled[0] : filled[-1] + 1]
        histogram.recorded = int(counts.sum())
        histogram.sum_us = sum(
            highest_equivalent(index) * int(histogram.counts[index]) for index in filled
        )
        histogram.min_us = highest_equivalent(filled[0])
        histogram.max_us = highest_equivalent(filled[-1])
    # The package creates a reference cycle of a quarter of a megabyte here, which would stay in
    # memory until the next garbage collection; a run decodes several histograms a second.
    decoded.encoder = None
    return histogram


_DAMAGED = "not a histogram in HdrHistogram V2 encoding"
_HEADER = struct.Struct(">IIIIQQd")
"""Cookie, length of the counts, offset, significant digits, lowest and highest value, ratio."""
_ENVELOPE_LENGTH = 8
_MOST_PAYLOAD = _HEADER.size + 9 * _LENGTH
"""Length of the longest payload: a count takes up to nine bytes."""
_MOST_TEXT = 2 * _MOST_PAYLOAD
"""Base64 adds a third, and what cannot be compressed becomes a little longer."""
_MOST_SAMPLES = 1 << 53


def _require_decodable(encoded: str) -> None:
    """Raises ValueError for an encoding that the package would unpack into any amount of memory, or
    read as a histogram of other dimensions."""
    if len(encoded) > _MOST_TEXT:
        raise ValueError(f"{_DAMAGED}: it is {len(encoded)} characters long")
    try:
        packed = base64.b64decode(encoded, validate=True)[_ENVELOPE_LENGTH:]
        unpacker = zlib.decompressobj()
        payload = unpacker.decompress(packed, _MOST_PAYLOAD + 1)
    except (ValueError, zlib.error) as error:
        raise ValueError(f"{_DAMAGED}: {error}") from None
    if not _HEADER.size <= len(payload) <= _MOST_PAYLOAD or not unpacker.eof:
        raise ValueError(f"{_DAMAGED}: its length is wrong")
    _, length, _, digits, _, highest, _ = _HEADER.unpack_from(payload)
    if (highest, digits) != (HIGHEST_US, SIGNIFICANT_DIGITS):
        raise ValueError("the histogram's range or precision is not 1 µs to 1 h at 3 digits")
    if length != len(payload) - _HEADER.size:
        raise ValueError(f"{_DAMAGED}: its length is wrong")


def merged(histograms: Iterable[Histogram]) -> Histogram:
    """Returns a new histogram with the samples of all the given ones."""
    merger = Histogram()
    for histogram in histograms:
        merger.merge(histogram)
    return merger


@functools.lru_cache(16)
def _ends(bounds_us: tuple[int, ...]) -> Integers:
    """The index after that of each bound (n,)."""
    return np.array([_index(bound_us) + 1 for bound_us in bounds_us], np.int64)


def _indices(values: Integers, high: int) -> Integers:
    if high < _SUB_BUCKETS:
        return values
    # frexp is exact here: all values are far below 2^53.
    exponents = np.frexp(values.astype(np.float64))[1].astype(np.int64)
    buckets = np.maximum(exponents - (_HALF_BITS + 1), 0)
    return (buckets << _HALF_BITS) + (values >> buckets)
