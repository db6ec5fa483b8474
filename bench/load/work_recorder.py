"""Follows the tasks of one run through one worker, from started to finished."""

from dataclasses import dataclass
from enum import Enum, auto

import numpy as np

from bench.measure.ledger import WorkerLedger
from bench.measure.recorder import (
    Events,
    Fine,
    SecondLatencies,
    Stage,
    StageRecorder,
    TimeLine,
)
from bench.measure.reports import Measured, WorkerReport
from bench.wire.columns import IdColumns, Integers, StampColumns


class Outcome(Enum):
    """How an attempt at a task ended."""

    COMPLETED = auto()
    RETRIED = auto()
    ARCHIVED = auto()


@dataclass(frozen=True)
class Attempts:
    """Attempts (n,) at tasks of one queue. Times are absolute, in µs on the run's clock."""

    queue: str
    ids: IdColumns
    stamps: StampColumns
    started_us: Integers
    retry: Integers
    """Attempts made at each task before this one."""

    def __len__(self) -> int:
        return len(self.started_us)

    def only(self, chosen: Integers) -> "Attempts":
        """Some of them, by index."""
        return Attempts(
            self.queue,
            IdColumns(self.ids.producer[chosen], self.ids.sequence[chosen]),
            StampColumns(self.stamps.due_us[chosen], self.stamps.sent_us[chosen]),
            self.started_us[chosen],
            self.retry[chosen],
        )


class WorkRecorder:
    """Histograms, series and the ledger of one worker for one run.

    Tasks that are not of the run are passed over: they were somebody else's.
    """

    def __init__(self, line: TimeLine, queues: list[str]) -> None:
        self._start_us = line.start_us
        self._queue_index = {queue: index for index, queue in enumerate(queues)}
        self._stages = StageRecorder(line)
        self._fine = Fine()
        self._started = Events()
        self._finished = Events()
        self._latencies = SecondLatencies()
        self._ledger = WorkerLedger()
        self._started_count = 0
        self._completed = 0
        self._failed = 0
        self._missing = 0

    def started(self, count: int, now_us: int) -> None:
        """Tasks of the run were taken."""
        self._started_count += count
        self._started.add(now_us - self._start_us, count)

    def missing(self, count: int) -> None:
        """Ids of the run were popped that had no task behind them."""
        self._missing += count

    def ended(self, attempts: Attempts, outcome: Outcome, finished_us: int) -> None:
        """The last command of these attempts was acknowledged."""
        if not attempts.ids.all_ours:
            attempts = attempts.only(np.flatnonzero(attempts.ids.producer >= 0))
        index = self._queue_index.get(attempts.queue)
        if index is None or not len(attempts):
            return
        self._note_outcome(attempts, outcome, finished_us)
        if int(attempts.stamps.due_us.min()) < 0:
            attempts = attempts.only(np.flatnonzero(attempts.stamps.due_us >= 0))
            if not len(attempts):
                return
        self._record_stages(attempts, index, outcome, finished_us)

    def _note_outcome(self, attempts: Attempts, outcome: Outcome, finished_us: int) -> None:
        if outcome is Outcome.RETRIED:
            self._ledger.retry(attempts.queue, len(attempts))
            return
        self._finished.add(finished_us - self._start_us, len(attempts))
        producers = attempts.ids.producer
        for producer in (
            [int(producers[0])] if (producers == producers[0]).all() else np.unique(producers)
        ):
            sequences = attempts.ids.sequence[producers == producer]
            if outcome is Outcome.COMPLETED:
                self._ledger.finish(attempts.queue, int(producer), sequences)
                self._completed += len(sequences)
            else:
                self._ledger.archive(attempts.queue, int(producer), sequences)
                self._failed += len(sequences)

    def _record_stages(
        self, attempts: Attempts, queue: int, outcome: Outcome, finished_us: int
    ) -> None:
        stamps = attempts.stamps
        record, parts = self._stages.record, self._stages.split(stamps.due_us)
        record(Stage.SERVICE, queue, finished_us - attempts.started_us, parts)
        first = attempts.retry == 0
        if first.all():
            record(Stage.QUEUE_WAIT, queue, attempts.started_us - stamps.sent_us, parts)
        elif first.any():
            waited = attempts.only(np.flatnonzero(first))
            waits_us = waited.started_us - waited.stamps.sent_us
            parts_of_first = self._stages.split(waited.stamps.due_us)
            record(Stage.QUEUE_WAIT, queue, waits_us, parts_of_first)
        if outcome is Outcome.RETRIED:
            return
        e2e_us = finished_us - stamps.due_us
        record(Stage.E2E, queue, e2e_us, parts)
        record(Stage.E2E_FROM_SEND, queue, finished_us - stamps.sent_us, parts)
        self._fine.add(stamps.due_us - self._start_us, e2e_us)
        self._latencies.record(finished_us - self._start_us, e2e_us)

    def report(self, full: bool) -> WorkerReport:
        """The state so far; the sets and histograms only in the full kind."""
        report = WorkerReport(
            name="",
            started=self._started_count,
            completed=self._completed,
            failed=self._failed,
            missing=self._missing,
            started_by_point=self._started.counts,
            finished_by_point=self._finished.counts,
            duplicated=self._ledger.duplicated,
            retried=self._ledger.retried,
        )
        if not full:
            report.e2e_by_second = self._latencies.latest(3)
            return report
        self._latencies.close()
        report.full = True
        report.e2e_by_second = self._latencies.closed
        report.measured = Measured(self._stages.parts(), self._fine)
        report.completed_sets = {
            number: bits.pack() for number, bits in self._ledger.completed.items()
        }
        report.archived_sets = {
            number: bits.pack() for number, bits in self._ledger.archived.items()
        }
        return report
