"""Which tasks belong to a run's window, and which to its warm-up: those due in it, however late.

A task counts where it was *due*. One that completes long after the window has ended still counts
in it, so that a slow end of a run cannot hide its own latencies. Where the warm-up ends is known
only after the run, so its first seconds are kept in slices; the window is all slices past the
warm-up (``bench.measure.steady`` finds where that is, ``bench.measure.summary`` merges them).
"""

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from bench.arrays import Integers, distinct, extremes

SLICE_US = 500_000
"""Width of the slices that may turn out to be warm-up."""


class TimeLine(msgspec.Struct, frozen=True):
    """When the run begins on its clock, and the edges (µs after that) between its slices."""

    start_us: int
    edges_us: tuple[int, ...]

    @property
    def slices(self) -> int:
        """Number of slices: one more than edges, as the last one is open-ended."""
        return len(self.edges_us) + 1


def time_line(start_us: int, warmup_s: float | None, most_s: float) -> TimeLine:
    """Returns a time line with slices for the warm-up.

    A warm-up that is given has one slice. One that is still to be found has slices of
    ``SLICE_US`` up to ``most_s`` seconds.
    """
    if warmup_s is not None:
        return TimeLine(start_us, (round(warmup_s * 1e6),) if warmup_s else ())
    slices = int(most_s * 1e6) // SLICE_US
    return TimeLine(start_us, tuple(SLICE_US * number for number in range(1, slices + 1)))


@dataclass(frozen=True)
class SliceMask:
    """The tasks of a batch that belong to a slice."""

    slice: int
    chosen: npt.NDArray[np.bool_] | None = None
    """One flag a task (n,), or None where all of them belong to the slice."""


class Slices:
    """Sorts tasks into the slices of a time line by when they were due."""

    def __init__(self, line: TimeLine) -> None:
        self._start_us = line.start_us
        self._edges_us = line.edges_us
        self._last_edge_us = line.start_us + (line.edges_us[-1] if line.edges_us else 0)
        self._last = len(line.edges_us)
        self._whole = [(SliceMask(number),) for number in range(line.slices)]

    def slice_of(self, due_us: int) -> int:
        """Returns the slice that a task with this due time falls into."""
        return bisect.bisect_right(self._edges_us, due_us - self._start_us)

    def split(self, due_us: Integers) -> Sequence[SliceMask]:
        """Returns the slices that tasks with these due times (n,), at least one, fall into."""
        first_us, last_us = extremes(due_us)
        if first_us >= self._last_edge_us:
            return self._whole[self._last]
        first = bisect.bisect_right(self._edges_us, first_us - self._start_us)
        if first == bisect.bisect_right(self._edges_us, last_us - self._start_us):
            return self._whole[first]
        slices = np.searchsorted(self._edges_us, due_us - self._start_us, side="right")
        return tuple(SliceMask(each, slices == each) for each in distinct(slices))
