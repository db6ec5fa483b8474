"""The looks of a run that ends once its figures are known well enough (``--until``)."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from bench.arrays import Floats
from bench.measure import summary
from bench.measure.interim import LookFigure, percentile_look, rate_look
from bench.measure.latency_cells import LatencyCells
from bench.measure.progress import Progress
from bench.measure.reports import ProducerReport, WorkerReport
from bench.measure.stopping import StoppingRule, UntilLook, UntilResult
from bench.workload.scenario import Scenario
from bench.workload.until import Target, targets_of

_REPORTED_WITHIN_S = 2.0
"""How long after a second its tasks are in the reports of all processes, which send four a second.
What comes later counts at the next look."""


class UntilMonitor:
    """Looks at the figures of one run, from what the reports of its processes hold already."""

    def __init__(self, scenario: Scenario, latencies: Callable[[int, int], LatencyCells]) -> None:
        """``latencies`` returns e2e of the tasks that finished from one second until before
        another one."""
        self._rule = StoppingRule(targets_of(scenario.until))
        self._start_s = math.ceil(scenario.warmup_until_s)
        self._latencies = latencies

    @property
    def is_reached(self) -> bool:
        """Whether the run is to end."""
        return self._rule.is_reached

    @property
    def newest(self) -> tuple[UntilLook, ...]:
        """What the newest look found of each figure; empty before the first one."""
        number = len(self._rule.targets)
        return tuple(self._rule.analyses[-number:]) if number else ()

    def result(self, ended_by: str) -> UntilResult | None:
        """Returns what came of it, for the record; None where nothing was asked for."""
        if not self._rule.targets:
            return None
        asked = [each.expression for each in self._rule.targets]
        return UntilResult(asked=asked, ended_by=ended_by, analyses=list(self._rule.analyses))

    def note(
        self,
        progress: Progress,
        producers: Sequence[ProducerReport],
        workers: Sequence[WorkerReport],
    ) -> None:
        """Look, if that is due; to be called with each progress of the run."""
        if not self._rule.targets or self.is_reached or progress.phase != "enqueueing":
            return
        stop = self._start_s + self._rule.next_s
        if progress.elapsed_s < stop + _REPORTED_WITHIN_S:
            return
        cells = self._latencies(self._start_s, stop)
        figures = {
            each.expression: self._figure(each, cells, producers, workers)
            for each in self._rule.targets
        }
        self._rule.note(progress.elapsed_s, stop - self._start_s, figures)

    def _figure(
        self,
        target: Target,
        cells: LatencyCells,
        producers: Sequence[ProducerReport],
        workers: Sequence[WorkerReport],
    ) -> LookFigure:
        largest = self._rule.largest_effect(target)
        if target.metric.percent is not None:
            return percentile_look(cells, target.metric.percent, largest)
        if target.metric.subject.name == "enqueue.rate":
            events = summary.add_bins([each.enqueued_by_bin for each in producers])
        else:
            events = summary.add_bins([each.finished_by_bin for each in workers])
        if target.metric.subject.name == "completed.rate":
            failed = summary.add_bins([each.failed_by_bin for each in workers])
            events = summary.subtract_bins(events, failed)
        return rate_look(self._per_second(events, cells.seconds), largest)

    def _per_second(self, bins: Sequence[int], seconds: int) -> Floats:
        """The events of each second of the window (seconds,)."""
        found = summary.per_second(bins, self._start_s + seconds)[self._start_s :]
        return np.array(found, np.float64)
