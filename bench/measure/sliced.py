"""Counts latencies by slices of due time, from which it is computed how sure a figure of them is.

A slice has a coarse histogram: 256 buckets for each doubling of the latency, so a bucket is at
most 0.4% wide. Only buckets that hold samples take memory. There are at most ``MOST_SLICES``
slices; when a run becomes longer than they reach, two neighbours become one, so that memory does
not grow with the length of a run. Every process does so at the same widths, and what several of
them have counted can be added at any time.
"""

import zlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import msgspec
import numpy as np

from bench.arrays import Floats, Integers

BASE_WIDTH_US = 5_000
"""Width of the slices at the beginning of a run."""
MOST_SLICES = 1024
"""Four times as many as the parts into which a window is divided: where a run has just become
longer than its slices reached, half of them are left, and a warm-up may take half of these."""
MOST_DOUBLINGS = 27
"""How often slices may become twice as wide: they then reach further than a run can last."""
_COUNT_AT = 8192
"""Number of latencies that are counted together, and most buckets of a lot that is merged."""
_CODE_BITS, _SLICE_BITS = 14, 10
_KEY_BITS = _CODE_BITS + _SLICE_BITS
_SLICES = (1 << _SLICE_BITS) - 1
_LAST_SLICE = (1 << 31) - 1
_PER_QUEUE = 1 << 44
"""Distance between the numbers of the same slice of two queues, before they are counted."""
_MANTISSA_BITS = 8
_BELOW_ONE = 1022 << _MANTISSA_BITS
"""The code of 0.5 before it is shifted, so that 0 has the code 0 and 1 the code 256."""


def codes_of(values_us: Integers) -> Integers:
    """Returns the numbers (n,) of the buckets of these latencies (n,) in µs, ascending with them.

    A bucket's number is the exponent and the first eight bits of the value as a floating-point
    number. Negative latencies are counted with zero, the least of all.
    """
    bits = np.maximum(values_us, 0).astype(np.float64).view(np.int64)
    return cast(Integers, np.maximum((bits >> (52 - _MANTISSA_BITS)) - _BELOW_ONE, 0))


class SlicedHistograms(msgspec.Struct, frozen=True):
    """The slices of one interval and queue index, packed to be sent to another process.

    ``keys`` are 32-bit integers, each a slice and a bucket, and ``counts`` as many 32-bit integers,
    which are compressed, because most of them are one. A key may come several times.
    """

    interval: str
    queue: int
    keys: bytes
    counts: bytes


class SlicedLatencies(msgspec.Struct, frozen=True):
    """The latencies of one process; the slices are ``BASE_WIDTH_US`` wide, doubled ``doublings``
    times."""

    doublings: int = 0
    parts: list[SlicedHistograms] = []


@dataclass(frozen=True)
class SliceCounts:
    """How many latencies of an interval and a queue lie in each bucket of each slice: three arrays
    (n,). A slice and a bucket may come several times."""

    width_us: int
    slices: Integers
    codes: Integers
    counts: Integers

    def totals(self, slices: int) -> Floats:
        """Returns the number of latencies in each of the first slices (slices,)."""
        return self._in_slices(np.ones(len(self.codes), np.bool_), slices)

    def at_least(self, code: int, slices: int) -> Floats:
        """Returns the number of latencies in this bucket and above in each of the first slices
        (slices,)."""
        return self._in_slices(self.codes >= code, slices)

    def _in_slices(self, chosen: np.typing.NDArray[np.bool_], slices: int) -> Floats:
        chosen = chosen & (self.slices < slices)
        found = np.bincount(self.slices[chosen], self.counts[chosen], minlength=slices)
        return cast(Floats, found)


@dataclass(frozen=True)
class _Lot:
    """The different keys (n,), ascending, of latencies that were counted together, and how often
    each comes. A key is a queue index, a slice and a bucket."""

    doublings: int
    keys: Integers
    counts: Integers

    def widened(self, doublings: int) -> Integers:
        """The keys (n,), in slices of the width after so many doublings."""
        if doublings == self.doublings:
            return self.keys
        slices = self.keys >> _CODE_BITS & _SLICES
        wider = slices >> (doublings - self.doublings)
        return self.keys + ((wider - slices) << _CODE_BITS)


