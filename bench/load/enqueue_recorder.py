"""Follows a producer's tasks from due over sent to acknowledged."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.measure.histogram import Integers
from bench.measure.ledger import ProducerLedger
from bench.measure.recorder import (
    FINE_US,
    Events,
    Fine,
    Members,
    Stage,
    StageRecorder,
    TimeLine,
)
from bench.measure.reports import Measured
from bench.wire.frames import Group


@dataclass
class _Waiting:
    """Tasks of one queue that were sent together and wait for their replies."""

    group: Group
    sent_us: int
    answered: int = 0


class EnqueueRecorder:
    """Replies come in the order of the tasks, so a queue of what was sent is all it takes.

    All times are absolute, on the run's clock.
    """

    def __init__(self, line: TimeLine, is_closed_loop: bool) -> None:
        self._start_us = line.start_us
        self._is_closed_loop = is_closed_loop
        self._stages = StageRecorder(line)
        self._waiting: deque[_Waiting] = deque()
        self._fine = Fine()
        self.ledger = ProducerLedger()
        self.offered = Events()
        self.enqueued = Events()
        self.enqueued_count = 0
        self.refused_count = 0
        self.in_flight = 0
        self.first_error = ""
        self.last_reply_us: int | None = None

    def sent(self, groups: Sequence[Group], sent_us: int) -> None:
        """These tasks were handed to the socket."""
        for group in groups:
            self.ledger.sent += len(group)
            self.in_flight += len(group)
            self._waiting.append(_Waiting(group, sent_us))
            self.offered.add_many(group.due_us - self._start_us)
            if not self._is_closed_loop:  # due is sent there: there is no schedule to lag
                parts = self._split(group.due_us)
                self._stages.record(Stage.SCHEDULE_LAG, group.queue, sent_us - group.due_us, parts)

    def answered(self, count: int, acked_us: int, refused: Sequence[int] = ()) -> None:
        """The next ``count`` tasks were answered; ``refused`` are indices among them."""
        self.in_flight -= count
        self.last_reply_us = acked_us
        first = 0
        while count:
            waiting = self._waiting[0]
            tasks = min(count, len(waiting.group) - waiting.answered)
            errors = [index - first for index in refused if first <= index < first + tasks]
            self._acknowledge(waiting, tasks, acked_us, errors)
            first += tasks
            count -= tasks
            waiting.answered += tasks
            if waiting.answered == len(waiting.group):
                self._waiting.popleft()

    def connection_lost(self) -> None:
        """What was on the way will never be answered: it stays unknown."""
        self._waiting.clear()
        self.in_flight = 0

    def note_error(self, message: str) -> None:
        """Keep the first thing that the server complained of."""
        self.first_error = self.first_error or message

    def measured(self) -> Measured:
        """All latencies so far."""
        return Measured(self._stages.parts(), self._fine)

    def _acknowledge(
        self, waiting: _Waiting, tasks: int, acked_us: int, errors: Sequence[int]
    ) -> None:
        answered = slice(waiting.answered, waiting.answered + tasks)
        due_us = waiting.group.due_us[answered]
        sequence = waiting.group.sequence[answered]
        if errors:
            self.ledger.refused.add(sequence[list(errors)])
            self.refused_count += len(errors)
            accepted = np.ones(tasks, np.bool_)
            accepted[list(errors)] = False
            due_us, sequence = due_us[accepted], sequence[accepted]
            tasks = len(sequence)
        if tasks:
            self.ledger.acknowledged.add(sequence)
            self.enqueued_count += tasks
            self.enqueued.add(acked_us - self._start_us, tasks)
            latency_us = acked_us - waiting.sent_us
            parts = self._split(due_us)
            self._stages.record_same(Stage.ENQUEUE, waiting.group.queue, latency_us, tasks, parts)
            self._add_to_fine(due_us, latency_us)

    def _split(self, due_us: Integers) -> Sequence[Members]:
        # Within a group due times ascend.
        return self._stages.split_between(due_us, int(due_us[0]), int(due_us[-1]))

    def _add_to_fine(self, due_us: Integers, latency_us: int) -> None:
        first_us = int(due_us[0]) - self._start_us
        last_us = int(due_us[-1]) - self._start_us
        if first_us // FINE_US == last_us // FINE_US:
            self._fine.add_sum(first_us, latency_us * len(due_us), len(due_us))
        else:
            self._fine.add(due_us - self._start_us, np.full(len(due_us), latency_us))
