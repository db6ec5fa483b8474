"""Takes tasks from queues, with the commands that the server knows and from the queues it can."""

import random
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import hiredis

from bench.clock import Clock
from bench.redisio.connection import ConnectionLost
from bench.wire.layout_contract import Layout
from bench.wire.pops import PopRenderer
from bench.wire.refusals import Refusal, code_of, refusal_of
from bench.worker.difficulties import Difficulties
from bench.worker.event_loop import Operation, Reconnect, Request, Sleep
from bench.worker.server_calls import RetryPause, ServerCalls
from bench.workload.scenario_fields import Priority

BLOCK_S = 2
"""How long a worker waits on empty queues at a time."""
_PROMPT_US = 200
"""A pop that was answered within this time has found a task that waited: the next one will too."""
LEAST_PAUSE_US, MOST_PAUSE_US = 500, 4_000
"""How long a worker waits that has found several queues of a cluster empty, one after the other."""
UNUSABLE_US = 1_000_000
"""How long a queue that cannot be served is left alone."""
_LISTS = (b"list", b"none")

Popped = tuple[str, Sequence[bytes]]
PopCall = Generator[Operation, Any, Popped]
_NOTHING: Popped = ("", ())


class Popping:
    """The pops of one worker. ``queues`` are the weights of
    their priorities by queue, highest first."""

    def __init__(
        self,
        layout: Layout,
        queues: Mapping[str, float],
        priority: Priority,
        seed: int,
        clock: Clock,
        calls: ServerCalls,
        difficulties: Difficulties,
        *,
        in_batches: bool,
    ) -> None:
        self._weights = dict(queues)
        self._queues = tuple(queues)
        self._is_strict = priority == "strict"
        self._random = random.Random(seed)  # noqa: S311 - not for secrets
        self._clock = clock
        self._calls = calls
        self._difficulties = difficulties
        self._pops = PopRenderer(layout, self._queues, BLOCK_S)
        self._pause = RetryPause(clock)
        self._unusable: dict[str, int] = {}
        """Queues that cannot be served, and until when they are left alone."""
        self._in_batches = in_batches
        self._may_block = True
        """Whether the next pop is likely to wait in the server. Where tasks are taken one by one, a
        process that sleeps for each of them loses more time than the pop takes."""
        self._pops_many = in_batches and layout.pop_many_command is not None
        """Whether one command pops many ids; the server is believed to know it until it refuses."""
        self._are_apart = False
        """Whether the queues lie in several slots of a cluster, where no command pops from more
        than one; believed not to be so until a pop is refused for it."""
        self._pause_us = LEAST_PAUSE_US
        self._knows_count = True
        """Whether the server pops several ids of one queue at once; Redis 6.2 and later do."""

    def take(self, room: int) -> PopCall:
        """Up to ``room`` ids of one queue; none if all queues stayed empty, or for a moment cannot
        be popped. Raises MeasurementError for a refusal that will not pass."""
        queues = self._queues_in_order()
        if not queues:
            yield Sleep(min(self._unusable.values()))
            return _NOTHING
        if self._are_apart and len(queues) > 1:
            return (yield from self._take_in_turn(queues, room))
        is_many = self._pops_many
        data = self._pops.many(queues, room) if is_many else self._pops.one(queues)
        asked_us = self._clock.now_us()
        try:
            (reply,) = yield Request(data, 1, self._may_block)
        except ConnectionLost:
            self._difficulties.lost_connection()
            return _NOTHING
        if isinstance(reply, hiredis.ReplyError):
            yield from self._refused(str(reply), queues, is_many=is_many)
            return _NOTHING
        self._pause.reset()
        self._may_block = self._in_batches or self._clock.now_us() - asked_us > _PROMPT_US
        try:
            queue, task_ids = self._pops.read(reply)
        except ValueError:
            yield from self._reconnect()
            return _NOTHING
        if task_ids and not is_many and room > 1:
            task_ids = [*task_ids, *(yield from self._more(queue, room - 1))]
        return queue, task_ids

    def leave(self, queue: str, message: str) -> None:
        """Leave a queue alone for a moment, as its tasks cannot be started."""
        self._difficulties.unusable(queue, message)
        self._unusable[queue] = self._clock.now_us() + UNUSABLE_US

    def _queues_in_order(self) -> tuple[str, ...]:
        """Strict: always the same order. Weighted: a random order in which heavier queues are
        likelier to come first."""
        queues = self._queues
        if self._unusable:
            now_us = self._clock.now_us()
            self._unusable = {
                queue: until_us for queue, until_us in self._unusable.items() if until_us > now_us
            }
            queues = tuple(queue for queue in queues if queue not in self._unusable)
        if self._is_strict:
            return queues
        # The order of exponential draws, each with its weight as rate, is a weighted shuffle
        # (Efraimidis and Spirakis, 2006).
        drawn = {queue: self._random.expovariate(self._weights[queue]) for queue in queues}
        return tuple(sorted(queues, key=drawn.__getitem__))

    def _take_in_turn(self, queues: Sequence[str], room: int) -> PopCall:
        """Up to ``room`` ids of the first of these queues that has any, asking one after the other;
        where all are empty, none after a pause, which doubles up to ``MOST_PAUSE_US``."""
        for queue in queues:
            task_ids = yield from self._more(queue, room)
            if task_ids:
                self._pause_us = LEAST_PAUSE_US
                return queue, task_ids
        yield Sleep(self._clock.now_us() + self._pause_us)
        self._pause_us = min(2 * self._pause_us, MOST_PAUSE_US)
        return _NOTHING

    def _more(self, queue: str, count: int) -> Generator[Operation, Any, list[bytes]]:
        """Up to ``count`` further ids of a queue that has just been popped, without waiting."""
        singly = not self._knows_count
        data = self._pops.singly(queue, count) if singly else self._pops.more(queue, count)
        try:
            replies = yield Request(data, count if singly else 1)
        except ConnectionLost:
            self._difficulties.lost_connection()
            return []
        for reply in replies:
            if isinstance(reply, hiredis.ReplyError):
                if refusal_of(str(reply)) is Refusal.COMMAND_UNKNOWN and not singly:
                    self._knows_count = False
                else:
                    self._calls.noted(str(reply))
        return self._pops.read_more(replies)

    def _refused(
        self, message: str, queues: Sequence[str], *, is_many: bool
    ) -> Generator[Operation, Any, None]:
        meaning = refusal_of(message)
        if code_of(message) == "CROSSSLOT":
            self._are_apart = True
        elif is_many and meaning in (Refusal.COMMAND_UNKNOWN, Refusal.FORBIDDEN):
            self._pops_many = False  # servers before Redis 7, and users who may not
        elif self._calls.noted(message) is Refusal.KEY:
            yield from self._find_unusable(queues, message)
        else:
            yield from self._calls.wait([message], self._pause)

    def _find_unusable(
        self, queues: Sequence[str], message: str
    ) -> Generator[Operation, Any, None]:
        """Leave alone those queues whose keys are no lists, so that the others are served."""
        types = yield from self._calls.read(self._pops.types(queues), len(queues))
        wrong = [queue for queue, kind in zip(queues, types, strict=True) if kind not in _LISTS]
        for queue in wrong:
            self.leave(queue, message)
        if not wrong:  # it is no list's fault, or was replaced meanwhile
            yield from self._pause.wait(message)

    def _reconnect(self) -> Generator[Operation, Any, None]:
        try:
            yield Reconnect()
        except ConnectionLost:
            self._difficulties.lost_connection()
