"""Records a run's tasks that external workers finish, as an observer sees them from outside.

A task is known only to have ended between two queries. Both moments are kept: the later one as
``e2e``, so that no latency is shown better than it was, and the earlier one as ``e2e_earliest``.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.arrays import Flags, Integers, distinct
from bench.measure.bits import Bits
from bench.measure.fine_recorder import FineRecorder
from bench.measure.histogram import Histogram
from bench.measure.latency_buckets import BucketCounter
from bench.measure.ledger import WorkerLedger
from bench.measure.recorder import (
    Interval,
    IntervalRecorder,
    LatencySeries,
    RateSeries,
    SecondLatencies,
)
from bench.measure.reports import MeasuredLatencies, ObserverReport, WorkerReport
from bench.measure.window import TimeLine
from bench.observer.sampling import NO_DUE
from bench.wire.layout_contract import CounterRules, TaskOutcome

_FLUSH_AT = 64


@dataclass(frozen=True)
class Completion:
    """A task that was found to have ended. Times are in µs on the run's clock."""

    queue: int
    """Index of the queue."""
    due_us: int
    """``NO_DUE`` where the task was gone before its due time could be read."""
    after_us: int
    """The task had not ended then."""
    by_us: int
    """The task had ended by then."""


class CompletionRecorder:
    """Histograms, series and the ledger of all of a run's completions."""

    def __init__(
        self, line: TimeLine, method: str, latency_bounds_us: tuple[int, ...] = ()
    ) -> None:
        self._start_us = line.start_us
        self._pending: list[Completion] = []
        self._intervals = IntervalRecorder(line)
        self._buckets = BucketCounter(self._intervals, latency_bounds_us)
        self._latency_series = LatencySeries()
        self._latencies = SecondLatencies()
        self._started = RateSeries()
        self._finished = RateSeries()
        self.fine: FineRecorder | None = None
        """Rows of ten milliseconds, which runs with faults need; None in others."""
        self._started_count = 0
        self._finished_count = 0
        self._widths = Histogram()
        self._observed = ObserverReport(method=method)
        self._ledger = WorkerLedger()
        self._settled = dict.fromkeys(TaskOutcome, 0)
        """Number of tasks by how they were found to have ended."""
        self._waiting: dict[int, Bits] = {}
        self.are_outcomes_known = False
        """Whether every task has been queried: what was found then replaces what was counted."""

    @property
    def started_count(self) -> int:
        """Number of tasks that workers have taken."""
        return self._started_count

    def traced(self, count: int) -> None:
        """Record that this many more tasks are traced."""
        self._observed.traced += count

    def counted(self, started: int, finished: int, now_us: int) -> None:
        """Record how many tasks in all have been taken and finished; neither ever shrinks."""
        for events, before, total in (
            (self._started, self._started_count, started),
            (self._finished, self._finished_count, finished),
        ):
            if total > before:
                events.add(now_us - self._start_us, total - before)
        if self.fine is not None and finished > self._finished_count:
            gained = finished - self._finished_count
            self.fine.happened("finished", now_us - self._start_us, gained)
        self._started_count = max(self._started_count, started)
        self._finished_count = max(self._finished_count, finished)

    def set_counter_rules(self, rules: Collection[CounterRules]) -> None:
        """Record, at the end, by whose rules the queues' counters are kept."""
        self._observed.counter_rules = sorted(rules)

    def set_expired(self, expired: Mapping[str, Mapping[int, Bits]]) -> None:
        """Record, at the end, the tasks of each queue whose lease was seen to end.

        Those of them that have ended since were run again, or their worker was slow.
        """
        for queue, by_producer in expired.items():
            for producer, bits in by_producer.items():
                sequences = bits.numbers()
                self._observed.leases_expired += len(sequences)
                late = int(self._have_ended(producer, sequences).sum())
                by_queue = self._observed.ended_after_lease
                by_queue[queue] = by_queue.get(queue, 0) + late

    def _have_ended(self, producer: int, sequences: Integers) -> Flags:
        """Whether each task (n,) has ended."""
        ends = Bits()
        for sets in (self._ledger.completed, self._ledger.archived, self._ledger.gone):
            ends.merge(sets.get(producer, Bits()))
        return ends.flags(0, int(sequences[-1]) + 1)[sequences]

    def set_unfinished(self, states: Mapping[str, int]) -> None:
        """Record, at the end, how many tasks have not ended, by the state in their hashes."""
        self._observed.unfinished = dict(states)

    def add_waiting(self, producer: int, sequences: Integers) -> None:
        """Record, at the end, tasks that wait for their next attempt, perhaps on no list."""
        if len(sequences):
            self._waiting.setdefault(producer, Bits()).add(sequences)

    def set_commands(self, commands: int) -> None:
        """Record how many commands the observer has sent to the server in all."""
        self._observed.commands = commands

    def add_completions(self, completions: Sequence[Completion]) -> None:
        """Record tasks that were found to have ended."""
        self._pending.extend(completions)
        if len(self._pending) >= _FLUSH_AT:
            self._flush()

    def settle(self, queue: str, producer: int, ends: Mapping[TaskOutcome, Integers]) -> None:
        """Record tasks of one queue and producer that have ended, by how each was found."""
        for outcome, sequences in ends.items():
            self._settled[outcome] += len(sequences)
            if not len(sequences):
                continue
            if outcome is TaskOutcome.COMPLETED:
                self._ledger.complete(queue, producer, sequences)
            elif outcome is TaskOutcome.ARCHIVED:
                self._ledger.archive(queue, producer, sequences)
            else:
                self._ledger.note_gone(producer, sequences)

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        known = [completion for completion in pending if completion.due_us != NO_DUE]
        self._observed.unseen += len(pending) - len(known)
        columns = np.array(
            [(seen.queue, seen.due_us, seen.after_us, seen.by_us) for seen in known], np.int64
        ).reshape(-1, 4)
        for queue in distinct(columns[:, 0]):
            _, due_us, after_us, by_us = columns[columns[:, 0] == queue].T
            self._record(queue, due_us, after_us, by_us)

    def _record(self, queue: int, due_us: Integers, after_us: Integers, by_us: Integers) -> None:
        latest_us = by_us - due_us
        parts = self._intervals.split(due_us)
        self._intervals.record(Interval.E2E, queue, latest_us, parts)
        self._intervals.record(Interval.E2E_EARLIEST, queue, after_us - due_us, parts)
        self._widths.record_many(by_us - after_us)
        self._latency_series.add(due_us - self._start_us, latest_us)
        self._latencies.record(by_us - self._start_us, latest_us)
        if self.fine is not None:
            queues = np.full(len(latest_us), queue)
            self.fine.latencies(Interval.E2E, queues, latest_us, by_us - self._start_us)

    def report(self, full: bool) -> WorkerReport:
        """The state so far; sets and histograms only in the full kind."""
        self._flush()
        report = WorkerReport(
            name="",
            started=self._started_count,
            completed=self._finished_count,
            started_by_bin=self._started.counts,
            finished_by_bin=self._finished.counts,
            observed=self._observed,
            latency_buckets=self._buckets.count(is_last=full),
        )
        if self.fine is not None:
            report.fine = self.fine.packed()
        self._observed.are_outcomes_known = self.are_outcomes_known
        if self.are_outcomes_known:
            report.completed = self._settled[TaskOutcome.COMPLETED]
            report.failed = self._settled[TaskOutcome.ARCHIVED]
            report.gone = self._settled[TaskOutcome.GONE]
        if not full:
            report.e2e_by_second = self._latencies.latest(3)
            return report
        self._latencies.close()
        report.full = True
        report.e2e_by_second = self._latencies.closed
        report.measured = MeasuredLatencies(
            self._intervals.parts(), self._latency_series, self._intervals.narrow()
        )
        report.completed_sets = _packed(self._ledger.completed)
        report.archived_sets = _packed(self._ledger.archived)
        report.gone_sets = _packed(self._ledger.gone)
        report.waiting_sets = _packed(self._waiting)
        self._observed.widths = self._widths.pack()
        return report


def _packed(sets: dict[int, Bits]) -> dict[int, bytes]:
    return {number: bits.pack() for number, bits in sets.items()}
