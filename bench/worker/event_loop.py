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
from bench.redisio.connection import ConnectionLost, RawConnection
from bench.redisio.polling import wait_for
from bench.wire.replies import LineReplies

FOREVER_US = 1 << 62


@dataclass(frozen=True, slots=True)
class Request:
    """Send these bytes; resume with that many replies, errors among them as exceptions."""

    data: bytes
    replies: int
    may_block: bool = False
    """Whether the server may keep the answer back, as for BRPOP."""


@dataclass(frozen=True, slots=True)
class RequestNoReply:
    """Like Ask, for commands that answer with a line each: resume with the error messages only."""

    data: bytes
    replies: int


@dataclass(frozen=True, slots=True)
class Sleep:
    """Resume at that moment on the run's clock, or when woken."""

    until_us: int


Operation = Request | RequestNoReply | Sleep
Coroutine = Generator[Operation, Any, None]
CoroutineFactory = Callable[[], Coroutine]
Result = TypeVar("Result")


class _Session:
    """A lane, its connection, and the replies it is waiting for."""

    def __init__(self, factory: CoroutineFactory, connection: RawConnection) -> None:
        self.factory = factory
        self.coroutine = factory()
        self.connection = connection
        self.descriptor = connection.fileno()
        self.reader = hiredis.Reader()
        self.lines = LineReplies()
        self.waits_for_lines = False
        self.may_block = False
        self.missing = 0
        self.replies: list[Any] = []
        self.paused_until_us: int | None = None

    def feed(self, data: bytes) -> bool:
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


class EventLoop:
    """Runs lanes until all have ended. A lane whose connection is lost is closed where it stands.

    ``on_loss`` is then called with what ``add`` was given for it.
    """

    def __init__(self, clock: Clock, on_loss: Callable[[CoroutineFactory], None]) -> None:
        self._clock = clock
        self._on_loss = on_loss
        self._sessions: list[_Session] = []
        self._listening: dict[int, _Session] = {}
        """By file descriptor: those that wait for replies."""
        self._sending: dict[int, _Session] = {}
        """Those with bytes that the socket did not take yet."""
        self._awaiting_reply = 0
        """How many wait for a reply that should come at once."""
        self._timers: list[tuple[int, int, _Session]] = []
        self._timer_number = 0

    @property
    def running(self) -> bool:
        """Whether any lane has not ended."""
        return bool(self._sessions)

    @property
    def client_ids(self) -> list[int]:
        """The server's numbers of the connections that wait for replies."""
        waiting = [each.connection.client_id for each in self._listening.values()]
        return [client_id for client_id in waiting if client_id is not None]

    def add(self, factory: CoroutineFactory, connection: RawConnection) -> None:
        """Start a lane on a connection of its own."""
        session = _Session(factory, connection)
        self._sessions.append(session)
        self._resume(session, None)

    def wake_all(self) -> None:
        """End all pauses: something that lanes wait for may have happened."""
        for session in self._sessions:
            if session.paused_until_us is not None:
                self._set_timer(session, 0)

    def turn(self, until_us: int, others: Sequence[int]) -> list[int]:
        """Let lanes run until then, or until something happened.

        Returns those of the ``others`` (file descriptors) that can be read.
        """
        now_us = self._clock.now_us()
        if self._timers:
            if self._fire_timers(now_us):
                until_us = now_us
            if self._timers:
                until_us = min(until_us, self._timers[0][0])
        timeout_s = max(until_us - now_us, 0) / 1e6
        reading = [*self._listening, *others]
        readable, writable = wait_for(
            reading, list(self._sending), timeout_s, self._awaiting_reply > 0
        )
        for descriptor in writable:
            self._flush(descriptor)
        for descriptor in readable:
            if descriptor in self._listening:
                self._receive(self._listening[descriptor])
        return [descriptor for descriptor in readable if descriptor in others]

    def _flush(self, descriptor: int) -> None:
        session = self._sending[descriptor]
        self._guarded(session, session.connection.flush)
        if not session.connection.unsent_bytes:
            self._sending.pop(descriptor, None)

    def _receive(self, session: _Session) -> None:
        data = self._guarded(session, session.connection.receive)
        if data and session.feed(data):
            self._stop_listening(session)
            replies, session.replies = session.replies, []
            self._resume(session, replies)

    def _start_listening(self, session: _Session) -> None:
        self._listening[session.descriptor] = session
        self._awaiting_reply += not session.may_block

    def _stop_listening(self, session: _Session) -> None:
        if self._listening.pop(session.descriptor, None) is not None:
            self._awaiting_reply -= not session.may_block
        self._sending.pop(session.descriptor, None)

    def _fire_timers(self, now_us: int) -> bool:
        fired = False
        while self._timers and self._timers[0][0] <= now_us:
            at_us, _, session = heapq.heappop(self._timers)
            if session.paused_until_us == at_us:
                self._resume(session, None)
                fired = True
        return fired

    def _set_timer(self, session: _Session, at_us: int) -> None:
        session.paused_until_us = at_us
        if at_us < FOREVER_US:
            self._timer_number += 1
            heapq.heappush(self._timers, (at_us, self._timer_number, session))

    def _resume(self, session: _Session, outcome: list[Any] | None) -> None:
        session.paused_until_us = None
        try:
            request: Operation = session.coroutine.send(outcome)
        except StopIteration:
            self._sessions.remove(session)
            session.connection.close()
            return
        if isinstance(request, Sleep):
            self._set_timer(session, request.until_us)
            return
        session.waits_for_lines = isinstance(request, RequestNoReply)
        session.may_block = isinstance(request, Request) and request.may_block
        session.missing = request.replies
        self._start_listening(session)
        data = request.data
        self._guarded(session, lambda: session.connection.send(data))
        if session.connection.unsent_bytes:
            self._sending[session.descriptor] = session

    def _guarded(self, session: _Session, action: Callable[[], Result]) -> Result | None:
        """Do something with a lane's connection; end the lane if it is lost."""
        try:
            return action()
        except ConnectionLost:
            self._sessions.remove(session)
            self._stop_listening(session)
            session.coroutine.close()
            session.connection.close()
            self._on_loss(session.factory)
            return None


def first_error(replies: Sequence[Any]) -> Exception | None:
    """The first error among replies, or None."""
    if hiredis.ReplyError not in set(map(type, replies)):  # no Python step a reply
        return None
    return next(reply for reply in replies if isinstance(reply, hiredis.ReplyError))
