"""Counts latencies by slices of due time, from which it is computed how sure a figure of them is.

A slice has a coarse histogram: 256 buckets for each doubling of the latency, so a bucket is at
most 0.4% wide. Only buckets that hold samples take memory. There are at most ``MOST_SLICES``
slices; when a run becomes longer than they reach, two neighbours become one, so that memory does
not grow with the length of a run. Every process does so at the same widths, and what several of
them have counted can be added at any time.
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import msgspec
import numpy as np

from bench.arrays import Floats, Integers

BASE_WIDTH_US = 10_000
"""Width of the slices at the beginning of a run."""
MOST_SLICES = 512
MOST_DOUBLINGS = 26
"""How often slices may become twice as wide: they then reach further than a run can last."""
_COUNT_AT = 8192
"""Number of latencies that are counted together."""
_MERGE_AT = 16
"""Number of counted lots that are merged into one."""
_CODE_BITS, _SLICE_BITS = 16, 16
_LAST_SLICE = (1 << 31) - 1
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
    """The slices of one interval, packed to be sent to another process.

    ``keys`` are the differences between ascending keys as 64-bit integers, and ``counts`` 32-bit
    integers, one for each key; both are compressed. A key is a queue index, a slice and a bucket.
    """

    keys: bytes = b""
    counts: bytes = b""


class SlicedLatencies(msgspec.Struct, frozen=True):
    """The latencies of one process by interval; the slices are ``BASE_WIDTH_US`` wide, doubled
    ``doublings`` times."""

    doublings: int = 0
    by_interval: dict[str, SlicedHistograms] = {}


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


class SliceRecorder:
    """Counts latencies by interval, queue index and slice.

    Latencies are kept until many have come together: a lot costs hardly more than one of them.
    """

    def __init__(self, start_us: int) -> None:
        self._start_us = start_us
        self._doublings = 0
        self._waiting: dict[str, list[tuple[Integers, Integers]]] = {}
        self._single: dict[str, list[tuple[int, int]]] = {}
        self._sizes: dict[str, int] = {}
        self._counted: dict[str, list[tuple[Integers, Integers]]] = {}

    def slices_of(self, due_us: Integers) -> Integers:
        """Returns the slices (n,), of the width at the beginning, of these due times (n,)."""
        return np.clip((due_us - self._start_us) // BASE_WIDTH_US, 0, _LAST_SLICE)

    def record(
        self, interval: str, queues: Integers | int, slices: Integers, values_us: Integers
    ) -> None:
        """Records latencies (n,) of tasks of one queue or of queues (n,) in slices (n,). Neither
        array may be changed afterwards."""
        places = slices + (queues << 32) if isinstance(queues, np.ndarray) or queues else slices
        self._waiting.setdefault(interval, []).append((places, values_us))
        size = self._sizes.get(interval, 0) + len(values_us)
        self._sizes[interval] = size
        if size >= _COUNT_AT:
            self._count(interval)

    def record_one(self, interval: str, queue: int, value_us: int, due_us: int) -> None:
        """Records the latency of one task."""
        number = min(max((due_us - self._start_us) // BASE_WIDTH_US, 0), _LAST_SLICE)
        single = self._single.setdefault(interval, [])
        single.append(((queue << 32) + number, value_us))
        if len(single) >= _COUNT_AT:
            self._count(interval)

    def packed(self) -> SlicedLatencies:
        """Returns everything so far, as it is sent to the run's main process."""
        for interval in {*self._waiting, *self._single}:
            self._count(interval)
        for lots in self._counted.values():
            _merge(lots)
        return SlicedLatencies(
            self._doublings,
            {name: _pack(*lots[0]) for name, lots in self._counted.items() if lots},
        )

    def _count(self, interval: str) -> None:
        waiting = self._waiting.pop(interval, [])
        self._sizes[interval] = 0
        if single := self._single.pop(interval, []):
            columns = np.array(single, np.int64)
            waiting.append((columns[:, 0], columns[:, 1]))
        if not waiting:
            return
        places = np.concatenate([each for each, _ in waiting])
        codes = codes_of(np.concatenate([each for _, each in waiting]))
        slices = places & 0xFFFFFFFF
        while int(slices.max()) >> self._doublings >= MOST_SLICES:
            self._doublings += 1
            for lots in self._counted.values():
                lots[:] = [(_widened(keys, 1), counts) for keys, counts in lots]
                _merge(lots)
        slices >>= self._doublings
        keys = (places >> 32 << _SLICE_BITS | slices) << _CODE_BITS | codes
        lots = self._counted.setdefault(interval, [])
        lots.append(_distinct(keys))
        if len(lots) >= _MERGE_AT:
            _merge(lots)


