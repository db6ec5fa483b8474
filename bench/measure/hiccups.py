"""How late a process woke that only sleeps: what the machine adds to latencies of its own accord.

The process sleeps for an interval again and again, and each time its lateness is counted: by how
much it woke after it was due (Gil Tene's jHiccup measures in this way). Whatever keeps a process
from running shows there: others that use its core, an exhausted CPU quota, a hypervisor, a stop.
"""

import heapq
from collections.abc import Iterator, Sequence
from itertools import pairwise

import msgspec
import numpy as np

from bench.arrays import Integers
from bench.measure.histogram import Histogram, Packed

MOST_LONGEST = 5
"""How many of the longest hiccups are kept, each with its moment."""
_MOST_AT_ONCE = 1 << 20
"""Missed wake-ups that are counted in one step: of a stop of minutes there are many."""


class Hiccup(msgspec.Struct, frozen=True):
    """One late wake-up: when it was due, in seconds after the run's start, and how late it came."""

    at_s: float
    late_s: float


class SliceHiccups(msgspec.Struct, frozen=True):
    """The hiccups due in one slice of a run: how late, in µs, and the longest of them."""

    lateness: Packed
    longest: tuple[Hiccup, ...]


class HiccupReport(msgspec.Struct, frozen=True, kw_only=True, tag="hiccups"):
    """Everything that the process has seen, and what it cost."""

    interval_us: int
    slices: tuple[SliceHiccups, ...]
    cpu_s: float
    """CPU time of the process, user and system, while it watched."""
    elapsed_s: float
    """How long it watched."""
    peak_memory_bytes: int


class HiccupRecorder:
    """Counts late wake-ups by the slice of a run's time line that they were due in."""

    def __init__(self, edges_us: Sequence[int], interval_us: int) -> None:
        """``edges_us`` are the ends of all slices but the last, in µs after the run's start."""
        self._edges_us = tuple(edges_us)
        self._interval_us = interval_us
        self._histograms = [Histogram() for _ in range(len(edges_us) + 1)]
        self._longest: list[list[tuple[int, int]]] = [[] for _ in self._histograms]

    def add(self, due_us: Integers, late_us: Integers) -> None:
        """Count wake-ups that were due at these ascending moments (n,), in µs after the run's
        start, and came so much later (n,), in µs. Those due before the start are left out.

        While the process was kept from running it could not sleep again: each further wake-up that
        would have been due by then, an interval after the other, is counted with its own lateness.
        Without that, a stop of 50 ms would be one sample among thousands, however many moments it
        covers (coordinated omission).
        """
        for slice_number, due, late in self._by_slice(due_us, late_us):
            self._histograms[slice_number].record_many(late)
            self._keep_longest(slice_number, due, late)
        is_long = late_us >= self._interval_us
        for due_at_us, late_by_us in zip(
            due_us[is_long].tolist(), late_us[is_long].tolist(), strict=True
        ):
            self._count_missed(due_at_us, late_by_us)

    def slices(self) -> tuple[SliceHiccups, ...]:
        """Returns what was counted so far, by slice."""
        return tuple(
            SliceHiccups(
                histogram.pack(), tuple(Hiccup(due / 1e6, late / 1e6) for late, due in longest)
            )
            for histogram, longest in zip(self._histograms, self._longest, strict=True)
        )

    def _count_missed(self, due_us: int, late_us: int) -> None:
        most = late_us // self._interval_us
        for first in range(1, most + 1, _MOST_AT_ONCE):
            steps = np.arange(first, min(first + _MOST_AT_ONCE, most + 1), dtype=np.int64)
            later_us = steps * self._interval_us
            missed = self._by_slice(due_us + later_us, late_us - later_us)
            for slice_number, _, late in missed:
                self._histograms[slice_number].record_many(late)

    def _by_slice(
        self, due_us: Integers, late_us: Integers
    ) -> Iterator[tuple[int, Integers, Integers]]:
        """Yields each slice that some of the ascending moments are in, with these of them."""
        begins = np.searchsorted(due_us, (0, *self._edges_us)).tolist()
        for slice_number, (begin, end) in enumerate(pairwise([*begins, len(due_us)])):
            if end > begin:
                yield slice_number, due_us[begin:end], late_us[begin:end]

    def _keep_longest(self, slice_number: int, due_us: Integers, late_us: Integers) -> None:
        kept = self._longest[slice_number]
        if len(kept) == MOST_LONGEST:
            is_longer = late_us > kept[-1][0]
            due_us, late_us = due_us[is_longer], late_us[is_longer]
        new = zip(late_us.tolist(), due_us.tolist(), strict=True)
        self._longest[slice_number] = heapq.nlargest(MOST_LONGEST, [*kept, *new])
