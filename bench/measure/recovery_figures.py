"""The figures that a fault can disturb, and when each of them is at its level; pure.

A figure is looked at in windows that slide by ten milliseconds. Windows are long enough for their
number of tasks to be told from chance: a tenth of a second at high rates, more at low ones. Where
in such a window a disturbance ended is found as the place at which the sum of what is missing until
then is the greatest (CUSUM; Page, "Continuous inspection schemes", 1954).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.arrays import Flags, Floats, Integers
from bench.measure.fine_recorder import LatencyBound
from bench.measure.fine_rows import ROW_US
from bench.measure.recovery import HOLD_US, Disturbance
from bench.measure.verdict import unstable_growth

_LEAST_WINDOW = 10
"""Rows of the shortest window."""
_EXPECTED = 80
"""Tasks that a window has at least, on average, at the level."""
_LEAST_WINDOWS = 3
"""How many windows the time must hold from which a level is taken."""
_DEVIATIONS = 5.0
"""Standard deviations that are still taken for chance: once in a million windows."""
_FEWEST_SAMPLES = 5
_LEAST_SAMPLES_ABOVE = 3


@dataclass(frozen=True)
class RateLevel:
    """The level of a rate."""

    ratio: float
    """Events per expected event."""
    window: int
    """Rows of a window."""
    deviation: float
    """Standard deviation of a window's events, as a share of them."""


