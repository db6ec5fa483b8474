"""Looking at many tasks at once, from outside: has each of them ended?"""

import select
from collections.abc import Mapping, Sequence
from typing import Any

import hiredis

from bench.errors import MeasurementError
from bench.load.connection import ConnectionLost, Wire
from bench.wire.layout import Command, Ending, Layout, Taken, ending_of, state_of
from bench.wire.steps import Step
from bench.workload.scenario import SeenBy

_ANSWER_TIMEOUT_S = 10.0


class Looks:
    """One connection that asks about tasks, and waits for the answers.

    Raises ServerUnreachable when it cannot be opened.
    """

    def __init__(self, url: str, layout: Layout, queues: Sequence[str], seen_by: SeenBy) -> None:
        self._url = url
        self._by_result = seen_by == "result"

        def look(taken: Taken) -> Sequence[Command]:
            ask = layout.has_result if self._by_result else layout.state
            return (ask(taken.queue, taken.id),)

        def load(taken: Taken) -> Sequence[Command]:
            return (layout.load(taken.queue, taken.id),)

        def state(taken: Taken) -> Sequence[Command]:
            return (layout.state(taken.queue, taken.id),)

        self._look = {queue: Step(look, queue) for queue in queues}
        self._state = {queue: Step(state, queue) for queue in queues}
        self._load = {queue: Step(load, queue) for queue in queues}
        self._wire = Wire(url)
        self._reader = hiredis.Reader()
        self.asked = 0
        """Commands sent so far."""

    def states(self, by_queue: Mapping[str, Sequence[bytes]]) -> list[str]:
        """What the hash of each of these tasks says of it. Raises as ``endings`` does."""
        return [
            "no hash" if state is None else state
            for state in map(state_of, self._ask(self._state, by_queue))
        ]

    def endings(self, by_queue: Mapping[str, Sequence[bytes]]) -> list[Ending | None]:
        """How each of these tasks ended, in the order of the mapping; None for not yet.

        Raises ConnectionLost, and MeasurementError when the server refuses.
        """
        return [self._ending(reply) for reply in self._ask(self._look, by_queue)]

    def hashes(self, by_queue: Mapping[str, Sequence[bytes]]) -> list[Any]:
        """The hash of each of these tasks, as the layout's ``read`` takes it; empty where it is
        gone. Raises as ``endings`` does."""
        return self._ask(self._load, by_queue)

    def reconnect(self) -> None:
        """On a new connection. Raises ServerUnreachable."""
        wire = Wire(self._url)
        self.close()
        self._wire, self._reader = wire, hiredis.Reader()

    def close(self) -> None:
        """Close the connection."""
        self._wire.close()

    def settled(self, by_queue: Mapping[str, Sequence[bytes]]) -> list[Ending | None]:
        """The same at the end, where a stored result counts as well as the state."""
        endings = [ending_of(reply) for reply in self._ask(self._state, by_queue)]
        if not self._by_result:
            return endings
        results = self._ask(self._look, by_queue)
        return [
            Ending.COMPLETED if result and ending is not Ending.ARCHIVED else ending
            for ending, result in zip(endings, results, strict=True)
        ]

    def _ending(self, reply: Any) -> Ending | None:  # whatever the server said
        if self._by_result:
            return Ending.COMPLETED if reply else None
        return ending_of(reply)

    def _ask(self, steps: Mapping[str, Step], by_queue: Mapping[str, Sequence[bytes]]) -> list[Any]:
        count = sum(map(len, by_queue.values()))
        self.asked += count
        self._wire.send(b"".join(steps[queue].render(ids) for queue, ids in by_queue.items()))
        replies: list[Any] = []
        while len(replies) < count:
            writing = [self._wire] if self._wire.unsent_bytes else []
            ready = select.select([self._wire], writing, [], _ANSWER_TIMEOUT_S)
            if not any(ready):
                raise ConnectionLost("the server does not answer")
            self._wire.flush()
            self._reader.feed(self._wire.receive())
            while (reply := self._reader.gets()) is not False:
                if isinstance(reply, hiredis.ReplyError):
                    raise MeasurementError(f"the server refuses to be looked at: {reply}")
                replies.append(reply)
        return replies