class SliceRecorder:
    """Counts latencies by interval, queue index and slice.

    Latencies are kept until many have come together: a lot costs hardly more than one of them.
    What was counted is merged only in small lots, because a long pause would delay tasks.
    """

    def __init__(self, start_us: int) -> None:
        self._start_us = start_us
        self._doublings = 0
        self._waiting: dict[str, list[tuple[Integers, Integers]]] = {}
        self._single: dict[str, list[tuple[int, int]]] = {}
        self._sizes: dict[str, int] = {}
        self._lots: dict[str, list[_Lot]] = {}

    def slices_of(self, due_us: Integers) -> Integers:
        """Returns the slices (n,), of the width at the beginning, of these due times (n,)."""
        return (due_us - self._start_us) // BASE_WIDTH_US

    def record(
        self, interval: str, queues: Integers | int, slices: Integers, values_us: Integers
    ) -> None:
        """Records latencies (n,) of tasks of one queue or of queues (n,) in slices (n,). Neither
        array may be changed afterwards."""
        places = _places(queues, slices)
        self._waiting.setdefault(interval, []).append((places, values_us))
        size = self._sizes.get(interval, 0) + len(values_us)
        self._sizes[interval] = size
        if size >= _COUNT_AT:
            self._count(interval)

    def record_one(self, interval: str, queue: int, value_us: int, due_us: int) -> None:
        """Records the latency of one task."""
        number = (due_us - self._start_us) // BASE_WIDTH_US
        single = self._single.setdefault(interval, [])
        single.append((queue * _PER_QUEUE + number, value_us))
        if len(single) >= _COUNT_AT:
            self._count(interval)

    def packed(self) -> SlicedLatencies:
        """Returns everything so far, as it is sent to the run's main process."""
        for interval in {*self._waiting, *self._single}:
            self._count(interval)
        parts = [
            part
            for interval, lots in self._lots.items()
            for part in _packed(interval, lots, self._doublings)
        ]
        return SlicedLatencies(self._doublings, parts)

    def _count(self, interval: str) -> None:
        waiting = self._waiting.pop(interval, [])
        self._sizes[interval] = 0
        if single := self._single.pop(interval, []):
            columns = np.array(single, np.int64)
            waiting.append((columns[:, 0], columns[:, 1]))
        places = np.concatenate([each for each, _ in waiting])
        codes = codes_of(np.concatenate([each for _, each in waiting]))
        queues = (places + _PER_QUEUE // 2) // _PER_QUEUE
        slices = np.clip(places - queues * _PER_QUEUE, 0, _LAST_SLICE)
        while int(slices.max()) >> self._doublings >= MOST_SLICES:
            self._doublings += 1
        slices >>= self._doublings
        keys = (queues << _SLICE_BITS | slices) << _CODE_BITS | codes
        lots = self._lots.setdefault(interval, [])
        lots.append(_Lot(self._doublings, *_distinct(keys)))
        while len(lots) > 1 and len(lots[-1].keys) + len(lots[-2].keys) <= _COUNT_AT:
            lots[-2:] = [_merged(lots[-2:], self._doublings)]


def _places(queues: Integers | int, slices: Integers) -> Integers:
    """A queue and a slice, which is perhaps negative or too high, as one number (n,)."""
    if isinstance(queues, int):
        return slices + queues * _PER_QUEUE if queues else slices
    return slices + queues * _PER_QUEUE


def _distinct(keys: Integers) -> tuple[Integers, Integers]:
    """The different keys, ascending, and how often each comes."""
    if int(keys.max()) < 1 << 32:  # as good as always; sorting then takes half the time
        keys = keys.astype(np.uint32)
    keys.sort()
    ends = np.append(np.flatnonzero(keys[1:] != keys[:-1]) + 1, len(keys))
    counts = ends.copy()
    counts[1:] -= ends[:-1]
    return keys[ends - 1].astype(np.int64), counts


def _merged(lots: Sequence[_Lot], doublings: int) -> _Lot:
    keys = np.concatenate([each.widened(doublings) for each in lots])
    counts = np.concatenate([each.counts for each in lots])
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    first = np.append(0, np.flatnonzero(keys[1:] != keys[:-1]) + 1)
    return _Lot(doublings, keys[first], np.add.reduceat(counts[order], first))


def _packed(interval: str, lots: Sequence[_Lot], doublings: int) -> Iterable[SlicedHistograms]:
    keys = np.concatenate([each.widened(doublings) for each in lots])
    counts = np.concatenate([each.counts for each in lots])
    queues = keys >> _KEY_BITS
    for queue in range(int(queues.max()) + 1):
        is_own = queues == queue
        if is_own.any():
            own = keys[is_own] & ((1 << _KEY_BITS) - 1)
            yield SlicedHistograms(
                interval,
                queue,
                own.astype("<u4").tobytes(),
                zlib.compress(counts[is_own].astype("<u4").tobytes(), 1),
            )


def _unpacked(packed: SlicedHistograms) -> tuple[Integers, Integers]:
    """The keys (n,) and counts (n,). Raises ValueError where they are damaged."""
    decompressor = zlib.decompressobj()
    try:
        counts = decompressor.decompress(packed.counts, len(packed.keys) + 1)
    except zlib.error:
        counts = b""
    if len(counts) != len(packed.keys) or len(packed.keys) % 4 or not decompressor.eof:
        raise ValueError("its slices are damaged")
    keys = np.frombuffer(packed.keys, "<u4").astype(np.int64)
    return keys, np.frombuffer(counts, "<u4").astype(np.int64)


def require_possible(sliced: SlicedLatencies, queues: int) -> dict[str, int]:
    """Returns the number of latencies by interval.

    Raises ValueError for slices that are damaged, too many, or of queues that there are not.
    """
    if not 0 <= sliced.doublings <= MOST_DOUBLINGS:
        raise ValueError("its slices have a width that cannot be")
    found: dict[str, int] = {}
    for part in sliced.parts:
        if not 0 <= part.queue < queues:
            raise ValueError("it has slices of a queue that the run does not have")
        keys, counts = _unpacked(part)
        if len(keys) and int(keys.max()) >> _CODE_BITS >= MOST_SLICES:
            raise ValueError("it has too many slices")
        found[part.interval] = found.get(part.interval, 0) + int(counts.sum())
    return found


def together(
    several: Iterable[SlicedLatencies], interval: str, queues: Collection[int]
) -> SliceCounts:
    """Returns the slices of several processes, of one interval and the queues with these indices.

    Raises ValueError where they are damaged.
    """
    chosen = list(several)
    doublings = max((each.doublings for each in chosen), default=0)
    slices, codes, counts = [], [], []
    for each in chosen:
        for part in each.parts:
            if part.interval == interval and part.queue in queues:
                keys, number = _unpacked(part)
                slices.append(keys >> (_CODE_BITS + doublings - each.doublings))
                codes.append(keys & ((1 << _CODE_BITS) - 1))
                counts.append(number)
    none = [np.empty(0, np.int64)]
    return SliceCounts(
        BASE_WIDTH_US << doublings,
        np.concatenate(slices or none),
        np.concatenate(codes or none),
        np.concatenate(counts or none),
    )