@dataclass(frozen=True)
class RateFigure:
    """Events per row of ten milliseconds (n,). More of them than before are no disturbance."""

    rows: Integers
    expected: Floats
    """What the schedule asks for in each row (n,), in any unit: the level changes with it."""
    until_us: int

    def level(self, from_us: int, until_us: int) -> RateLevel | None:
        """The rate in this time; None where there were too few events to know it."""
        part = slice(-(-from_us // ROW_US), until_us // ROW_US)
        rows, expected = self.rows[part], self.expected[part]
        window = _window_of(float(rows.mean()) if len(rows) else 0.0, len(rows))
        if window is None or not expected.sum():
            return None
        ratio = float(rows.sum() / expected.sum())
        whole = len(rows) // window * window
        sums, asked = (each[:whole].reshape(-1, window).sum(axis=1) for each in (rows, expected))
        deviation = float(np.std(sums - ratio * asked)) / float(sums.mean())
        return RateLevel(ratio, window, deviation)

    def disturbances(self, level: RateLevel, from_us: int) -> Sequence[Disturbance]:
        """Where the rate is below its level."""
        first = max(from_us // ROW_US - level.window, 0)
        part = slice(first, self.until_us // ROW_US)
        rows, usual = self.rows[part], level.ratio * self.expected[part]
        sums, usual_sums = _sums(rows, level.window), _sums(usual, level.window)
        deviation = np.maximum(np.sqrt(usual_sums), level.deviation * usual_sums)
        least = np.maximum(usual_sums - _DEVIATIONS * deviation, usual_sums >= _EXPECTED / 2)
        found = []
        for begin, end in _stretches(sums < least):
            shares = sums[begin:end] / usual_sums[begin:end]
            excess = (1 + float(shares.min())) / 2 * usual - rows
            found.append(_placed((begin, end, excess), level.window, len(sums), first))
        return found


@dataclass(frozen=True)
class ObjectiveLevel:
    """The level of an objective: it held."""

    per_row: float
    """Tasks of a row, on average."""
    window: int
    """Rows of a window."""


@dataclass(frozen=True)
class ObjectiveFigure:
    """An objective on a latency: tasks, and the total that decides, per row (n,)."""

    bound: LatencyBound
    tasks: Integers
    totals: Integers
    until_us: int

    def level(self, from_us: int, until_us: int) -> ObjectiveLevel | None:
        """Whether the objective held in this time as a whole; None where it did not."""
        part = slice(-(-from_us // ROW_US), until_us // ROW_US)
        tasks, totals = self.tasks[part], self.totals[part]
        per_row = float(tasks.mean()) if len(tasks) else 0.0
        window = _window_of(per_row, len(tasks))
        all_tasks = np.array([tasks.sum()], np.float64)
        if window is None or totals.sum() > self.bound.most(all_tasks)[0]:
            return None
        return ObjectiveLevel(per_row, window)

    def disturbances(self, level: ObjectiveLevel, from_us: int) -> Sequence[Disturbance]:
        """Where more latencies are above the limit than chance explains, or nothing ends at all;
        and then until the objective holds over the next seconds as a whole."""
        first = max(from_us // ROW_US - level.window, 0)
        part = slice(first, self.until_us // ROW_US)
        tasks, totals = self.tasks[part], self.totals[part]
        known = _sums(tasks, level.window)
        most = self.bound.most(known)
        if self.bound.share_above is not None:
            usual = known * self.bound.share_above
            most = usual + _DEVIATIONS * np.sqrt(usual) + 1
        is_missed = (known == 0) | (_sums(totals, level.window) > most)
        # Rows without any task count for little, as there are some of them at low rates, too.
        middle = self._middle()
        excess = np.where(tasks == 0, middle * min(level.per_row, 1) / 4, totals - middle * tasks)
        found = []
        for begin, end in _stretches(is_missed):
            placed = _placed((begin, end, excess), level.window, len(known), first)
            found.append(self._until_held(placed))
        return found

    def _middle(self) -> float:
        """What a task adds to the total in the middle between a disturbance and none."""
        share = self.bound.share_above
        return self.bound.limit_us if share is None else (1 + share) / 2

    def _until_held(self, found: Disturbance) -> Disturbance:
        """The disturbance, up to where the objective holds over the time that it must hold."""
        if found.end_us is None:
            return found
        last, hold = self.until_us // ROW_US, HOLD_US // ROW_US
        for row in range(found.end_us // ROW_US, last):
            until = min(row + hold, last)
            tasks = np.array([self.tasks[row:until].sum()], np.float64)
            if tasks[0] and self.totals[row:until].sum() <= self.bound.most(tasks)[0]:
                return Disturbance(found.begin_us, max(row * ROW_US, found.end_us))
        return Disturbance(found.begin_us, None)


@dataclass(frozen=True)
class BacklogFigure:
    """Pending tasks (n,) in samples at these moments (n,), in µs after the start."""

    at_us: Integers
    pending: Integers
    asked_per_s: float | None

    @property
    def until_us(self) -> int:
        """The moment of the last sample."""
        return int(self.at_us[-1]) if len(self.at_us) else 0

    def level(self, from_us: int, until_us: int) -> float | None:
        """The largest backlog that is usual in this time; None for one that was growing, and with
        too few samples."""
        chosen = (self.at_us >= from_us) & (self.at_us < until_us)
        pending = self.pending[chosen].astype(np.float64)
        if len(pending) < _FEWEST_SAMPLES:
            return None
        row_s = float(np.median(np.diff(self.at_us[chosen]))) / 1e6
        if unstable_growth(pending.tolist(), self.asked_per_s, row_s) is not None:
            return None
        mean = float(pending.mean())
        deviation = max(math.sqrt(mean), float(pending.std()))
        return max(float(pending.max()), mean + _DEVIATIONS * deviation) + 1

    def disturbances(self, level: float, from_us: int) -> Sequence[Disturbance]:
        """Where more tasks were pending in several samples in a row: batches of tasks that come
        together are above it for a moment, and are not there any more in the next sample."""
        first = int(np.searchsorted(self.at_us, from_us))
        at_us = self.at_us[first:]
        return [
            Disturbance(int(at_us[begin]), int(at_us[end]) if end < len(at_us) else None)
            for begin, end in _stretches(self.pending[first:] > level)
            if end - begin >= _LEAST_SAMPLES_ABOVE or end == len(at_us)
        ]


def _window_of(per_row: float, rows: int) -> int | None:
    """Returns the rows of a window at a level; None where there are too few rows or events."""
    if not per_row:
        return None
    window = max(_LEAST_WINDOW, math.ceil(_EXPECTED / per_row))
    return window if window * _LEAST_WINDOWS <= rows else None


def _sums(rows: Integers | Floats, window: int) -> Floats:
    """Returns the sum of each window (n - window + 1,) of the rows (n,)."""
    sums = np.concatenate([np.zeros(1), np.cumsum(rows, dtype=np.float64)])
    found: Floats = sums[window:] - sums[: max(len(sums) - window, 0)]
    return found


def _stretches(flags: Flags) -> list[tuple[int, int]]:
    """Returns where the flags (n,) are set: half-open ranges of indices."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]


def _placed(found: tuple[int, int, Floats], window: int, windows: int, first: int) -> Disturbance:
    """Returns the disturbance that a stretch of windows shows.

    ``found`` has the first window and the one after the last, and for each row (n,) by how much it
    is on the side of the disturbance; there are ``windows`` of them, from the row ``first`` on.
    """
    begin, end, excess = found
    from_begin = np.cumsum(excess[begin : begin + window][::-1])
    begin_row = begin + window - 1 - int(from_begin.argmax())
    if end >= windows:
        return Disturbance((first + begin_row) * ROW_US, None)
    to_end = np.cumsum(excess[end - 1 : end - 1 + window])
    end_row = end + int(to_end.argmax())
    return Disturbance((first + begin_row) * ROW_US, (first + end_row) * ROW_US)
