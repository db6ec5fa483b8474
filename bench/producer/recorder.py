"""Records a producer's tasks from due over sent to acknowledged."""

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.arrays import Integers
from bench.measure.latency_counts import LatencyCounts, latency_counts_by_interval
from bench.measure.ledger import ProducerLedger
from bench.measure.recorder import (
    BIN_US,
    Interval,
    IntervalRecorder,
    LatencySeries,
    RateSeries,
)
from bench.measure.reports import MeasuredLatencies
from bench.measure.window import SliceMask, TimeLine
from bench.wire.frames import Group


@dataclass
class _Sent:
    """Tasks that were sent together, and how far their replies have come."""

    groups: Sequence[Group]
    sent_us: int
    group: int = 0
    """The group whose replies come next."""
    answered: int = 0
    """Tasks of that group that were answered."""
    refused: list[int] = field(default_factory=list)
    """Sequence numbers that the server answered with an error."""

    @property
    def unanswered(self) -> int:
        """Number of tasks that are still to be answered."""
        return sum(map(len, self.groups[self.group :])) - self.answered

    @property
    def first_unanswered(self) -> int:
        """The smallest sequence number that is still to be answered."""
        first = int(self.groups[self.group].sequence[self.answered])
        return min([first, *(int(group.sequence[0]) for group in self.groups[self.group + 1 :])])

    def unanswered_sequences(self) -> Integers:
        """The sequence numbers of all tasks that are still to be answered."""
        left = [group.sequence for group in self.groups[self.group :]]
        left[0] = left[0][self.answered :]
        return np.concatenate(left)

    def answered_sequences(self) -> Integers:
        """The sequence numbers of all tasks that were answered so far."""
        done = [group.sequence for group in self.groups[: self.group]]
        if self.group < len(self.groups):
            done.append(self.groups[self.group].sequence[: self.answered])
        return np.concatenate(done)


