"""What the progress of a run shows beyond its newest reports: what has been since its start."""

import math
from collections.abc import Sequence
from dataclasses import replace

from bench.measure.objectives_so_far import (
    MeasuredSoFar,
    ObjectiveSoFar,
    objectives_so_far,
)
from bench.measure.progress import Progress
from bench.measure.reports import ProducerReport, WorkerReport
from bench.measure.trend import RunTrend, TrendRecorder
from bench.measure.verdict import unstable_growth
from bench.run.until_monitor import UntilMonitor
from bench.workload.scenario import Scenario

_REPORT_AGE_S = 0.25
"""How old the newest report of a process may be."""


class LiveFigures:
    """Follows one run from its start."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._warmup_until_s = scenario.warmup_until_s
        self._left_out_s = scenario.warmup_s or 0.0
        self._recorder = TrendRecorder(self._left_out_s, keeps_seconds=bool(scenario.until))
        self.until = UntilMonitor(scenario, self._recorder.latencies)
        self._grows_per_s: float | None = None
        self._was_behind = False
        self._enqueued_until_s: float | None = None

    def extended(
        self,
        progress: Progress,
        producers: Sequence[ProducerReport],
        workers: Sequence[WorkerReport],
    ) -> Progress:
        """Returns the progress with the trend, the objectives and what decides over the verdict.

        To be called with each progress of the run, and the reports that it was made of.
        """
        self._recorder.note(progress.elapsed_s, sum(progress.backlog.values()), workers)
        self.until.note(progress, producers, workers)
        trend = self._recorder.trend
        if progress.phase == "enqueueing":
            self._note_load(progress, trend)
        elif self._enqueued_until_s is None:
            self._enqueued_until_s = progress.elapsed_s
        return replace(
            progress,
            warmup_until_s=self._warmup_until_s,
            trend=trend,
            objectives=self._objectives(progress, producers, workers),
            grows_per_s=self._grows_per_s,
            was_behind=self._was_behind,
            analyses=self.until.newest,
        )

    def _note_load(self, progress: Progress, trend: RunTrend) -> None:
        """Note what of the load so far makes a run invalid: lateness, and a growing backlog."""
        if progress.elapsed_s < self._warmup_until_s:
            return
        self._was_behind = self._was_behind or progress.behind is not None
        if not self._scenario.has_workers or self._scenario.worker_start != "with-run":
            return
        first = math.ceil(self._warmup_until_s / trend.step_s)
        rows = [each.backlog for each in trend.points[first:] if each.backlog is not None]
        self._grows_per_s = unstable_growth(rows, self._scenario.asked_per_s, trend.step_s)

    def _objectives(
        self,
        progress: Progress,
        producers: Sequence[ProducerReport],
        workers: Sequence[WorkerReport],
    ) -> tuple[ObjectiveSoFar, ...]:
        if not self._scenario.slo:
            return ()
        now_s = progress.elapsed_s - _REPORT_AGE_S
        ended_s = self._enqueued_until_s
        measured = MeasuredSoFar(
            queues=list(self._scenario.queues),
            e2e=self._recorder.total,
            producers=producers,
            workers=workers,
            start_s=self._left_out_s,
            end_s=now_s if ended_s is None else min(now_s, ended_s),
            is_filled_first=self._scenario.worker_start == "after-fill",
        )
        return objectives_so_far(self._scenario.slo, measured)
