"""Many coroutines on connections of their own, in one thread.

A coroutine is a generator that yields an operation and is resumed with its outcome: it sends a
request to Redis and gets the replies, or sleeps until a moment. It holds the logic and does no
I/O; the loop here does the I/O and holds no logic.

``select`` is used rather than ``epoll``, because its time-outs are in microseconds: service times
and pauses well under a millisecond keep their length.
"""

import heapq
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import hiredis

from bench.clock import Clock
from bench.redisio.connection import ByteStream, ConnectionLost
from bench.redisio.polling import wait_for
from bench.wire.replies import LineReplies

FOREVER_US = 1 << 62


@dataclass(frozen=True, slots=True)
class Request:
    """Send bytes, and resume with the list of their replies; errors are exceptions in it."""

    data: bytes
    replies: int
    """How many replies the commands have."""
    may_block: bool = False
    """Whether the server may hold back the reply, as it does for BRPOP."""


@dataclass(frozen=True, slots=True)
class RequestNoReply:
    """Send commands that are answered with one line each, and resume with the list of the error
    messages: no object is built for a reply that is no error."""

    data: bytes
    replies: int
    """How many replies the commands have."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """Resume with None at a moment on the run's clock, or earlier when woken."""

    until_us: int


Operation = Request | RequestNoReply | Sleep
Coroutine = Generator[Operation, Any, None]
CoroutineFactory = Callable[[], Coroutine]
Result = TypeVar("Result")


class _Session:
    """A coroutine, its connection, and the replies it is waiting for."""

    def __init__(self, factory: CoroutineFactory, connection: ByteStream) -> None:
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
        self.sleeps_until_us: int | None = None

    def feed(self, data: bytes) -> bool:
        """Add bytes that have arrived; return whether all replies are complete."""
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
    """Runs coroutines until all have ended.

    A coroutine whose connection is lost is closed where it stands, and ``on_loss`` is called with
    the factory that ``add`` was given for it.
    """

    def __init__(self, clock: Clock, on_loss: Callable[[CoroutineFactory], None]) -> None:
        self._clock = clock
        self._on_loss = on_loss
        self._sessions: list[_Session] = []
        self._listening: dict[int, _Session] = {}
        """Sessions that wait for replies, by file descriptor."""
        self._sending: dict[int, _Session] = {}
        """Sessions with bytes that the socket has not taken yet, by file descriptor."""
        self._prompt_replies = 0
        """Number of sessions that wait for a reply which the server does not hold back."""
        self._timers: list[tuple[int, int, _Session]] = []
        self._timer_number = 0

    @property
    def running(self) -> bool:
        """Whether any coroutine has not ended."""
        return bool(self._sessions)

    @property
    def client_ids(self) -> list[int]:
        """The server's ids of the connections that wait for replies, as far as they are known."""
        waiting = [session.connection.client_id for session in self._listening.values()]
        return [client_id for client_id in waiting if client_id is not None]

    def add(self, factory: CoroutineFactory, connection: ByteStream) -> None:
        """Start a coroutine on a connection of its own, which is closed when it ends."""
        session = _Session(factory, connection)
        self._sessions.append(session)
        self._resume(session, None)

    def wake_all(self) -> None:
        """End all sleeps, as something that coroutines wait for may have happened."""
        for session in self._sessions:
            if session.sleeps_until_us is not None:
                self._set_timer(session, 0)

    def turn(self, until_us: int, others: Sequence[int]) -> list[int]:
        """Let coroutines run until ``until_us``, or until anything has happened.

        Returns those of the ``others`` (file descriptors) that are readable.
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
            reading, list(self._sending), timeout_s, self._prompt_replies > 0
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
        self._prompt_replies += not session.may_block

    def _stop_listening(self, session: _Session) -> None:
        if self._listening.pop(session.descriptor, None) is not None:
            self._prompt_replies -= not session.may_block
        self._sending.pop(session.descriptor, None)

    def _fire_timers(self, now_us: int) -> bool:
        fired = False
        while self._timers and self._timers[0][0] <= now_us:
            at_us, _, session = heapq.heappop(self._timers)
            if session.sleeps_until_us == at_us:
                self._resume(session, None)
                fired = True
        return fired

    def _set_timer(self, session: _Session, at_us: int) -> None:
        session.sleeps_until_us = at_us
        if at_us < FOREVER_US:
            self._timer_number += 1
            heapq.heappush(self._timers, (at_us, self._timer_number, session))

    def _resume(self, session: _Session, outcome: list[Any] | None) -> None:
        session.sleeps_until_us = None
        try:
            operation: Operation = session.coroutine.send(outcome)
        except StopIteration:
            self._sessions.remove(session)
            session.connection.close()
            return
        if isinstance(operation, Sleep):
            self._set_timer(session, operation.until_us)
            return
        session.waits_for_lines = isinstance(operation, RequestNoReply)
        session.may_block = isinstance(operation, Request) and operation.may_block
        session.missing = operation.replies
        self._start_listening(session)
        data = operation.data
        self._guarded(session, lambda: session.connection.send(data))
        if session.connection.unsent_bytes:
            self._sending[session.descriptor] = session

    def _guarded(self, session: _Session, action: Callable[[], Result]) -> Result | None:
        """Use a session's connection; end the session if the connection is lost."""
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
    if hiredis.ReplyError not in set(map(type, replies)):  # without a Python step for each reply
        return None
    return next(reply for reply in replies if isinstance(reply, hiredis.ReplyError))
