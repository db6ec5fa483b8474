"""Queries about many tasks at once, from outside: has each of them ended?"""

import select
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import hiredis

from bench.errors import MeasurementError
from bench.redisio.connection import ByteStream, ConnectionLost
from bench.wire.layout_contract import (
    Command,
    Layout,
    Reservation,
    TaskOutcome,
    outcome_of,
    state_of,
)
from bench.wire.refusals import is_of_another_server
from bench.wire.transitions import Transition
from bench.workload.scenario_fields import CompletionSignal

_ANSWER_TIMEOUT_S = 10.0

ByQueue = Mapping[str, Sequence[bytes]]
"""Task ids by queue. Results come in the order of the mapping, one for each id."""


class Queries(Protocol):
    """Queries about tasks. All of them raise ConnectionLost, and MeasurementError when the server
    refuses."""

    @property
    def queried(self) -> int:
        """Commands sent so far."""
        ...

    def outcomes(self, by_queue: ByQueue) -> list[TaskOutcome | None]:
        """How each task ended, by what the scenario says shows it; None for not yet."""
        ...

    def settled(self, by_queue: ByQueue) -> list[TaskOutcome | None]:
        """How each task ended, by its state and, where the scenario says so, a stored result."""
        ...

    def states(self, by_queue: ByQueue) -> list[str]:
        """The state that the hash of each task holds; ``no hash`` where there is none."""
        ...

    def hashes(self, by_queue: ByQueue) -> list[Any]:
        """The hash of each task, as the layout's ``read`` takes it; empty where it is gone."""
        ...

    def reconnect(self) -> None:
        """Go on with a new connection. Raises ServerUnreachable."""
        ...


class TaskQueries:
    """Queries on one connection, which ``connect`` opens; each call waits for its replies.

    Raises ServerUnreachable when ``connect`` does.
    """

    def __init__(
        self,
        connect: Callable[[], ByteStream],
        layout: Layout,
        queues: Sequence[str],
        seen_by: CompletionSignal,
    ) -> None:
        self._connect = connect
        self._by_result = seen_by == "result"

        def end(task: Reservation) -> Sequence[Command]:
            query = layout.has_result if self._by_result else layout.state
            return (query(task.queue, task.id),)

        def load(task: Reservation) -> Sequence[Command]:
            return (layout.load(task.queue, task.id),)

        def state(task: Reservation) -> Sequence[Command]:
            return (layout.state(task.queue, task.id),)

        self._end = {queue: Transition(end, queue) for queue in queues}
        self._state = {queue: Transition(state, queue) for queue in queues}
        self._load = {queue: Transition(load, queue) for queue in queues}
        self._connection = connect()
        self._reader = hiredis.Reader()
        self.queried = 0
        """Commands sent so far."""

    def outcomes(self, by_queue: ByQueue) -> list[TaskOutcome | None]:
        """How each task ended, by what the scenario says shows it; None for not yet.

        Raises ConnectionLost, and MeasurementError when the server refuses.
        """
        return [self._outcome(reply) for reply in self._query(self._end, by_queue)]

    def settled(self, by_queue: ByQueue) -> list[TaskOutcome | None]:
        """How each task ended, by its state and, where the scenario says so, a stored result.

        Raises ConnectionLost, and MeasurementError when the server refuses.
        """
        outcomes = [outcome_of(reply) for reply in self._query(self._state, by_queue)]
        if not self._by_result:
            return outcomes
        results = self._query(self._end, by_queue)
        return [
            TaskOutcome.COMPLETED if result and outcome is not TaskOutcome.ARCHIVED else outcome
            for outcome, result in zip(outcomes, results, strict=True)
        ]

    def states(self, by_queue: ByQueue) -> list[str]:
        """The state that the hash of each task holds; ``no hash`` where there is none.

        Raises ConnectionLost, and MeasurementError when the server refuses.
        """
        return [
            "no hash" if state is None else state
            for state in map(state_of, self._query(self._state, by_queue))
        ]

    def hashes(self, by_queue: ByQueue) -> list[Any]:
        """The hash of each task, as the layout's ``read`` takes it; empty where it is gone.

        Raises ConnectionLost, and MeasurementError when the server refuses.
        """
        return self._query(self._load, by_queue)

    def reconnect(self) -> None:
        """Go on with a new connection. Raises ServerUnreachable."""
        connection = self._connect()
        self.close()
        self._connection, self._reader = connection, hiredis.Reader()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _outcome(self, reply: Any) -> TaskOutcome | None:  # whatever the server replied
        if self._by_result:
            return TaskOutcome.COMPLETED if reply else None
        return outcome_of(reply)

    def _query(self, commands: Mapping[str, Transition], by_queue: ByQueue) -> list[Any]:
        count = sum(map(len, by_queue.values()))
        self.queried += count
        self._connection.send(
            b"".join(commands[queue].render(ids) for queue, ids in by_queue.items())
        )
        replies: list[Any] = []
        while len(replies) < count:
            writing = [self._connection] if self._connection.unsent_bytes else []
            ready = select.select([self._connection], writing, [], _ANSWER_TIMEOUT_S)
            if not any(ready):
                raise ConnectionLost("the server does not answer")
            self._connection.flush()
            self._reader.feed(self._connection.receive())
            while (reply := self._reader.gets()) is not False:
                if isinstance(reply, hiredis.ReplyError):
                    if is_of_another_server(str(reply)):
                        raise ConnectionLost(str(reply))
                    raise MeasurementError(f"the server refuses an observer's query: {reply}")
                replies.append(reply)
        return replies
