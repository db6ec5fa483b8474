"""Records a producer's tasks from due over sent to acknowledged.

What happens is only noted while tasks are sent and answered. It is counted once enough has come
together: many tasks cost hardly more than one, and no task waits for it. Each moment is that at
which it was noted, so nothing depends on when it is counted.
"""

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.arrays import Integers
from bench.measure.fine_recorder import FineRecorder
from bench.measure.latency_buckets import BucketCounter
from bench.measure.latency_counts import LatencyCounts, latency_counts_by_interval
from bench.measure.ledger import ProducerLedger
from bench.measure.recorder import Interval, IntervalRecorder, LatencySeries, RateSeries
from bench.measure.reports import MeasuredLatencies
from bench.measure.send_times import SendTimes
from bench.measure.window import TimeLine
from bench.producer.held_times import HeldTimes
from bench.wire.frames import Tasks

_VECTOR_FROM = 24
"""Number of tasks from which vectors are faster than a step for each."""
_COUNT_FROM = 4096
"""Number of notes that are counted at the latest."""


class _Notes:
    """Tasks, and a number of microseconds for each of them, that are still to be counted."""

    def __init__(self) -> None:
        self._pieces: list[Tasks] = []
        self._open: Tasks | None = None
        """The frame's tasks of the newest piece, which goes from ``_start`` to ``_stop``."""
        self._start = self._stop = 0
        self._values_us: list[int] = []
        self._sizes: list[int] = []

    def __len__(self) -> int:
        return len(self._sizes)

    def add(self, tasks: Tasks, start: int, stop: int, value_us: int) -> None:
        """Note the tasks from ``start`` to ``stop`` (half-open), which share a number."""
        if tasks is self._open and start == self._stop:  # mostly
            self._stop = stop
        else:
            self._close()
            self._open, self._start, self._stop = tasks, start, stop
        self._values_us.append(value_us)
        self._sizes.append(stop - start)

    def _close(self) -> None:
        if self._open is not None:
            self._pieces.append(self._open.part(self._start, self._stop))

    def take(self) -> tuple[list[Tasks], Integers]:
        """Returns the tasks in pieces, at least one, and the number of each task (n,) of all of
        them; then there are none."""
        self._close()
        found = self._pieces, np.repeat(self._values_us, self._sizes)
        self._pieces, self._open, self._values_us, self._sizes = [], None, [], []
        return found


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

    def __init__(
        self,
        line: TimeLine,
        is_closed_loop: bool,
        fine: FineRecorder | None = None,
        held_times: HeldTimes | None = None,
        *,
        send_times: SendTimes | None = None,
    ) -> None:
        self.held_times = held_times
        """When the server took nothing; None where nobody asks."""
        self.send_times = send_times
        """The sample of times of sending; None in a closed loop."""
        self._start_us = line.start_us
        self._is_closed_loop = is_closed_loop
        self.fine = fine
        """Rows of ten milliseconds, which runs with faults need; None in others."""
        self._intervals = IntervalRecorder(line)
        self._waiting: defaultdict[int, deque[_Sent]] = defaultdict(deque)
        """What awaits replies, by connection."""
        self._sent = _Notes()
        """What was sent, and when."""
        self._acknowledged = _Notes()
        """What was acknowledged, and after how long."""
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
        self.redirected_count = 0
        """Times that a task was refused where it was sent, and sent again, in a cluster."""
        self.nodes_lost = 0
        self.not_replicated: dict[int, int] = {}
        """Acknowledged tasks, by queue, that were not acknowledged as was asked for."""
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
        self._sent.add(tasks, start, stop, sent_us)
        if self.fine is not None:
            self.fine.happened("sent", sent_us - self._start_us, stop - start)
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
            accepted, latency_us = stop - start, acked_us - sent.sent_us
            among = range(first, first + accepted)
            if self.fine is not None:
                self.fine.answered(acked_us - self._start_us, sent.tasks.sequence[start:stop])
            if refused and (rejected := [each - first for each in refused if each in among]):
                tasks = self._accepted(sent.tasks.part(start, stop), rejected)
                accepted = len(tasks)
                if accepted:
                    self._note_accepted(tasks, 0, accepted, acked_us, latency_us)
            else:
                self._note_accepted(sent.tasks, start, stop, acked_us, latency_us)
            first += stop - start
            if stop == sent.stop:
                waiting.popleft()
        if self.uncounted >= _COUNT_FROM:
            self.count()

    def _note_accepted(
        self, tasks: Tasks, start: int, stop: int, acked_us: int, latency_us: int
    ) -> None:
        offset_us, accepted = acked_us - self._start_us, stop - start
        self._acknowledged.add(tasks, start, stop, latency_us)
        self.enqueued.add(offset_us, accepted)
        if self.fine is not None:
            self.fine.happened("acknowledged", offset_us, accepted)
            values, offsets = np.full(accepted, latency_us), np.full(accepted, offset_us)
            self.fine.latencies(Interval.ENQUEUE, tasks.queue[start:stop], values, offsets)

    def connection_lost(self, connection: int | None = None) -> None:
        """Record that a connection (None for all) is lost: its tasks in flight stay unknown."""
        for number in [*self._waiting] if connection is None else [connection]:
            for sent in self._waiting.pop(number, ()):
                unanswered = sent.sequence.tolist()
                self.in_flight -= len(unanswered)
                self._unconfirmed.extend(unanswered)

    def redirected(self, count: int, connection: int, to: int) -> None:
        """Record that a connection's next tasks were refused before anything was done, and go to
        another one; a negative number stands for none that takes them yet. They stay in flight, and
        keep their moment of sending."""
        waiting, target = self._waiting[connection], self._waiting[to]
        self.redirected_count += count if connection >= 0 else 0
        while count:
            sent = waiting[0]
            start, stop = sent.start, min(sent.start + count, sent.stop)
            target.append(_Sent(sent.tasks, start, stop, sent.sent_us))
            count -= stop - start
            sent.start = stop
            if stop == sent.stop:
                waiting.popleft()

    def node_lost(self, connection: int) -> None:
        """Record that the connection to one node of several is lost."""
        self.nodes_lost += 1
        self.connection_lost(connection)

    def refuse_held(self) -> None:
        """Count as refused what no node has taken: each was refused, or never sent."""
        for number in [each for each in self._waiting if each < 0]:
            for sent in self._waiting.pop(number):
                self.in_flight -= sent.stop - sent.start
                tasks = sent.tasks.part(sent.start, sent.stop)
                self._accepted(tasks, range(len(tasks)))

    def take_unconfirmed(self) -> list[int]:
        """Sequence numbers of tasks that may never have been in Redis, since the last call: the
        server refused them, or did not answer."""
        unconfirmed, self._unconfirmed = self._unconfirmed, []
        return unconfirmed

    @property
    def answered_before(self) -> int:
        """The sequence number before which every task was answered, or never will be."""
        if self.redirected_count:  # those of a connection are in no order then
            first = [sent for waiting in self._waiting.values() for sent in waiting]
        else:
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

    def buckets(self, bounds_us: tuple[int, ...]) -> BucketCounter:
        """What counts the latencies that have been counted by then in buckets."""
        return BucketCounter(self._intervals, bounds_us)

    def measured(self) -> MeasuredLatencies:
        """All latencies so far."""
        self.count()
        return MeasuredLatencies(
            self._intervals.parts(), self._latency_series, self._intervals.narrow()
        )

    def ledger(self) -> ProducerLedger:
        """What was sent, acknowledged and refused. To be called at the end: no reply may follow."""
        self.connection_lost()
        self.count()
        self._ledger.due = self._ledger.sent = self.sent_count
        return self._ledger

    def count(self) -> None:
        """Count everything that was noted."""
        if len(self._sent):
            self._count_sent()
        if len(self._acknowledged):
            self._count_acknowledged()

    def _count_sent(self) -> None:
        pieces, sent_us = self._sent.take()
        tasks = _together(pieces)
        if self.held_times is not None and not self._is_closed_loop:
            self.held_times.count(tasks.queue, tasks.due_us, sent_us)
        if self.fine is not None and not self._is_closed_loop:
            lag_us, offsets_us = sent_us - tasks.due_us, sent_us - self._start_us
            self.fine.latencies(Interval.SCHEDULE_LAG, tasks.queue, lag_us, offsets_us)
        if self.send_times is not None:
            self.send_times.count(tasks.sequence, tasks.due_us, sent_us)
        if len(tasks) < _VECTOR_FROM:
            self._count_sent_singly(tasks, sent_us)
            return
        self._offered.add_many(tasks.due_us - self._start_us)
        if not self._is_closed_loop:  # a closed loop has no schedule to lag behind
            lag_us = sent_us - tasks.due_us
            self._intervals.record_by_queue(
                Interval.SCHEDULE_LAG, tasks.queue, lag_us, tasks.due_us
            )

    def _count_acknowledged(self) -> None:
        pieces, latency_us = self._acknowledged.take()
        tasks = _together(pieces)
        if len(tasks) < _VECTOR_FROM:
            self._count_acknowledged_singly(tasks, latency_us)
            return
        self._intervals.record_by_queue(Interval.ENQUEUE, tasks.queue, latency_us, tasks.due_us)
        self._latency_series.add(tasks.due_us - self._start_us, latency_us)
        self._ledger.acknowledge([piece.sequence for piece in pieces])

    def _count_sent_singly(self, tasks: Tasks, sent_us: Integers) -> None:
        rows = zip(tasks.due_us.tolist(), tasks.queue.tolist(), sent_us.tolist(), strict=True)
        for due_us, queue, moment_us in rows:
            self._offered.add(due_us - self._start_us, 1)
            if not self._is_closed_loop:
                lag_us = moment_us - due_us
                self._intervals.record_one(Interval.SCHEDULE_LAG, queue, lag_us, due_us)

    def _count_acknowledged_singly(self, tasks: Tasks, latency_us: Integers) -> None:
        rows = zip(tasks.due_us.tolist(), tasks.queue.tolist(), latency_us.tolist(), strict=True)
        for due_us, queue, value_us in rows:
            self._intervals.record_one(Interval.ENQUEUE, queue, value_us, due_us)
            self._latency_series.add_sum(due_us - self._start_us, value_us, 1)
        self._ledger.acknowledged.add(tasks.sequence)

    def _accepted(self, tasks: Tasks, refused: Sequence[int]) -> Tasks:
        """Count the tasks with these indices as refused; returns the others."""
        sequences = tasks.sequence[refused]
        self.refused_count += len(refused)
        self._unconfirmed.extend(sequences.tolist())
        self._ledger.refuse(sequences)
        for queue in tasks.queue[refused].tolist():
            self._refused_by_queue[queue] = self._refused_by_queue.get(queue, 0) + 1
        accepted = np.ones(len(tasks), np.bool_)
        accepted[refused] = False
        return Tasks(tasks.sequence[accepted], tasks.due_us[accepted], tasks.queue[accepted])


def _together(pieces: Sequence[Tasks]) -> Tasks:
    if len(pieces) == 1:
        return pieces[0]
    return Tasks(
        np.concatenate([piece.sequence for piece in pieces]),
        np.concatenate([piece.due_us for piece in pieces]),
        np.concatenate([piece.queue for piece in pieces]),
    )
