"""Records when tasks were acknowledged as was asked for, beside the server's own reply."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.measure.fine_recorder import FineRecorder
from bench.measure.recorder import Interval
from bench.measure.send_times import SendTimes
from bench.measure.window import TimeLine
from bench.producer.held_times import HeldTimes
from bench.producer.recorder import ProducerRecorder
from bench.wire.frames import Tasks


@dataclass(frozen=True, slots=True)
class _AckedByServer:
    """Tasks that the server has acknowledged together, and as far as is known nobody else."""

    tasks: Tasks
    acked_us: int


class DurableRecorder(ProducerRecorder):
    """A recorder for which a task is in flight until it was acknowledged as was asked for."""

    def __init__(
        self,
        line: TimeLine,
        is_closed_loop: bool,
        fine: FineRecorder | None = None,
        held_times: HeldTimes | None = None,
        *,
        send_times: SendTimes | None = None,
    ) -> None:
        super().__init__(line, is_closed_loop, fine, held_times, send_times=send_times)
        self._awaiting: dict[int, deque[_AckedByServer]] = {}
        """What the server has acknowledged, by connection."""

    def answered(
        self, count: int, acked_us: int, refused: Sequence[int] = (), connection: int = 0
    ) -> None:
        """As in any recorder; what was not refused stays in flight."""
        pieces = self._next_accepted(count, refused, connection)
        super().answered(count, acked_us, refused, connection)
        awaiting = self._awaiting.setdefault(connection, deque())
        for tasks in pieces:
            awaiting.append(_AckedByServer(tasks, acked_us))
            self.in_flight += len(tasks)

    def _next_accepted(self, count: int, refused: Sequence[int], connection: int) -> list[Tasks]:
        """The next tasks of a connection, without those with these indices among them."""
        accepted = np.ones(count, np.bool_)
        accepted[list(refused)] = False
        pieces, first = [], 0
        for sent in self._waiting[connection]:
            stop = min(sent.stop, sent.start + count - first)
            if stop <= sent.start:
                break
            part = sent.tasks.part(sent.start, stop)
            chosen = accepted[first : first + len(part)]
            first += len(part)
            if chosen.any():
                pieces.append(Tasks(part.sequence[chosen], part.due_us[chosen], part.queue[chosen]))
        return pieces

    def replicated(self, is_as_asked: bool, at_us: int, connection: int) -> None:
        """Record the reply that speaks of all that a connection's tasks had been acknowledged."""
        for each in self._awaiting.pop(connection, ()):
            self.in_flight -= len(each.tasks)
            if not is_as_asked:
                self._miss(each.tasks)
                continue
            values_us = np.full(len(each.tasks), at_us - each.acked_us)
            self._intervals.record_by_queue(
                Interval.DURABLE, each.tasks.queue, values_us, each.tasks.due_us
            )

    def connection_lost(self, connection: int | None = None) -> None:
        """Record that a connection (None for all) is lost: its tasks in flight stay unknown, and
        those that the server alone had acknowledged are not known to be anywhere else."""
        super().connection_lost(connection)
        for number in [*self._awaiting] if connection is None else [connection]:
            for each in self._awaiting.pop(number, ()):
                self.in_flight -= len(each.tasks)
                self._miss(each.tasks)

    def _miss(self, tasks: Tasks) -> None:
        for queue in tasks.queue.tolist():
            self.not_replicated[queue] = self.not_replicated.get(queue, 0) + 1