class ProducerRecorder:
    """Histograms, series and the ledger of one producer.

    On one connection replies come in the order of the tasks, so one queue of sent batches for each
    connection is enough. All times are absolute, in µs on the run's clock.
    """

    def __init__(self, line: TimeLine, is_closed_loop: bool) -> None:
        self._start_us = line.start_us
        self._is_closed_loop = is_closed_loop
        self._intervals = IntervalRecorder(line)
        self._waiting: defaultdict[int, deque[_Sent]] = defaultdict(deque)
        """Batches that await replies, by connection."""
        self._latency_series = LatencySeries()
        self._ledger = ProducerLedger()
        self.offered = RateSeries()
        self.enqueued = RateSeries()
        self.enqueued_count = 0
        self.refused_count = 0
        self._refused_by_queue: dict[int, int] = {}
        self._unconfirmed: list[int] = []
        self.sent_count = 0
        self.in_flight = 0
        self.first_error = ""
        self.last_reply_us: int | None = None

    def sent(self, groups: Sequence[Group], sent_us: int, connection: int = 0) -> None:
        """Record tasks that were handed to the socket; their sequence numbers are consecutive."""
        self._waiting[connection].append(_Sent(groups, sent_us))
        for group in groups:
            self.sent_count += len(group)
            self.in_flight += len(group)
            self.offered.add_many(group.due_us - self._start_us)
            if not self._is_closed_loop:  # a closed loop has no schedule to lag behind
                parts = self._split(group.due_us)
                self._intervals.record(
                    Interval.SCHEDULE_LAG, group.queue, sent_us - group.due_us, parts
                )

    def answered(
        self, count: int, acked_us: int, refused: Sequence[int] = (), connection: int = 0
    ) -> None:
        """Record the replies to a connection's next tasks; ``refused`` are indices among them.

        Raises ValueError when more were answered than were sent.
        """
        if count > self.in_flight:
            raise ValueError(f"{count} replies for {self.in_flight} tasks")
        self.in_flight -= count
        self.last_reply_us = acked_us
        first = 0
        waiting = self._waiting[connection]
        while first < count:
            sent = waiting[0]
            group = sent.groups[sent.group]
            tasks = min(count - first, len(group) - sent.answered)
            errors = [index - first for index in refused if first <= index < first + tasks]
            self._acknowledge(sent, group, tasks, acked_us, errors)
            first += tasks
            sent.answered += tasks
            if sent.answered == len(group):
                sent.group, sent.answered = sent.group + 1, 0
                if sent.group == len(sent.groups):
                    self._close(waiting.popleft())

    def connection_lost(self, connection: int | None = None) -> None:
        """Record that a connection (None for all) is lost: its tasks in flight stay unknown."""
        for number in [*self._waiting] if connection is None else [connection]:
            waiting = self._waiting.pop(number, None)
            if waiting:
                self.in_flight -= sum(sent.unanswered for sent in waiting)
                for sent in waiting:
                    self._unconfirmed.extend(sent.unanswered_sequences().tolist())
                self._close(waiting[0])  # replies are in order: only the first may have some

    def take_unconfirmed(self) -> list[int]:
        """Sequence numbers of tasks that may never have been in Redis, since the last call: the
        server refused them, or did not answer."""
        unconfirmed, self._unconfirmed = self._unconfirmed, []
        return unconfirmed

    @property
    def answered_before(self) -> int:
        """The sequence number before which every task was answered, or never will be."""
        waiting = [sent[0].first_unanswered for sent in self._waiting.values() if sent]
        return min(waiting, default=self.sent_count)

    def note_error(self, message: str) -> None:
        """Keep the server's first error message."""
        self.first_error = self.first_error or message

    def latency_counts(self) -> dict[Interval, dict[int, LatencyCounts]]:
        """Latencies so far, by interval and queue; refused tasks have no enqueue latency."""
        histograms = self._intervals.by_interval()
        enqueued = histograms.setdefault(Interval.ENQUEUE, {})
        for queue in self._refused_by_queue:
            enqueued.setdefault(queue, [])
        return latency_counts_by_interval(
            histograms, {Interval.ENQUEUE: self._refused_by_queue}, are_measured=False
        )

    def measured(self) -> MeasuredLatencies:
        """All latencies so far."""
        return MeasuredLatencies(self._intervals.parts(), self._latency_series)

    def ledger(self) -> ProducerLedger:
        """What was sent, acknowledged and refused. To be called at the end: no reply may follow."""
        self.connection_lost()
        self._ledger.due = self._ledger.sent = self.sent_count
        return self._ledger

    def _acknowledge(
        self, sent: _Sent, group: Group, tasks: int, acked_us: int, errors: Sequence[int]
    ) -> None:
        due_us = group.due_us[sent.answered : sent.answered + tasks]
        if errors:
            accepted = np.ones(tasks, np.bool_)
            accepted[list(errors)] = False
            sequence = group.sequence[sent.answered : sent.answered + tasks]
            refused = sequence[~accepted].tolist()
            sent.refused.extend(refused)
            self._unconfirmed.extend(refused)
            self.refused_count += len(errors)
            refused_before = self._refused_by_queue.get(group.queue, 0)
            self._refused_by_queue[group.queue] = refused_before + len(errors)
            due_us = due_us[accepted]
            tasks = len(due_us)
        if tasks:
            self.enqueued_count += tasks
            self.enqueued.add(acked_us - self._start_us, tasks)
            latency_us = acked_us - sent.sent_us
            parts = self._split(due_us)
            self._intervals.record_same(Interval.ENQUEUE, group.queue, latency_us, tasks, parts)
            self._add_to_series(due_us, latency_us)

    def _close(self, sent: _Sent) -> None:
        """Enter a batch's replies into the ledger: mostly a whole range of numbers at once."""
        is_whole = sent.group == len(sent.groups)
        if is_whole:
            first = min(int(group.sequence[0]) for group in sent.groups)
            last = max(int(group.sequence[-1]) for group in sent.groups)
            self._ledger.acknowledged.add_range(first, last + 1)
        else:
            self._ledger.acknowledged.add(sent.answered_sequences())
        if sent.refused:
            self._ledger.refused.add(np.array(sent.refused, np.int64))

    def _split(self, due_us: Integers) -> Sequence[SliceMask]:
        # Within a group due times ascend.
        return self._intervals.split_between(due_us, int(due_us[0]), int(due_us[-1]))

    def _add_to_series(self, due_us: Integers, latency_us: int) -> None:
        first_us = int(due_us[0]) - self._start_us
        last_us = int(due_us[-1]) - self._start_us
        if first_us // BIN_US == last_us // BIN_US:
            self._latency_series.add_sum(first_us, latency_us * len(due_us), len(due_us))
        else:
            self._latency_series.add(due_us - self._start_us, np.full(len(due_us), latency_us))
