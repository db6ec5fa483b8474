"""Many conversations with Redis in one thread.

A lane is a generator that yields what it wants to happen next and is resumed with the outcome: it
asks Redis something and gets the replies, or pauses until a moment. It holds the logic and does no
I/O; the loop here does the I/O and holds no logic.

``select`` is used rather than ``epoll``, because it waits in microseconds: service times and
pauses well under a millisecond keep their length.
"""

import heapq
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import hiredis

from bench.clock import Clock
from bench.load.connection import ConnectionLost, Wire
from bench.load.waiting import wait_for
from bench.wire.replies import LineReplies

FOREVER_US = 1 << 62


@dataclass(frozen=True, slots=True)
class Ask:
    """Send these bytes; resume with that many replies, errors among them as exceptions."""

    data: bytes
    replies: int
    may_block: bool = False
    """Whether the server may keep the answer back, as for BRPOP."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Like Ask, for commands that answer with a line each: resume with the error messages only."""

    data: bytes
    replies: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Resume at that moment on the run's clock, or when woken."""

    until_us: int


Request = Ask | Tell | Pause
Lane = Generator[Request, Any, None]
LaneFactory = Callable[[], Lane]
Outcome = TypeVar("Outcome")


class _Conversation:
    """A lane, its connection, and the replies it is waiting for."""

    def __init__(self, factory: LaneFactory, wire: Wire) -> None:
        self.factory = factory
        self.lane = factory()
        self.wire = wire
        self.descriptor = wire.fileno()
        self.reader = hiredis.Reader()
        self.lines = LineReplies()
        self.waits_for_lines = False
        self.may_block = False
        self.missing = 0
        self.replies: list[Any] = []
        self.paused_until_us: int | None = None

    def take(self, data: bytes) -> bool:
        """Add what has arrived; return whether the lane can go on."""
        if self.waits_for_lines:
            lines = self.lines.feed(data)
            self.missing -= lines.count
            self.replies.extend(message for _, message in lines.errors)
        else:
            self.reader.feed(data)
            gets = self.reader.gets
            while self.missing and (reply := gets()) is not False:
                self.replies.append(reply)
                self.missing -= 1
        return self.missing <= 0


class Lanes:
    """Runs lanes until all have ended. A lane whose connection is lost is closed where it stands.

    ``on_loss`` is then called with what ``add`` was given for it.
    """

    def __init__(self, clock: Clock, on_loss: Callable[[LaneFactory], None]) -> None:
        self._clock = clock
        self._on_loss = on_loss
        self._conversations: list[_Conversation] = []
        self._listening: dict[int, _Conversation] = {}
        """By file descriptor: those that wait for replies."""
        self._sending: dict[int, _Conversation] = {}
        """Those with bytes that the socket did not take yet."""
        self._prompt = 0
        """How many wait for a reply that should come at once."""
        self._alarms: list[tuple[int, int, _Conversation]] = []
        self._alarm_number = 0

    @property
    def running(self) -> bool:
        """Whether any lane has not ended."""
        return bool(self._conversations)

    @property
    def client_ids(self) -> list[int]:
        """The server's numbers of the connections that wait for replies."""
        waiting = [each.wire.client_id for each in self._listening.values()]
        return [client_id for client_id in waiting if client_id is not None]

    def add(self, factory: LaneFactory, wire: Wire) -> None:
        """Start a lane on a connection of its own."""
        conversation = _Conversation(factory, wire)
        self._conversations.append(conversation)
        self._resume(conversation, None)

    def wake_all(self) -> None:
        """End all pauses: something that lanes wait for may have happened."""
        for conversation in self._conversations:
            if conversation.paused_until_us is not None:
                self._set_alarm(conversation, 0)

    def turn(self, until_us: int, others: Sequence[int]) -> list[int]:
        """Let lanes run until then, or until something happened.

        Returns those of the ``others`` (file descriptors) that can be read.
        """
        now_us = self._clock.now_us()
        if self._alarms:
            if self._ring_alarms(now_us):
                until_us = now_us
            if self._alarms:
                until_us = min(until_us, self._alarms[0][0])
        timeout_s = max(until_us - now_us, 0) / 1e6
        reading = [*self._listening, *others]
        readable, writable = wait_for(reading, list(self._sending), timeout_s, self._prompt > 0)
        for descriptor in writable:
            self._flush(descriptor)
        for descriptor in readable:
            if descriptor in self._listening:
                self._receive(self._listening[descriptor])
        return [descriptor for descriptor in readable if descriptor in others]

    def _flush(self, descriptor: int) -> None:
        conversation = self._sending[descriptor]
        self._guarded(conversation, conversation.wire.flush)
        if not conversation.wire.unsent_bytes:
            self._sending.pop(descriptor, None)

    def _receive(self, conversation: _Conversation) -> None:
        data = self._guarded(conversation, conversation.wire.receive)
        if data and conversation.take(data):
            self._deafen(conversation)
            replies, conversation.replies = conversation.replies, []
            self._resume(conversation, replies)

    def _listen_to(self, conversation: _Conversation) -> None:
        self._listening[conversation.descriptor] = conversation
        self._prompt += not conversation.may_block

    def _deafen(self, conversation: _Conversation) -> None:
        if self._listening.pop(conversation.descriptor, None) is not None:
            self._prompt -= not conversation.may_block
        self._sending.pop(conversation.descriptor, None)

    def _ring_alarms(self, now_us: int) -> bool:
        rang = False
        while self._alarms and self._alarms[0][0] <= now_us:
            at_us, _, conversation = heapq.heappop(self._alarms)
            if conversation.paused_until_us == at_us:
                self._resume(conversation, None)
                rang = True
        return rang

    def _set_alarm(self, conversation: _Conversation, at_us: int) -> None:
        conversation.paused_until_us = at_us
        if at_us < FOREVER_US:
            self._alarm_number += 1
            heapq.heappush(self._alarms, (at_us, self._alarm_number, conversation))

    def _resume(self, conversation: _Conversation, outcome: list[Any] | None) -> None:
        conversation.paused_until_us = None
        try:
            request: Request = conversation.lane.send(outcome)
        except StopIteration:
            self._conversations.remove(conversation)
            conversation.wire.close()
            return
        if isinstance(request, Pause):
            self._set_alarm(conversation, request.until_us)
            return
        conversation.waits_for_lines = isinstance(request, Tell)
        conversation.may_block = isinstance(request, Ask) and request.may_block
        conversation.missing = request.replies
        self._listen_to(conversation)
        data = request.data
        self._guarded(conversation, lambda: conversation.wire.send(data))
        if conversation.wire.unsent_bytes:
            self._sending[conversation.descriptor] = conversation

    def _guarded(
        self, conversation: _Conversation, action: Callable[[], Outcome]
    ) -> Outcome | None:
        """Do something with a lane's connection; end the lane if it is lost."""
        try:
            return action()
        except ConnectionLost:
            self._conversations.remove(conversation)
            self._deafen(conversation)
            conversation.lane.close()
            conversation.wire.close()
            self._on_loss(conversation.factory)
            return None


def first_error(replies: Sequence[Any]) -> Exception | None:
    """The first error among replies, or None."""
    if hiredis.ReplyError not in set(map(type, replies)):  # no Python step a reply
        return None
    return next(reply for reply in replies if isinstance(reply, hiredis.ReplyError))
