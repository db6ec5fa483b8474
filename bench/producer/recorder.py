"""Records a producer's tasks from due over sent to acknowledged.

What happens is only noted while tasks are sent and answered. It is counted once enough has come
together: many tasks cost hardly more than one, and no task waits for it. Each moment is that at
which it was noted, so nothing depends on when it is counted.
"""

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bench.arrays import Integers
from bench.measure.latency_counts import LatencyCounts, latency_counts_by_interval
from bench.measure.ledger import ProducerLedger
from bench.measure.recorder import Interval, IntervalRecorder, LatencySeries, RateSeries
from bench.measure.reports import MeasuredLatencies
from bench.measure.window import TimeLine
from bench.wire.frames import Tasks

_COUNT_FROM = 1024
"""Number of notes that are counted at the latest."""


@dataclass(slots=True)
class _Sent:
    """Tasks that were sent together, and how far their replies have come."""

    tasks: Tasks
    sent_us: int
    answered: int = 0

    @property
    def unanswered(self) -> Tasks:
        """The tasks that are still to be answered."""
        return self.tasks.part(self.answered, len(self.tasks))


class _Acknowledged(NamedTuple):
    """Tasks of which the replies came at the same moment, and that were not refused."""

    tasks: Tasks
    latency_us: int
    acked_us: int


