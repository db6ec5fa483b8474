"""Looking at many tasks at once, from outside: has each of them ended?"""

import select
from collections.abc import Mapping, Sequence
from typing import Any

import hiredis

from bench.errors import MeasurementError
from bench.redisio.connection import ConnectionLost, RawConnection
from bench.wire.layout import Command, Layout, Reservation, TaskOutcome, outcome_of, state_of
from bench.wire.transitions import Transition
from bench.workload.scenario import CompletionSignal

_ANSWER_TIMEOUT_S = 10.0


class TaskQueries:
    """One connection that asks about tasks, and waits for the answers.

    Raises ServerUnreachable when it cannot be opened.
    """

    def __init__(
        self, url: str, layout: Layout, queues: Sequence[str], seen_by: CompletionSignal
    ) -> None:
        self._url = url
        self._by_result = seen_by == "result"

        def look(taken: Reservation) -> Sequence[Command]:
            ask = layout.has_result if self._by_result else layout.state
            return (ask(taken.queue, taken.id),)

        def load(taken: Reservation) -> Sequence[Command]:
            return (layout.load(taken.queue, taken.id),)

        def state(taken: Reservation) -> Sequence[Command]:
            return (layout.state(taken.queue, taken.id),)

        self._query_due = {queue: Transition(look, queue) for queue in queues}
        self._state = {queue: Transition(state, queue) for queue in queues}
        self._load = {queue: Transition(load, queue) for queue in queues}
        self._connection = RawConnection(url)
        self._reader = hiredis.Reader()
        self.queried = 0
        """Commands sent so far."""

    def states(self, by_queue: Mapping[str, Sequence[bytes]]) -> list[str]:
        """What the hash of each of these tasks says of it. Raises as ``outcomes`` does."""
        return [
            "no hash" if state is None else state
            for state in map(state_of, self._query(self._state, by_queue))
        ]

    def outcomes(self, by_queue: Mapping[str, Sequence[bytes]]) -> list[TaskOutcome | None]:
        """How each of these tasks ended, in the order of the mapping; None for not yet.

        Raises ConnectionLost, and MeasurementError when the server refuses.
        """
        return [self._outcome(reply) for reply in self._query(self._query_due, by_queue)]

    def hashes(self, by_queue: Mapping[str, Sequence[bytes]]) -> list[Any]:
        """The hash of each of these tasks, as the layout's ``read`` takes it; empty where it is
        gone. Raises as ``outcomes`` does."""
        return self._query(self._load, by_queue)

    def reconnect(self) -> None:
        """On a new connection. Raises ServerUnreachable."""
        wire = RawConnection(self._url)
        self.close()
        self._connection, self._reader = wire, hiredis.Reader()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def settled(self, by_queue: Mapping[str, Sequence[bytes]]) -> list[TaskOutcome | None]:
        """The same at the end, where a stored result counts as well as the state."""
        outcomes = [outcome_of(reply) for reply in self._query(self._state, by_queue)]
        if not self._by_result:
            return outcomes
        results = self._query(self._query_due, by_queue)
        return [
            TaskOutcome.COMPLETED if result and outcome is not TaskOutcome.ARCHIVED else outcome
            for outcome, result in zip(outcomes, results, strict=True)
        ]

    def _outcome(self, reply: Any) -> TaskOutcome | None:  # whatever the server said
        if self._by_result:
            return TaskOutcome.COMPLETED if reply else None
        return outcome_of(reply)

    def _query(
        self, steps: Mapping[str, Transition], by_queue: Mapping[str, Sequence[bytes]]
    ) -> list[Any]:
        count = sum(map(len, by_queue.values()))
        self.queried += count
        self._connection.send(b"".join(steps[queue].render(ids) for queue, ids in by_queue.items()))
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
                    raise MeasurementError(f"the server refuses to be looked at: {reply}")
                replies.append(reply)
        return replies
