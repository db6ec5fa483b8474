"""How long each fault interrupted a run, and when its figures were back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.arrays import Floats, Integers
from bench.measure import summary
from bench.measure.faults import InjectedFault
from bench.measure.fine_recorder import FineRows, latency_bounds
from bench.measure.fine_rows import ROW_US, PackedRows, added_rows
from bench.measure.gaps import Gap, longest_gap
from bench.measure.recorder import BIN_US, Interval
from bench.measure.recovery import FaultSpan, Recovery, recoveries
from bench.measure.recovery_figures import BacklogFigure, ObjectiveFigure, RateFigure
from bench.measure.reports import WorkerReport
from bench.run.collected import CollectedRun
from bench.run.figures.rates import Window
from bench.workload.faults import FaultKind

ENQUEUE_RATE, COMPLETION_RATE, BACKLOG = "enqueue rate", "completion rate", "backlog"
_OF_PRODUCERS = (Interval.SCHEDULE_LAG, Interval.ENQUEUE)


@dataclass(frozen=True)
class FaultTimes:
    """What one fault did over time."""

    enqueue_gap: Gap | None = None
    """None where nothing is known of it."""
    completion_gap: Gap | None = None
    recovered: Mapping[str, Recovery] = field(default_factory=dict)
    """By the figure: ``ENQUEUE_RATE``, ``COMPLETION_RATE``, ``BACKLOG``, and objectives."""


def times_of(run: CollectedRun, window: Window) -> list[FaultTimes]:
    """What each fault did; nothing of one that did not begin."""
    began = [each for each in run.faults if each.began_us is not None]
    spans = [FaultSpan(each.began_us or 0, each.ended_us) for each in began]
    known = _Rows(run, round(window.end_s * 1e6))
    start_us = round(window.start_s * 1e6)
    figures = {
        name: recoveries(spans, figure, start_us) for name, figure in known.rate_figures().items()
    }
    if (backlog := known.backlog_figure()) is not None:
        figures[BACKLOG] = recoveries(spans, backlog, start_us)
    for each in known.objective_figures():
        figures[each.bound.expression] = recoveries(spans, each, start_us)
    of_began = iter(
        FaultTimes(
            known.enqueue_gap(span),
            known.completion_gap(span),
            {name: found[number] for name, found in figures.items()},
        )
        for number, span in enumerate(spans)
    )
    return [FaultTimes() if each.began_us is None else next(of_began) for each in run.faults]


class _Rows:
    """The rows of all processes of a run together."""

    def __init__(self, run: CollectedRun, enqueued_until_us: int) -> None:
        self._run = run
        self._until_us = enqueued_until_us
        self._length = int(run.duration_s * 1e6) // ROW_US + 1
        self._producers = _fine(report.fine for report in run.producers)
        self._measuring = _measuring(run)
        self._workers = _fine(report.fine for report in self._measuring)
        self._acknowledged = self._events(self._producers, "acknowledged")
        self._finished = self._events(self._workers, "finished")
        self._served_until_us = enqueued_until_us
        if run.scenario.worker_start == "after-fill" and self._finished is not None:
            filled = np.flatnonzero(self._finished)
            self._served_until_us = int(filled[-1]) * ROW_US if len(filled) else 0

    def _events(self, parts: Sequence[FineRows] | None, event: str) -> Integers | None:
        """Events per row (n,) of all processes; None where one of them has no rows."""
        return None if parts is None else self._added([each.events.get(event) for each in parts])

    def _added(self, parts: Sequence[PackedRows | None]) -> Integers:
        return added_rows([each for each in parts if each is not None], self._length)

    def rate_figures(self) -> Mapping[str, RateFigure]:
        """The rates that the run has."""
        found = {}
        expected = self._expected()
        if self._acknowledged is not None:
            found[ENQUEUE_RATE] = RateFigure(self._acknowledged, expected, self._until_us)
        if self._finished is not None and self._run.scenario.has_workers:
            is_filled_first = self._run.scenario.worker_start == "after-fill"
            steady = np.ones(self._length) if is_filled_first else expected
            found[COMPLETION_RATE] = RateFigure(self._finished, steady, self._served_until_us)
        return found

    def _expected(self) -> Floats:
        """What the schedule asks for in each row (n,): a rate that changes is known by what fell
        due in each tenth of a second."""
        scenario = self._run.scenario
        if not (scenario.stages or scenario.trace):
            return np.ones(self._length)
        bins = summary.add_bins([report.offered_by_bin for report in self._run.producers])
        rows = np.repeat(np.array(bins, np.float64), BIN_US // ROW_US)[: self._length]
        return np.concatenate([rows, np.zeros(self._length - len(rows))])

    def backlog_figure(self) -> BacklogFigure | None:
        """The backlog; None where it is not kept at a level, as nobody serves the queues then."""
        scenario = self._run.scenario
        if not scenario.has_workers or scenario.worker_start != "with-run":
            return None
        samples = np.array(self._run.backlogs, np.int64).reshape(-1, 2)
        return BacklogFigure(samples[:, 0], samples[:, 1], scenario.asked_per_s)

    def objective_figures(self) -> list[ObjectiveFigure]:
        """The objectives on latencies that somebody measures."""
        found = []
        for bound in latency_bounds(self._run.scenario.slo):
            is_producers = bound.interval in _OF_PRODUCERS
            parts = self._producers if is_producers else self._workers
            if parts is None or not (is_producers or self._run.scenario.has_workers):
                continue
            tasks = self._added([each.tasks.get(bound.expression) for each in parts])
            totals = self._added([each.totals.get(bound.expression) for each in parts])
            until_us = self._until_us if is_producers else self._served_until_us
            found.append(ObjectiveFigure(bound, tasks, totals, until_us))
        return found

    def enqueue_gap(self, span: FaultSpan) -> Gap | None:
        """The longest time without an acknowledgement; None where nothing is known of it."""
        if self._acknowledged is None:
            return None
        return longest_gap(self._acknowledged, span, self._until_us)

    def completion_gap(self, span: FaultSpan) -> Gap | None:
        """The longest time without a completion; None where nothing is known of it."""
        if self._finished is None or not self._run.scenario.has_workers:
            return None
        unknown = [
            stretch
            for report in self._measuring
            if (stretch := self._unreported(report)) is not None
        ]
        return longest_gap(self._finished, span, self._served_until_us, unknown)

    def _unreported(self, report: WorkerReport) -> tuple[int, int] | None:
        """The time from a worker's last report to its death; None where it sent its final one."""
        if report.final:
            return None
        made_us = report.made_us - self._run.line.start_us
        kills = [
            each.began_us
            for each in self._run.faults
            if _kills_workers(each) and each.began_us is not None and each.began_us >= made_us
        ]
        return made_us, min(kills, default=round(self._run.duration_s * 1e6))


def _measuring(run: CollectedRun) -> list[WorkerReport]:
    """The reports that say when tasks ended: those of workers, or that of the observer where the
    run only knows of its workers what they used."""
    if not run.scenario.is_observed:
        return list(run.workers)
    return [report for report in run.workers if report.observed is not None]


def _kills_workers(fault: InjectedFault) -> bool:
    return fault.fault.of_worker and fault.fault.kind is FaultKind.KILL


def _fine(parts: Iterable[FineRows | None]) -> list[FineRows] | None:
    """The rows of all processes; None where there is no process, or one of them has none."""
    every = list(parts)
    found = [each for each in every if each is not None]
    return found if found and len(found) == len(every) else None