class ProducerRecorder:
    """Histograms, series and the ledger of one producer.

    On one connection replies come in the order of the tasks, so one queue of what was sent for each
    connection is enough. All times are absolute, in µs on the run's clock.
    """

    def __init__(self, line: TimeLine, is_closed_loop: bool) -> None:
        self._start_us = line.start_us
        self._is_closed_loop = is_closed_loop
        self._intervals = IntervalRecorder(line)
        self._waiting: defaultdict[int, deque[_Sent]] = defaultdict(deque)
        """What awaits replies, by connection."""
        self._sent: list[_Sent] = []
        """What was sent and is not counted yet."""
        self._acknowledged: list[_Acknowledged] = []
        """What was acknowledged and is not counted yet."""
        self._latency_series = LatencySeries()
        self._ledger = ProducerLedger()
        self._offered = RateSeries()
        self._enqueued = RateSeries()
        self.enqueued_count = 0
        self.refused_count = 0
        self._refused_by_queue: dict[int, int] = {}
        self._unconfirmed: list[int] = []
        self.sent_count = 0
        self.in_flight = 0
        self.first_error = ""
        self.last_reply_us: int | None = None

    @property
    def offered(self) -> RateSeries:
        """Tasks by due time."""
        self.count()
        return self._offered

    @property
    def enqueued(self) -> RateSeries:
        """Tasks by the time at which they were acknowledged."""
        self.count()
        return self._enqueued

    @property
    def uncounted(self) -> int:
        """Number of notes that are not counted yet."""
        return len(self._sent) + len(self._acknowledged)

    def sent(self, tasks: Tasks, sent_us: int, connection: int = 0) -> None:
        """Record tasks that were handed to the socket, at least one."""
        sent = _Sent(tasks, sent_us)
        self._waiting[connection].append(sent)
        self._sent.append(sent)
        self.sent_count += len(tasks)
        self.in_flight += len(tasks)

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
        self.enqueued_count += count - len(refused)
        waiting = self._waiting[connection]
        first = 0
        while first < count:
            sent = waiting[0]
            start = sent.answered
            stop = sent.answered = min(start + count - first, len(sent.tasks))
            is_whole = stop - start == len(sent.tasks)
            tasks = sent.tasks if is_whole else sent.tasks.part(start, stop)
            if refused:
                tasks = self._without_refused(
                    tasks, [index - first for index in refused if 0 <= index - first < len(tasks)]
                )
            if len(tasks):
                latency_us = acked_us - sent.sent_us
                self._acknowledged.append(_Acknowledged(tasks, latency_us, acked_us))
            first += stop - start
            if stop == len(sent.tasks):
                waiting.popleft()
        if self.uncounted >= _COUNT_FROM:
            self.count()

    def connection_lost(self, connection: int | None = None) -> None:
        """Record that a connection (None for all) is lost: its tasks in flight stay unknown."""
        for number in [*self._waiting] if connection is None else [connection]:
            for sent in self._waiting.pop(number, ()):
                unanswered = sent.unanswered
                self.in_flight -= len(unanswered)
                self._unconfirmed.extend(unanswered.sequence.tolist())

    def take_unconfirmed(self) -> list[int]:
        """Sequence numbers of tasks that may never have been in Redis, since the last call: the
        server refused them, or did not answer."""
        unconfirmed, self._unconfirmed = self._unconfirmed, []
        return unconfirmed

    @property
    def answered_before(self) -> int:
        """The sequence number before which every task was answered, or never will be."""
        first = [
            int(sent.unanswered.sequence.min())
            for waiting in self._waiting.values()
            for sent in [*waiting][:1]
        ]
        return min(first, default=self.sent_count)

    def note_error(self, message: str) -> None:
        """Keep the server's first error message."""
        self.first_error = self.first_error or message

    def latency_counts(self) -> dict[Interval, dict[int, LatencyCounts]]:
        """Latencies so far, by interval and queue; refused tasks have no enqueue latency."""
        self.count()
        histograms = self._intervals.by_interval()
        enqueued = histograms.setdefault(Interval.ENQUEUE, {})
        for queue in self._refused_by_queue:
            enqueued.setdefault(queue, [])
        return latency_counts_by_interval(
            histograms, {Interval.ENQUEUE: self._refused_by_queue}, are_measured=False
        )

    def measured(self) -> MeasuredLatencies:
        """All latencies so far."""
        self.count()
        return MeasuredLatencies(self._intervals.parts(), self._latency_series)

    def ledger(self) -> ProducerLedger:
        """What was sent, acknowledged and refused. To be called at the end: no reply may follow."""
        self.connection_lost()
        self.count()
        self._ledger.due = self._ledger.sent = self.sent_count
        return self._ledger

    def count(self) -> None:
        """Count everything that was noted."""
        sent, self._sent = self._sent, []
        if sent:
            self._count_sent(sent)
        acknowledged, self._acknowledged = self._acknowledged, []
        if acknowledged:
            self._count_acknowledged(acknowledged)

    def _count_sent(self, sent: Sequence[_Sent]) -> None:
        tasks = _together([each.tasks for each in sent])
        self._offered.add_many(tasks.due_us - self._start_us)
        if not self._is_closed_loop:  # a closed loop has no schedule to lag behind
            sent_us = np.repeat([each.sent_us for each in sent], [len(each.tasks) for each in sent])
            self._record(Interval.SCHEDULE_LAG, tasks, sent_us - tasks.due_us)

    def _count_acknowledged(self, acknowledged: Sequence[_Acknowledged]) -> None:
        tasks = _together([each.tasks for each in acknowledged])
        sizes = [len(each.tasks) for each in acknowledged]
        for each, size in zip(acknowledged, sizes, strict=True):
            self._enqueued.add(each.acked_us - self._start_us, size)
        latency_us = np.repeat([each.latency_us for each in acknowledged], sizes)
        self._record(Interval.ENQUEUE, tasks, latency_us)
        self._latency_series.add(tasks.due_us - self._start_us, latency_us)
        self._ledger.acknowledge([each.tasks.sequence for each in acknowledged])

    def _record(self, interval: Interval, tasks: Tasks, values_us: Integers) -> None:
        """Record a latency (n,) of each task."""
        queues = np.flatnonzero(np.bincount(tasks.queue)).tolist()
        for queue in queues:
            due_us, chosen_us = tasks.due_us, values_us
            if len(queues) > 1:
                members = tasks.queue == queue
                due_us, chosen_us = due_us[members], chosen_us[members]
            self._intervals.record(interval, queue, chosen_us, self._intervals.split(due_us))

    def _without_refused(self, tasks: Tasks, refused: Sequence[int]) -> Tasks:
        """Count those of the tasks that the server refused; returns the others."""
        if not refused:
            return tasks
        sequences = tasks.sequence[refused]
        self.refused_count += len(refused)
        self._unconfirmed.extend(sequences.tolist())
        self._ledger.refuse(sequences)
        for queue in tasks.queue[refused].tolist():
            self._refused_by_queue[queue] = self._refused_by_queue.get(queue, 0) + 1
        accepted = np.ones(len(tasks), np.bool_)
        accepted[refused] = False
        return Tasks(tasks.sequence[accepted], tasks.due_us[accepted], tasks.queue[accepted])


def _together(parts: Sequence[Tasks]) -> Tasks:
    if len(parts) == 1:
        return parts[0]
    return Tasks(
        np.concatenate([part.sequence for part in parts]),
        np.concatenate([part.due_us for part in parts]),
        np.concatenate([part.queue for part in parts]),
    )
