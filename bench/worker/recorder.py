"""Records the tasks of one run in one worker, from started to finished.

While tasks are in flight their fields are only kept. They are read and counted once enough have
come together: a batch costs hardly more than one task, and no task waits for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

import numpy as np

from bench.arrays import Integers, distinct
from bench.measure.breakdown import BreakdownRecorder
from bench.measure.fine_recorder import FineRecorder
from bench.measure.latency_buckets import BucketCounter
from bench.measure.latency_counts import latency_counts_by_interval
from bench.measure.ledger import WorkerLedger
from bench.measure.recorder import (
    Interval,
    IntervalRecorder,
    LatencySeries,
    RateSeries,
    SecondLatencies,
)
from bench.measure.reports import MeasuredLatencies, WorkerReport
from bench.measure.window import TimeLine
from bench.wire import stamps
from bench.wire.columns import read_ids, read_stamps
from bench.worker.slot_states import SlotStates

_FLUSH_AT = 256
"""Least number of attempts that are counted together."""
_SPLIT_AT = 2048
"""Number of tasks whose latencies are split into their parts together: with fewer, each of them
costs several times as much."""


class AttemptOutcome(Enum):
    """How an attempt at a task ended."""

    COMPLETED = auto()
    RETRIED = auto()
    ARCHIVED = auto()


@dataclass(frozen=True)
class AttemptBatch:
    """Attempts (n,) at tasks of one queue. Times are in µs on the run's clock."""

    task_ids: Sequence[bytes]
    payloads: Sequence[bytes]
    retries: Sequence[int]
    """Attempts made before this one."""
    started_us: Sequence[int]
    popped_us: int
    """When their ids were popped."""
    service_us: Sequence[int] = ()
    """The drawn service times; empty where tasks take no time."""

    def __len__(self) -> int:
        return len(self.task_ids)


@dataclass
class _Pending:
    """Attempts of one queue with one outcome that have not been counted yet."""

    task_ids: list[bytes] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    retries: list[int] = field(default_factory=list)
    started_us: list[int] = field(default_factory=list)
    finished_us: list[int] = field(default_factory=list)
    popped_us: list[int] = field(default_factory=list)
    """Of batches, whose sizes are in ``sizes``."""
    sizes: list[int] = field(default_factory=list)
    service_us: list[int] = field(default_factory=list)


