"""A run as its monitoring sees it: takes what the live view takes, and exports it."""

import time
from collections.abc import Sequence

from bench.measure.latency_buckets import bounds_with
from bench.measure.progress import Progress
from bench.measure.reports import ProducerReport, WorkerReport
from bench.metrics.exporter import MetricsExporter
from bench.metrics.objectives import limits_us
from bench.metrics.run_metrics import RunView, snapshot_of
from bench.records.run_record import RunRecord
from bench.workload.scenario import Scenario

_PUBLISH_EVERY_S = 0.9
"""Least time between two states that are exported, unless a phase or the verdict is new: on a
machine with few cores each takes time from the tasks, and hardly anybody scrapes more often."""


class RunMonitor:
    """Exports the state of one run. Without an exporter, it does nothing."""

    def __init__(self, exporter: MetricsExporter | None, scenario: Scenario) -> None:
        self._exporter = exporter
        self._scenario = scenario
        self._view: RunView | None = None
        self._phase = ""
        self._next_s = 0.0
        self._record: RunRecord | None = None

    @property
    def bounds_us(self) -> tuple[int, ...]:
        """Bounds of the buckets in which the reports are to carry latencies; none without an
        exporter."""
        if self._exporter is None:
            return ()
        return bounds_with(limits_us(self._scenario.slo))

    def show(
        self,
        progress: Progress,
        producers: Sequence[ProducerReport],
        workers: Sequence[WorkerReport],
    ) -> None:
        """Export the newest state."""
        if self._exporter is None:
            return
        self._view = RunView(
            scenario=self._scenario,
            bounds_us=self.bounds_us,
            progress=progress,
            producers=producers,
            workers=workers,
            record=self._record,
        )
        now_s = time.monotonic()
        is_new = progress.phase != self._phase or self._record is not None
        if is_new or now_s >= self._next_s:
            self._phase, self._next_s = progress.phase, now_s + _PUBLISH_EVERY_S
            self._exporter.publish(snapshot_of(self._view))

    def settle(self, record: RunRecord) -> None:
        """Export the verdict, the objectives and the ledger of the record from now on."""
        self._record = record
        if self._view is not None:
            self.show(self._view.progress, self._view.producers, self._view.workers)