def _distinct(keys: Integers) -> tuple[Integers, Integers]:
    """The different keys, ascending, and how often each comes."""
    keys.sort()
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    return keys[first], np.diff(first, append=len(keys))


def _merge(lots: list[tuple[Integers, Integers]]) -> None:
    """Make one lot of several, in place."""
    if not lots:
        return
    keys = np.concatenate([each for each, _ in lots])
    counts = np.concatenate([each for _, each in lots])
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    lots[:] = [(keys[first], np.add.reduceat(counts[order], first))]


def _widened(keys: Integers, doublings: int) -> Integers:
    """The keys in slices that are twice as wide, ``doublings`` times."""
    codes = keys & ((1 << _CODE_BITS) - 1)
    slices = keys >> _CODE_BITS & ((1 << _SLICE_BITS) - 1)
    queues = keys >> (_CODE_BITS + _SLICE_BITS)
    return (queues << _SLICE_BITS | slices >> doublings) << _CODE_BITS | codes


def _pack(keys: Integers, counts: Integers) -> SlicedHistograms:
    steps = np.diff(keys, prepend=0)
    return SlicedHistograms(
        zlib.compress(steps.astype("<i8").tobytes(), 1),
        zlib.compress(counts.astype("<u4").tobytes(), 1),
    )


_MOST_ENTRIES = 1 << 22
"""Most buckets with samples of one interval that a report of another process may have."""


def _unpack(packed: SlicedHistograms) -> tuple[Integers, Integers]:
    """The keys (n,), ascending, and counts (n,). Raises ValueError where they are damaged."""
    steps = np.frombuffer(_decompressed(packed.keys, 8), "<i8")
    counts = np.frombuffer(_decompressed(packed.counts, 4), "<u4")
    if len(steps) != len(counts) or (len(steps) and (steps[0] < 0 or (steps[1:] <= 0).any())):
        raise ValueError("its slices are damaged")
    keys = np.cumsum(steps, dtype=np.int64)
    if len(keys) and keys[-1] < 0:
        raise ValueError("its slices are damaged")
    return keys, counts.astype(np.int64)


def _decompressed(data: bytes, size: int) -> bytes:
    """At most as many bytes as entries of this size may have. Raises ValueError for others."""
    decompressor = zlib.decompressobj()
    try:
        found = decompressor.decompress(data, size * _MOST_ENTRIES)
    except zlib.error:
        raise ValueError("its slices are damaged") from None
    if not decompressor.eof or len(found) % size:
        raise ValueError("its slices are damaged")
    return found


def require_possible(sliced: SlicedLatencies, queues: int) -> dict[str, int]:
    """Returns the number of latencies by interval.

    Raises ValueError for slices that are damaged, too many, or of queues that there are not.
    """
    if not 0 <= sliced.doublings <= MOST_DOUBLINGS:
        raise ValueError("its slices have a width that cannot be")
    found = {}
    for interval, packed in sliced.by_interval.items():
        keys, counts = _unpack(packed)
        if len(keys) and int(keys[-1]) >> (_CODE_BITS + _SLICE_BITS) >= queues:
            raise ValueError("it has slices of a queue that the run does not have")
        if ((keys >> _CODE_BITS & ((1 << _SLICE_BITS) - 1)) >= MOST_SLICES).any():
            raise ValueError("it has too many slices")
        found[interval] = int(counts.sum())
    return found


def together(
    several: Iterable[SlicedLatencies], interval: str, queues: Sequence[int]
) -> SliceCounts:
    """Returns the slices of several processes, of one interval and the queues with these indices.

    Raises ValueError where they are damaged.
    """
    chosen = list(several)
    doublings = max((each.doublings for each in chosen), default=0)
    slices, codes, counts = [], [], []
    for each in chosen:
        if interval in each.by_interval:
            keys, number = _unpack(each.by_interval[interval])
            is_chosen = np.isin(keys >> (_CODE_BITS + _SLICE_BITS), queues)
            keys, number = keys[is_chosen], number[is_chosen]
            own = keys >> _CODE_BITS & ((1 << _SLICE_BITS) - 1)
            slices.append(own >> (doublings - each.doublings))
            codes.append(keys & ((1 << _CODE_BITS) - 1))
            counts.append(number)
    none = [np.empty(0, np.int64)]
    return SliceCounts(
        BASE_WIDTH_US << doublings,
        np.concatenate(slices or none),
        np.concatenate(codes or none),
        np.concatenate(counts or none),
    )