class WorkerRecorder:
    """Histograms, series and the ledger of one worker for one run.

    Of tasks of others only their number is recorded.
    """

    def __init__(
        self,
        run: int,
        line: TimeLine,
        queues: Sequence[str],
        with_latency_counts: bool = False,
        latency_bounds_us: tuple[int, ...] = (),
    ) -> None:
        self._run = run
        self._with_latency_counts = with_latency_counts
        self._failed_by_queue: dict[int, int] = {}
        self.fine: FineRecorder | None = None
        """Rows of ten milliseconds, which runs with faults need; None in others."""
        self.states: SlotStates | None = None
        """What the worker was doing, on its own clock; None where the parts of latencies are not
        asked for."""
        self.shift_us = 0
        """From the worker's clock to the run's."""
        self._breakdown = BreakdownRecorder()
        self._whole: list[Integers] = []
        self._whole_count = 0
        self._start_us = line.start_us
        self._queue_index = {queue: index for index, queue in enumerate(queues)}
        self._pending: dict[tuple[str, AttemptOutcome], _Pending] = {}
        self._pending_count = 0
        self._intervals = IntervalRecorder(line)
        self._buckets = self.buckets(latency_bounds_us)
        self._latency_series = LatencySeries()
        self._started = RateSeries()
        self._finished = RateSeries()
        self._failures = RateSeries()
        self._latencies = SecondLatencies()
        self._ledger = WorkerLedger()
        self._started_count = 0
        self._completed = 0
        self._failed = 0
        self._missing = 0
        self._foreign = 0

    def buckets(self, bounds_us: tuple[int, ...]) -> BucketCounter:
        """What counts the latencies that have been counted by then in buckets."""
        return BucketCounter(self._intervals, bounds_us)

    def started(self, count: int, now_us: int) -> None:
        """Record that tasks were taken."""
        self._started_count += count
        self._started.add(now_us - self._start_us, count)

    def missing(self, task_ids: Sequence[bytes]) -> None:
        """Record ids that were popped and had no task behind them, of the run or of others."""
        own = int(np.count_nonzero(read_ids(task_ids, self._run).producer >= 0))
        self._missing += own
        self._foreign += len(task_ids) - own

    def foreign(self, count: int) -> None:
        """Record that tasks of others were ended that were on the run's queues."""
        self._foreign += count

    def ended(
        self, queue: str, attempts: AttemptBatch, outcome: AttemptOutcome, finished_us: int
    ) -> None:
        """Record that the last command of these attempts was acknowledged."""
        pending = self._pending.get((queue, outcome))
        if pending is None:
            pending = self._pending[queue, outcome] = _Pending()
        count = len(attempts)
        pending.task_ids.extend(attempts.task_ids)
        length = stamps.HEAD_LENGTH + 1  # one byte more shows that the last stamp ends there
        pending.heads.extend([payload[:length] for payload in attempts.payloads])
        pending.retries.extend(attempts.retries)
        pending.started_us.extend(attempts.started_us)
        pending.finished_us.extend([finished_us] * count)
        pending.popped_us.append(attempts.popped_us)
        pending.sizes.append(count)
        pending.service_us.extend(attempts.service_us or [0] * count)
        self._pending_count += count
        if self._pending_count >= _FLUSH_AT:
            self.flush()

    def flush(self) -> None:
        """Count everything that is pending."""
        pending, self._pending = self._pending, {}
        self._pending_count = 0
        for (queue, outcome), attempts in pending.items():
            index = self._queue_index.get(queue)
            if index is not None:
                self._count(queue, index, attempts, outcome)

    def _count(self, queue: str, index: int, pending: _Pending, outcome: AttemptOutcome) -> None:
        ids = read_ids(pending.task_ids, self._run)
        times = read_stamps(pending.heads)
        columns = np.array(
            [
                ids.producer,
                ids.sequence,
                times.due_us,
                times.sent_us,
                pending.started_us,
                pending.finished_us,
                pending.retries,
                np.repeat(pending.popped_us, pending.sizes),
                pending.service_us,
            ],
            np.int64,
        )
        columns = columns[:, columns[0] >= 0]  # only the run's own
        if outcome is not AttemptOutcome.RETRIED:
            self._foreign += len(pending.task_ids) - columns.shape[1]
        producer, sequence, due_us, _, _, finished_us, *_ = columns
        self._note_outcome(queue, producer, sequence, finished_us, outcome)
        columns = columns[:, due_us >= 0]  # only those with stamps
        if columns.shape[1]:
            self._record_intervals(index, columns[2:], outcome)

    def _note_outcome(
        self,
        queue: str,
        producers: Integers,
        sequences: Integers,
        finished_us: Integers,
        outcome: AttemptOutcome,
    ) -> None:
        if outcome is AttemptOutcome.RETRIED:
            self._ledger.retry(queue, len(sequences))
            return
        self._finished.add_many(finished_us - self._start_us)
        if self.fine is not None:
            self.fine.happened_at("finished", finished_us - self._start_us)
        if outcome is AttemptOutcome.ARCHIVED:
            self._failures.add_many(finished_us - self._start_us)
        for producer in distinct(producers):
            own = sequences[producers == producer]
            if outcome is AttemptOutcome.COMPLETED:
                repeats = self._ledger.complete(queue, producer, own)
                self._completed += len(own)
            else:
                repeats = self._ledger.archive(queue, producer, own)
                self._failed += len(own)
                index = self._queue_index[queue]
                self._failed_by_queue[index] = self._failed_by_queue.get(index, 0) + len(own)
            if self.fine is not None and len(repeats):  # a batch is counted soon after its end
                last_us = int(finished_us.max()) - self._start_us
                self.fine.happened("repeated", last_us, len(repeats))

    def _record_intervals(self, queue: int, columns: Integers, outcome: AttemptOutcome) -> None:
        due_us, sent_us, started_us, finished_us, retry, *_ = columns
        parts = self._intervals.split(due_us)
        if self.fine is not None:
            self._record_fine(queue, columns, outcome)
        self._intervals.record(Interval.SERVICE, queue, finished_us - started_us, parts)
        first = np.flatnonzero(retry == 0)
        if len(first):  # a later attempt did not wait since it was sent
            waits_us = (started_us - sent_us)[first]
            self._intervals.record(
                Interval.QUEUE_WAIT, queue, waits_us, self._intervals.split(due_us[first])
            )
        if outcome is AttemptOutcome.RETRIED:
            return
        e2e_us = finished_us - due_us
        self._intervals.record(Interval.E2E, queue, e2e_us, parts)
        self._intervals.record(Interval.E2E_FROM_SEND, queue, finished_us - sent_us, parts)
        self._latency_series.add(due_us - self._start_us, e2e_us)
        self._latencies.record(finished_us - self._start_us, e2e_us)
        if self.states is not None:
            self._whole.append(columns)
            self._whole_count += columns.shape[1]
            if self._whole_count >= _SPLIT_AT:
                self._split(self.states)

    def _split(self, states: SlotStates) -> None:
        """Split the latencies that are still whole into their parts."""
        if not self._whole:
            return
        columns = np.concatenate(self._whole, axis=1)
        self._whole, self._whole_count = [], 0
        due_us, _, _, finished_us, *_ = columns
        masks = self._intervals.split(due_us).masks
        self._breakdown.record(finished_us - due_us, self._parts_us(columns, states), masks)

    def _parts_us(self, columns: Integers, states: SlotStates) -> list[Integers]:
        """The parts (n,) of the latency of tasks, in the order of ``breakdown.PARTS``."""
        due_us, sent_us, started_us, finished_us, retry, popped_us, service_us = columns
        wait_us = started_us - sent_us
        asking, blocked = states.between(sent_us - self.shift_us, popped_us - self.shift_us)
        delivery_us = np.rint(asking).astype(np.int64)
        blocked_us = np.rint(blocked).astype(np.int64)
        parts_us = [
            sent_us - due_us,
            wait_us - delivery_us - blocked_us,
            blocked_us,
            delivery_us,
            service_us,
            finished_us - started_us - service_us,
            np.zeros_like(wait_us),
        ]
        is_repeated = retry > 0
        if is_repeated.any():  # what was before its last attempt is not known in parts
            for waited_us in parts_us[1:4]:
                waited_us[is_repeated] = 0
            parts_us[6] = np.where(is_repeated, wait_us, 0)
        return parts_us

    def _record_fine(self, queue: int, columns: Integers, outcome: AttemptOutcome) -> None:
        """Record the latencies that objectives bound, at the moments at which they were known."""
        if self.fine is None:
            return
        due_us, sent_us, started_us, finished_us, retry, *_ = columns
        measured = [(Interval.SERVICE, finished_us - started_us, finished_us)]
        first = retry == 0
        measured.append((Interval.QUEUE_WAIT, (started_us - sent_us)[first], started_us[first]))
        if outcome is not AttemptOutcome.RETRIED:
            measured.append((Interval.E2E, finished_us - due_us, finished_us))
            measured.append((Interval.E2E_FROM_SEND, finished_us - sent_us, finished_us))
        for interval, values_us, at_us in measured:
            queues = np.full(len(values_us), queue)
            self.fine.latencies(interval, queues, values_us, at_us - self._start_us)

    def report(self, full: bool) -> WorkerReport:
        """The state so far; the sets and histograms only in the full kind."""
        self.flush()
        report = WorkerReport(
            name="",
            started=self._started_count,
            completed=self._completed,
            failed=self._failed,
            missing=self._missing,
            foreign=self._foreign,
            started_by_bin=self._started.counts,
            finished_by_bin=self._finished.counts,
            failed_by_bin=self._failures.counts,
            duplicated=self._ledger.duplicated,
            retried=self._ledger.retried,
            failed_by_queue=self._failed_by_queue,
            latency_buckets=self._buckets.count(is_last=full),
        )
        if self.fine is not None:
            report.fine = self.fine.packed()
        if self._with_latency_counts:
            report.latency_counts = latency_counts_by_interval(
                self._intervals.by_interval(),
                {Interval.E2E: self._failed_by_queue},
                are_measured=True,
            )
        if not full:
            report.e2e_by_second = self._latencies.latest(3)
            return report
        self._latencies.close()
        report.full = True
        report.e2e_by_second = self._latencies.closed
        report.measured = MeasuredLatencies(
            self._intervals.parts(), self._latency_series, self._intervals.narrow()
        )
        if self.states is not None:
            self._split(self.states)
        report.breakdown = self._breakdown.packed()
        report.completed_sets = {
            number: bits.pack() for number, bits in self._ledger.completed.items()
        }
        report.archived_sets = {
            number: bits.pack() for number, bits in self._ledger.archived.items()
        }
        return report
