"""How backlog and latency go over the time of a run, in a few points, from exact histograms."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bench.measure.histogram import Histogram, Packed, merged, unpack
from bench.measure.latency_cells import LatencyCells, LatencySeconds
from bench.measure.report_checks import SECONDS_SHOWN
from bench.measure.reports import WorkerReport

MOST_POINTS = 72
"""Beyond that, each two points become one of twice the length."""
_SECONDS_KEPT = 1024
"""Decoded histograms: those of the last seconds of as many workers as a run may have."""
_OUT_OF_ORDER_S = 10
"""How far a worker's seconds may be out of order."""

unpacked = lru_cache(_SECONDS_KEPT)(unpack)
"""Returns a histogram that was packed, which must not be changed. Cached, because the next reports
repeat the same seconds, and decoding takes milliseconds."""


@dataclass(frozen=True)
class TrendPoint:
    """The backlog and the latency of a run in some consecutive seconds."""

    backlog: int | None
    """The largest number of pending tasks in any sample; None without a sample."""
    p99_s: float | None
    """p99 of e2e of the tasks that finished in these seconds; None where none did."""


@dataclass(frozen=True)
class RunTrend:
    """The points of a run so far, each of ``step_s`` seconds, from its start."""

    step_s: int = 1
    points: tuple[TrendPoint, ...] = ()


class TrendRecorder:
    """Keeps the points of one run; what a point holds is merged, and never averaged.

    A second of a worker counts as soon as its report has it, and is settled a few seconds later,
    as the worker may still add to it until then.
    """

    def __init__(self, counted_from_s: float = 0.0, *, keeps_seconds: bool = False) -> None:
        self._counted_from_s = counted_from_s
        self._seconds = LatencySeconds() if keeps_seconds else None
        """The settled seconds, where all of them are kept."""
        self._step_s = 1
        self._now_s = 0
        self._backlog: list[int | None] = []
        self._settled: list[Histogram] = []
        """e2e of each point, of the seconds that are settled."""
        self._p99_s: list[float | None] = []
        self._settled_until: dict[str, int] = {}
        """The last settled second of each worker, by its name."""
        self._open: dict[tuple[str, int], Packed] = {}
        """The seconds of each worker that are not settled."""
        self._settled_total = Histogram()
        self._total = Histogram()

    @property
    def trend(self) -> RunTrend:
        """The points so far."""
        pairs = zip(self._backlog, self._p99_s, strict=True)
        return RunTrend(self._step_s, tuple(TrendPoint(*pair) for pair in pairs))

    @property
    def total(self) -> Histogram:
        """e2e of all tasks that finished in the seconds from ``counted_from_s`` on; it must not be
        changed."""
        return self._total

    def latencies(self, start: int, stop: int) -> LatencyCells:
        """Returns e2e of all tasks that finished in the seconds from ``start`` until before
        ``stop``, as far as reports have them; for a recorder that keeps seconds."""
        not_settled: dict[int, list[Histogram]] = {}
        for second, histogram in self._open_seconds():
            not_settled.setdefault(second, []).append(histogram)
        return (self._seconds or LatencySeconds()).window(start, stop, not_settled)

    def note(self, elapsed_s: float, backlog: int, workers: Sequence[WorkerReport]) -> None:
        """Take in the newest reports, and the number of pending tasks at this moment."""
        self._now_s = max(int(elapsed_s), self._now_s)
        point = self._point_of(self._now_s)
        self._backlog[point] = max(self._backlog[point] or 0, backlog)
        before, self._open = self._open, {}
        earlier: dict[str, dict[int, Packed]] = {}
        for (name, second), packed in before.items():
            earlier.setdefault(name, {})[second] = packed
        changed = {
            second
            for worker in workers
            for second in self._note_seconds(worker, earlier.get(worker.name, {}))
        }
        changed |= {second for (_, second), _ in before.items() ^ self._open.items()}
        if not changed:
            return
        for each in {self._point_of(second) for second in changed if self._is_past(second)}:
            self._p99_s[each] = self._p99_of(each)
        counted = [each for second, each in self._open_seconds() if self._is_counted(second)]
        self._total = merged([self._settled_total, *counted])

    def _note_seconds(self, worker: WorkerReport, earlier: Mapping[int, Packed]) -> set[int]:
        """Take in the seconds of a worker that are not settled, and return those that are now.

        ``earlier`` has those that earlier reports had: a report from another host has the last few.
        """
        until = self._settled_until.get(worker.name, -1)
        found = {**earlier, **dict(_later_than(until, worker))}
        last_settled = max(found, default=0) - SECONDS_SHOWN
        settled = {second for second in found if second <= last_settled}
        for second, packed in found.items():
            if second not in settled:
                self._open[worker.name, second] = packed
                continue
            if self._seconds is not None:
                self._seconds.add(second, unpacked(packed))
            if self._is_past(second):
                self._settled[self._point_of(second)].merge(unpacked(packed))
            if self._is_counted(second):
                self._settled_total.merge(unpacked(packed))
        self._settled_until[worker.name] = max(settled, default=until)
        return settled

    def _p99_of(self, point: int) -> float | None:
        first = point * self._step_s
        seconds = range(first, min(first + self._step_s, self._now_s + 1))
        parts = [each for second, each in self._open_seconds() if second in seconds]
        value_us = merged([self._settled[point], *parts]).percentile_us(99)
        return None if value_us is None else value_us / 1e6

    def _open_seconds(self) -> Iterator[tuple[int, Histogram]]:
        return ((second, unpacked(packed)) for (_, second), packed in self._open.items())

    def _is_counted(self, second: int) -> bool:
        return second >= self._counted_from_s

    def _is_past(self, second: int) -> bool:
        """Whether a second has begun: one that is still to come, by a faulty clock elsewhere, has
        no point."""
        return second <= self._now_s

    def _point_of(self, second: int) -> int:
        """The index of the point that holds a second, which is there from now on."""
        while second // self._step_s >= MOST_POINTS:
            self._halve()
        point = second // self._step_s
        missing = point + 1 - len(self._backlog)
        self._backlog += [None] * missing
        self._p99_s += [None] * missing
        self._settled += [Histogram() for _ in range(missing)]
        return point

    def _halve(self) -> None:
        self._step_s *= 2
        pairs = range(0, len(self._backlog), 2)
        known = [[each for each in self._backlog[i : i + 2] if each is not None] for i in pairs]
        self._backlog = [max(each, default=None) for each in known]
        self._settled = [merged(self._settled[i : i + 2]) for i in pairs]
        self._p99_s = [self._p99_of(point) for point in range(len(self._settled))]


def _later_than(until: int, worker: WorkerReport) -> Iterator[tuple[int, Packed]]:
    """Yields the worker's seconds after ``until``; a report of a long run has thousands."""
    for second in reversed(worker.e2e_by_second):
        if second <= until - _OUT_OF_ORDER_S:
            return
        if second > until:
            yield second, worker.e2e_by_second[second]
