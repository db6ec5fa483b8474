"""What a worker asks of the server, and how it goes on whatever the server answers.

Each call is a generator of operations, to be used with ``yield from`` in a coroutine of the event
loop. A refused command has had no effect, so it is sent again once the server takes it. A command
whose reply was lost with its connection may have had one, so the state of its task decides.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import hiredis

from bench.clock import Clock
from bench.errors import MeasurementError
from bench.inert import excerpt
from bench.redisio.connection import ConnectionLost
from bench.wire import resp
from bench.wire.layout_contract import (
    STATE_ACTIVE,
    STATE_ARCHIVED,
    Command,
    Layout,
    Reservation,
    pending_key,
    state_of,
)
from bench.wire.refusals import Refusal, is_of_another_server, refusal_of
from bench.wire.transitions import Transition
from bench.worker.difficulties import Difficulties
from bench.worker.event_loop import Operation, Reconnect, Request, RequestNoReply, Sleep

REFUSED_FOR_US = 300_000_000
"""How long the server may go on refusing a command before the worker gives up: loading a large
data set or electing a new primary takes minutes."""
RETRY_EVERY_US = 100_000
_PASSING = (Refusal.LATER, Refusal.SCRIPT_UNKNOWN)

Errors = Sequence[tuple[int, str]]
"""(index of a command, the server's message) for each command that was refused."""
NotMoved = dict[int, str]
"""Indices of tasks that a move did not move, with the server's message; it is empty for a task
that is gone or waits in its queue again."""
ListCall = Generator[Operation, Any, list[Any]]
MoveCall = Generator[Operation, Any, NotMoved]
Again = Callable[[], ListCall]
"""A call that returns the commands to send once it is not known whether others took effect."""


@dataclass(frozen=True)
class TaskMove:
    """A move of tasks from one state to another."""

    step: Transition
    reached: frozenset[str | None]
    """The states of a task that show that it took place; None for one whose hash is gone."""
    is_start: bool = False
    """Whether it begins with a task that was only popped."""
    after_start: "TaskMove | None" = None
    """What is left of it for a task that is active."""


class RetryPause:
    """Waits between attempts at something that the server refuses for now.

    Raises MeasurementError when it has been refused for ``REFUSED_FOR_US``.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since_us: int | None = None

    def wait(self, message: str) -> Generator[Operation, Any, None]:
        """Let some time pass, after that refusal."""
        now_us = self._clock.now_us()
        if self._since_us is None:
            self._since_us = now_us
        if now_us - self._since_us >= REFUSED_FOR_US:
            raise MeasurementError(
                f"the server has refused a worker's commands for {REFUSED_FOR_US // 1_000_000} s "
                f"({excerpt(message)}): look at its state, and start the worker again"
            )
        yield Sleep(now_us + RETRY_EVERY_US)

    def reset(self) -> None:
        """Begin again, as the server has carried out a command."""
        self._since_us = None


class ServerCalls:
    """The calls of one worker. ``one_by_one``: each command waits for the reply to the one before.

    All of them raise MeasurementError for a refusal that will not pass.
    """

    def __init__(
        self, layout: Layout, clock: Clock, difficulties: Difficulties, *, one_by_one: bool
    ) -> None:
        self._layout = layout
        self._clock = clock
        self._difficulties = difficulties
        self._one_by_one = one_by_one

    def read(self, data: bytes, replies: int) -> ListCall:
        """Replies to commands that only read; there may be errors among them that will not pass."""
        pause = RetryPause(self._clock)
        while True:
            try:
                found: list[Any] = yield Request(data, replies)
            except ConnectionLost:
                self._difficulties.lost_connection()
                continue
            if hiredis.ReplyError not in set(map(type, found)):  # without a step for each reply
                return found
            errors = [str(each) for each in found if isinstance(each, hiredis.ReplyError)]
            passing = [each for each in errors if self.noted(each) in _PASSING]
            if not passing:
                return found
            yield from self.wait(passing, pause)

    def load(self, step: Transition, task_ids: Sequence[bytes]) -> ListCall:
        """What the layout reads of each task: a reply, or the error of a key that is no task."""
        data = step.render(task_ids)
        while True:
            found = yield from self.read(data, len(task_ids))
            if int not in set(map(type, found)):
                return found
            try:
                yield Reconnect()  # these answer other commands
            except ConnectionLost:
                self._difficulties.lost_connection()

    def move(
        self,
        move: TaskMove,
        queue: str,
        task_ids: Sequence[bytes],
        messages: Sequence[bytes] = (),
        *,
        pipelined: bool = False,
    ) -> MoveCall:
        """Carry out a move of tasks (n,); returns those that were not moved.

        ``pipelined``: with one request, even where commands are otherwise sent one by one.
        """
        now_s = self._clock.now_us() // 1_000_000
        try:
            if self._one_by_one and not pipelined:
                errors = yield from self._send_singly(move.step, task_ids, messages, now_s)
            else:
                data = move.step.render(task_ids, now_s, messages)
                errors = yield RequestNoReply(data, move.step.replies_per_task * len(task_ids))
            if not errors:
                return {}
            hopeless = yield from self._repeat(move.step, task_ids, messages, now_s, errors)
        except ConnectionLost:
            self._difficulties.lost_connection()
            return (yield from self._settle(move, queue, task_ids, messages, pipelined))
        if hopeless and move.is_start:
            return (yield from self._give_back(move, queue, task_ids, hopeless))
        return hopeless

    def write(self, commands: Sequence[Command], again: Again) -> ListCall:
        """Carry out commands; returns the refusals that will not pass.

        Where the reply is lost with the connection, they may have taken effect: ``again`` is called
        for those to be sent then.
        """
        pause = RetryPause(self._clock)
        refused: list[str] = []
        while commands:
            try:
                errors: Errors = yield RequestNoReply(resp.encode(commands), len(commands))
                passing = [each for each in errors if self.noted(each[1]) in _PASSING]
                refused += [text for _, text in errors if refusal_of(text) not in _PASSING]
                commands = [commands[index] for index, _ in passing]
                yield from self._prepare_again([text for _, text in passing], pause)
            except ConnectionLost:
                self._difficulties.lost_connection()
                commands = yield from again()
        return refused

    def push_back(
        self, queue: str, task_ids: Sequence[bytes], commands: Sequence[Command]
    ) -> ListCall:
        """Carry out commands that push ids (n,) where they were popped, each of them once."""

        def again() -> ListCall:
            yield from ()
            return [*_take_off(self._layout, queue, task_ids), *commands]

        return (yield from self.write(commands, again))

    def set_aside(self, queue: str, commands_of: Mapping[bytes, Sequence[Command]]) -> ListCall:
        """Carry out commands, by id, that archive tasks, each of them once."""

        def again() -> ListCall:
            states = yield from self._states(queue, [*commands_of])
            ended = (STATE_ARCHIVED, None)
            left = [
                each for each, state in zip(commands_of, states, strict=True) if state not in ended
            ]
            return [command for task_id in left for command in commands_of[task_id]]

        commands = [command for each in commands_of.values() for command in each]
        return (yield from self.write(commands, again))

    def leave_active(self, queue: str, task_ids: Sequence[bytes]) -> ListCall:
        """Put ids on the active list, each of them once, as nothing else can be done with them."""
        now_s = self._clock.now_us() // 1_000_000
        active = self._layout.active(queue)
        commands = [
            command
            for task_id in task_ids
            for command in self._layout.start(_reservation(queue, task_id, now_s))
        ]

        def again() -> ListCall:
            yield from ()
            return [*(("LREM", active, "1", task_id) for task_id in task_ids), *commands]

        return (yield from self.write(commands, again))

    def wait(self, messages: Sequence[str], pause: RetryPause) -> Generator[Operation, Any, None]:
        """Let some time pass after these refusals, at least one; and go on on a new connection
        where another server may be the one to ask by then. What was refused has had no effect, so
        that nothing is in doubt on the old one."""
        yield from pause.wait(messages[0])
        if any(map(is_of_another_server, messages)):
            try:
                yield Reconnect()
            except ConnectionLost:
                self._difficulties.lost_connection()

    def noted(self, message: str) -> Refusal:
        """What a refusal means, having counted it. Raises MeasurementError for one that ends the
        worker."""
        meaning = refusal_of(message)
        if meaning in _PASSING:
            self._difficulties.refused(message)
        elif meaning is not Refusal.KEY:
            raise MeasurementError(
                f"the server refuses a worker's command ({excerpt(message)}): grant it in the ACL "
                "('bench acl' prints what is needed), or use a server that knows it"
            )
        return meaning

    def _send_singly(
        self, step: Transition, task_ids: Sequence[bytes], messages: Sequence[bytes], now_s: int
    ) -> Generator[Operation, Any, Errors]:
        refused: list[tuple[int, str]] = []
        for index, command in enumerate(step.singly(task_ids, now_s, messages)):
            errors = yield RequestNoReply(command, 1)
            if errors:
                refused.append((index, errors[0][1]))
        return refused

    def _repeat(
        self,
        step: Transition,
        task_ids: Sequence[bytes],
        messages: Sequence[bytes],
        now_s: int,
        errors: Errors,
    ) -> MoveCall:
        """Send refused commands, and only those, until the server takes them.

        Returns the tasks of which one was refused for good. Raises ConnectionLost.
        """
        commands = _commands(step, task_ids, messages, now_s)
        hopeless: NotMoved = {}
        pause = RetryPause(self._clock)
        while True:
            passing: list[tuple[int, str]] = []
            for index, message in errors:
                if self.noted(message) in _PASSING:
                    passing.append((index, message))
                else:
                    hopeless.setdefault(index // step.replies_per_task, message)
            if not passing:
                return hopeless
            yield from self._prepare_again([message for _, message in passing], pause)
            data = resp.encode([commands[index] for index, _ in passing])
            found: Errors = yield RequestNoReply(data, len(passing))
            errors = [(passing[index][0], message) for index, message in found]

    def _prepare_again(
        self, messages: Sequence[str], pause: RetryPause
    ) -> Generator[Operation, Any, None]:
        """Load scripts that the server does not know, and wait for it. Raises ConnectionLost."""
        if any(refusal_of(each) is Refusal.SCRIPT_UNKNOWN for each in messages):
            texts = self._layout.scripts
            yield Request(resp.encode([("SCRIPT", "LOAD", text) for text in texts]), len(texts))
        if messages:
            yield from self.wait(messages, pause)

    def _settle(
        self,
        move: TaskMove,
        queue: str,
        task_ids: Sequence[bytes],
        messages: Sequence[bytes],
        pipelined: bool,
    ) -> MoveCall:
        """Finish a move of which it is not known how far it has come."""
        not_moved: NotMoved = {}
        left, unclear = [], []
        for index, state in enumerate((yield from self._states(queue, task_ids))):
            if state in move.reached:
                continue
            if state is not None and (not move.is_start or state == STATE_ACTIVE):
                left.append(index)
            else:
                not_moved[index] = ""
                if state is not None:
                    unclear.append(index)
        if left:
            chosen = [messages[index] for index in left] if messages else ()
            rest = move.after_start or move
            names = [task_ids[index] for index in left]
            again = yield from self.move(rest, queue, names, chosen, pipelined=pipelined)
            not_moved |= {left[index]: message for index, message in again.items()}
        now_s = self._clock.now_us() // 1_000_000
        commands = [
            command
            for index in reversed(unclear)
            for command in self._layout.put_back(_reservation(queue, task_ids[index], now_s))
        ]
        yield from self.push_back(queue, [task_ids[index] for index in unclear], commands)
        return not_moved

    def _give_back(
        self, move: TaskMove, queue: str, task_ids: Sequence[bytes], hopeless: NotMoved
    ) -> MoveCall:
        """Undo the pop of tasks that cannot be started, unless they have ended all the same."""
        found = yield from self._states(queue, [task_ids[index] for index in hopeless])
        not_moved: NotMoved = {}
        back = []
        for (index, message), state in zip(hopeless.items(), found, strict=True):
            if move.after_start is not None and state in move.reached:
                continue
            not_moved[index] = message if state is not None else ""
            if state is not None:
                back.append(task_ids[index])
        if back:
            yield from self.push_back(queue, back, [undo_pop(self._layout, queue, back)])
        return not_moved

    def _states(self, queue: str, task_ids: Sequence[bytes]) -> ListCall:
        """The state of each task: a text, None if its hash is gone, or empty if it has none."""
        names = [task_id.decode(errors="surrogateescape") for task_id in task_ids]
        data = resp.encode([self._layout.state(queue, name) for name in names])
        replies = yield from self.read(data, len(names))
        return [state_of(reply) if isinstance(reply, list) else "" for reply in replies]


def undo_pop(layout: Layout, queue: str, task_ids: Sequence[bytes]) -> Command:
    """The command after which these ids are popped again, in the same order."""
    key = pending_key(layout, queue)
    return ("LPUSH" if key.pops_from_head else "RPUSH", key.key, *reversed(task_ids))


def _take_off(layout: Layout, queue: str, task_ids: Sequence[bytes]) -> list[Command]:
    """The commands that remove ids from the end of the list at which they are popped."""
    key = pending_key(layout, queue)
    count = "1" if key.pops_from_head else "-1"
    return [("LREM", key.key, count, task_id) for task_id in task_ids]


def _reservation(queue: str, task_id: bytes, now_s: int) -> Reservation:
    return Reservation(queue, task_id.decode(errors="surrogateescape"), now_s)


def _commands(
    step: Transition, task_ids: Sequence[bytes], messages: Sequence[bytes], now_s: int
) -> list[Command]:
    """The commands of all these tasks, task by task."""
    texts = messages or [b""] * len(task_ids)
    pairs = zip(task_ids, texts, strict=True)
    return [command for pair in pairs for command in step.commands(*pair, now_s)]
