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

_COUNT_FROM = 4096
"""Number of notes that are counted at the latest."""


class _Part(NamedTuple):
    """The tasks from ``start`` to ``stop`` (half-open) of some, and a number of each of them."""

    tasks: Tasks
    start: int
    stop: int
    value_us: int


@dataclass(slots=True)
class _Sent:
    """Tasks that were sent together and are still to be answered: ``start`` to ``stop``."""

    tasks: Tasks
    start: int
    stop: int
    sent_us: int

    @property
    def sequence(self) -> Integers:
        """Their sequence numbers (n,)."""
        return self.tasks.sequence[self.start : self.stop]


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
        self._sent: list[_Part] = []
        """What was sent, and when, and is not counted yet."""
        self._acknowledged: list[_Part] = []
        """What was acknowledged, and after how long, and is not counted yet."""
        self._latency_series = LatencySeries()
        self._ledger = ProducerLedger()
        self._offered = RateSeries()
        self.enqueued = RateSeries()
        """Tasks by the time at which they were acknowledged."""
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
    def uncounted(self) -> int:
        """Number of notes that are not counted yet."""
        return len(self._sent) + len(self._acknowledged)

    def sent(self, tasks: Tasks, start: int, stop: int, sent_us: int, connection: int = 0) -> None:
        """Record that tasks were handed to the socket: those from ``start`` to ``stop``
        (half-open), at least one."""
        self._waiting[connection].append(_Sent(tasks, start, stop, sent_us))
        self._sent.append(_Part(tasks, start, stop, sent_us))
        self.sent_count += stop - start
        self.in_flight += stop - start

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
            start = sent.start
            stop = sent.start = min(start + count - first, sent.stop)
            part = _Part(sent.tasks, start, stop, acked_us - sent.sent_us)
            if refused:
                among = range(first, first + stop - start)
                part = self._accepted(part, [each - first for each in refused if each in among])
            if part.start < part.stop:
                self._acknowledged.append(part)
                self.enqueued.add(acked_us - self._start_us, part.stop - part.start)
            first += stop - start
            if stop == sent.stop:
                waiting.popleft()
        if self.uncounted >= _COUNT_FROM:
            self.count()

    def connection_lost(self, connection: int | None = None) -> None:
        """Record that a connection (None for all) is lost: its tasks in flight stay unknown."""
        for number in [*self._waiting] if connection is None else [connection]:
            for sent in self._waiting.pop(number, ()):
                unanswered = sent.sequence.tolist()
                self.in_flight -= len(unanswered)
                self._unconfirmed.extend(unanswered)

    def take_unconfirmed(self) -> list[int]:
        """Sequence numbers of tasks that may never have been in Redis, since the last call: the
        server refused them, or did not answer."""
        unconfirmed, self._unconfirmed = self._unconfirmed, []
        return unconfirmed

    @property
    def answered_before(self) -> int:
        """The sequence number before which every task was answered, or never will be."""
        first = [waiting[0] for waiting in self._waiting.values() if waiting]
        return min((int(sent.sequence.min()) for sent in first), default=self.sent_count)

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

    def _count_sent(self, sent: Sequence[_Part]) -> None:
        tasks = _together(_pieces(sent))
        self._offered.add_many(tasks.due_us - self._start_us)
        if not self._is_closed_loop:  # a closed loop has no schedule to lag behind
            self._record(Interval.SCHEDULE_LAG, tasks, _values_us(sent) - tasks.due_us)

    def _count_acknowledged(self, acknowledged: Sequence[_Part]) -> None:
        pieces, latency_us = _pieces(acknowledged), _values_us(acknowledged)
        tasks = _together(pieces)
        self._record(Interval.ENQUEUE, tasks, latency_us)
        self._latency_series.add(tasks.due_us - self._start_us, latency_us)
        self._ledger.acknowledge([piece.sequence for piece in pieces])

    def _record(self, interval: Interval, tasks: Tasks, values_us: Integers) -> None:
        """Record a latency (n,) of each task."""
        queues = np.flatnonzero(np.bincount(tasks.queue)).tolist()
        for queue in queues:
            due_us, chosen_us = tasks.due_us, values_us
            if len(queues) > 1:
                members = tasks.queue == queue
                due_us, chosen_us = due_us[members], chosen_us[members]
            self._intervals.record(interval, queue, chosen_us, self._intervals.split(due_us))

    def _accepted(self, part: _Part, refused: Sequence[int]) -> _Part:
        """Count those of the tasks that the server refused, by their indices in the part; returns
        the others."""
        if not refused:
            return part
        tasks = part.tasks.part(part.start, part.stop)
        sequences = tasks.sequence[refused]
        self.refused_count += len(refused)
        self._unconfirmed.extend(sequences.tolist())
        self._ledger.refuse(sequences)
        for queue in tasks.queue[refused].tolist():
            self._refused_by_queue[queue] = self._refused_by_queue.get(queue, 0) + 1
        accepted = np.ones(len(tasks), np.bool_)
        accepted[refused] = False
        left = Tasks(tasks.sequence[accepted], tasks.due_us[accepted], tasks.queue[accepted])
        return _Part(left, 0, len(left), part.value_us)


def _pieces(parts: Sequence[_Part]) -> list[Tasks]:
    """Returns the tasks of all parts; those that follow each other in one piece."""
    pieces: list[Tasks] = []
    tasks, start, stop, _ = parts[0]
    for part in parts[1:]:
        if part.tasks is tasks and part.start == stop:  # mostly
            stop = part.stop
        else:
            pieces.append(tasks.part(start, stop))
            tasks, start, stop, _ = part
    return [*pieces, tasks.part(start, stop)]


def _together(pieces: Sequence[Tasks]) -> Tasks:
    if len(pieces) == 1:
        return pieces[0]
    return Tasks(
        np.concatenate([piece.sequence for piece in pieces]),
        np.concatenate([piece.due_us for piece in pieces]),
        np.concatenate([piece.queue for piece in pieces]),
    )


def _values_us(parts: Sequence[_Part]) -> Integers:
    """Returns the number of each task (n,) of all parts."""
    return np.repeat([part.value_us for part in parts], [part.stop - part.start for part in parts])
