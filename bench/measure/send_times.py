"""When tasks were sent, beside when they were due: a sample of bounded size for each producer.

A sample holds every n-th task of the run's one schedule, whichever producer sent it. Which tasks
these are follows from their numbers alone, so the samples of several producers together are one of
the superposition of their sends, which is what the server gets.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from bench.arrays import Flags, Integers
from bench.measure.recorder import BIN_US, LAST_BIN
from bench.workload.scenario import Scenario

BLOCK = 256
"""Points of a sample between which there are none left out."""
MOST_POINTS = 1 << 16
"""Points that the samples of all producers hold at most, and in the end at least half of it."""
_COUNT_FROM = 2048
"""Tasks that are counted together."""
_SPREAD = 2.0
"""Ratio of the standard deviation of the gaps between points to the resolution, at least."""


class SentSample(msgspec.Struct, kw_only=True):
    """The sample of one producer, as it is reported."""

    every: int = 1
    """Every n-th task of the schedule is a point of the sample."""
    level: int = 0
    """Of the blocks of successive points every 2^level-th was kept."""
    resolution_us: int = 0
    """What is due within so many µs may be sent together."""
    points: bytes = b""
    """Numbers of tasks in the schedule (n,), due times (n,) and times of sending (n,) in µs on the
    run's clock, as 64-bit integers, the least significant byte first."""


@dataclass(frozen=True)
class SentPoints:
    """Tasks that were sent: numbers in the schedule (n,), ascending, due times (n,) and times of
    sending (n,) in µs."""

    numbers: Integers
    due_us: Integers
    sent_us: Integers

    def chosen(self, which: Flags | Integers) -> "SentPoints":
        """Returns some of them."""
        return SentPoints(self.numbers[which], self.due_us[which], self.sent_us[which])


def points_every(scenario: Scenario, resolution_us: int) -> int:
    """Returns how many tasks of a schedule are from one point of a sample to the next.

    Random arrivals can only be told from others where their gaps vary by more than the resolution.
    The gap from a task of a Poisson process to the k-th after it has a standard deviation of √k
    mean gaps, so k is such that this is at least twice the resolution at the highest rate. Other
    arrivals are compared with their schedule task by task.
    """
    if scenario.arrivals != "poisson":
        return 1
    resolution = scenario.peak_per_s * resolution_us / 1e6
    return max(math.ceil((_SPREAD * resolution) ** 2), 1)


class SendTimes:
    """Collects the sample of one producer, with a few array operations for many tasks.

    ``producer`` sends every n-th task of the schedule, where n is ``producers``. ``start_us`` is
    the start of the run on its clock.
    """

    def __init__(
        self, producer: int, producers: int, every: int, resolution_us: int, start_us: int
    ) -> None:
        self._producer, self._producers = producer, producers
        self._every, self._resolution_us = every, resolution_us
        self._most = MOST_POINTS // producers
        self._level = 0
        self._kept = 0
        self._pieces: list[Integers] = []
        self._waiting: list[tuple[Integers, Integers, Integers]] = []
        """What is still to be counted: one operation on many tasks costs little more than on few.
        """
        self._waits = 0
        self._start_us = start_us
        self._by_bin = np.zeros(0, np.int64)

    @classmethod
    def of(
        cls, scenario: Scenario, producer: int, resolution_us: int, start_us: int
    ) -> "SendTimes | None":
        """What collects the sample of a producer; None in a closed loop, which has no schedule."""
        if scenario.is_closed_loop:
            return None
        every = points_every(scenario, resolution_us)
        return cls(producer, scenario.producers, every, resolution_us, start_us)

    def count(self, sequence: Integers, due_us: Integers, sent_us: Integers) -> None:
        """Count tasks (n,) by their sequence numbers of this producer, due times and times of
        sending, in µs on the run's clock."""
        self._waiting.append((sequence, due_us, sent_us))
        self._waits += len(sequence)
        if self._waits >= _COUNT_FROM:
            self._count()

    def _count(self) -> None:
        if not self._waiting:
            return
        sequence, due_us, sent_us = (
            np.concatenate(each) for each in zip(*self._waiting, strict=True)
        )
        self._waiting, self._waits = [], 0
        self._count_bins(sent_us)
        piece = np.stack((sequence * self._producers + self._producer, due_us, sent_us))
        if self._every > 1 or self._level:
            piece = piece[:, self._is_point(piece[0])]
        if not piece.shape[1]:
            return
        self._pieces.append(piece)
        self._kept += piece.shape[1]
        while self._kept > max(self._most, BLOCK):
            self._thin()

    def _count_bins(self, sent_us: Integers) -> None:
        bins = np.clip((sent_us - self._start_us) // BIN_US, 0, LAST_BIN)
        more = np.bincount(bins, minlength=len(self._by_bin))
        more[: len(self._by_bin)] += self._by_bin
        self._by_bin = more

    def by_bin(self) -> list[int]:
        """The number of tasks sent in each bin (0.1 s) of the run."""
        self._count()
        counts: list[int] = self._by_bin.tolist()
        return counts

    def sample(self) -> SentSample:
        """The sample so far."""
        self._count()
        return SentSample(
            every=self._every,
            level=self._level,
            resolution_us=self._resolution_us,
            points=b"" if not self._pieces else self._together().astype("<i8").tobytes(),
        )

    def _is_point(self, numbers: Integers) -> Flags:
        is_point: Flags = numbers % self._every == 0
        if self._level:
            is_point &= _is_kept(numbers, self._every, self._level)
        return is_point

    def _thin(self) -> None:
        self._level += 1
        points = self._together()
        kept = points[:, _is_kept(points[0], self._every, self._level)]
        self._pieces, self._kept = [kept], kept.shape[1]

    def _together(self) -> Integers:
        return np.concatenate(self._pieces, axis=1)


def _is_kept(numbers: Integers, every: int, level: int) -> Flags:
    is_kept: Flags = numbers // (every * BLOCK) % (1 << level) == 0
    return is_kept


def unpacked(sample: SentSample) -> SentPoints:
    """Returns the points of one sample. Raises ValueError where it is damaged."""
    if len(sample.points) % 24:
        raise ValueError("its sample of sends is damaged")
    numbers, due_us, sent_us = np.frombuffer(sample.points, "<i8").reshape(3, -1)
    return SentPoints(numbers, due_us, sent_us)


def merged(samples: Sequence[SentSample]) -> SentPoints:
    """Returns the points of all producers of a run, in the order of the schedule.

    The producer that has kept the fewest blocks decides which of them count.
    """
    parts = [unpacked(each) for each in samples]
    points = SentPoints(
        *(
            np.concatenate([np.empty(0, np.int64), *(getattr(each, name) for each in parts)])
            for name in ("numbers", "due_us", "sent_us")
        )
    )
    if samples:
        level, every = max(each.level for each in samples), samples[0].every
        points = points.chosen(_is_kept(points.numbers, every, level))
    return points.chosen(np.argsort(points.numbers, kind="stable"))
