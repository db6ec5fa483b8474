"""Many coroutines on connections of their own, in one thread.

A coroutine is a generator that yields an operation and is resumed with its outcome: it sends a
request to Redis and gets the replies, sleeps until a moment, or waits until it is woken. It holds
the logic and does no I/O; the loop here does the I/O and holds no logic.

When a coroutine's connection is lost in a request, it stays where it is until ``reconnect`` gives
it another one, and is then resumed with ConnectionLost: what the server has done of the request is
not known, and it is for the coroutine to find out.

``select`` is used rather than ``epoll``, because its time-outs are in microseconds: service times
and pauses well under a millisecond keep their length.
"""

import heapq
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import hiredis

from bench.clock import Clock
from bench.redisio.connection import ByteStream, ConnectionLost
from bench.redisio.polling import wait_for
from bench.wire.replies import LineReplies, is_one_number

FOREVER_US = 1 << 62


class Request(NamedTuple):
    """Send bytes, and resume with the list of their replies; errors are exceptions in it."""

    data: bytes
    replies: int
    """How many replies the commands have."""
    may_block: bool = False
    """Whether the server may hold back the reply, as it does for BRPOP."""


class RequestNoReply(NamedTuple):
    """Send commands that are answered with one line each, and resume with a list of (index of the
    command, error message): no object is built for a reply that is no error."""

    data: bytes
    replies: int
    """How many replies the commands have."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """Resume with None at a moment on the run's clock, and never before it."""

    until_us: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Resume with None when woken by ``wake_all``, or at a moment on the run's clock."""

    until_us: int = FOREVER_US


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Give up the connection, as what it delivers makes no sense; resume with ConnectionLost on
    another one."""


Operation = Request | RequestNoReply | Sleep | Wait | Reconnect
Coroutine = Generator[Operation, Any, None]
CoroutineFactory = Callable[[], Coroutine]
_IN_A_ROW = 16
"""Most replies to one coroutine between two looks at the time and at other descriptors."""
_REQUESTS = (Request, RequestNoReply)
_NOT_AN_ANSWER = (hiredis.ProtocolError, ValueError)
"""What parsers raise for bytes that are no replies."""


class _Session:
    """A coroutine, its connection, and the replies it is waiting for."""

    def __init__(self, coroutine: Coroutine, connection: ByteStream) -> None:
        self.coroutine = coroutine
        self.resume = coroutine.send
        self.missing = 0
        self.before = 0
        """Number of the request's one-line replies that have arrived."""
        self.replies: list[Any] = []
        self.is_listening = False
        """Whether it waits for replies."""
        self.is_prompt = False
        """Whether it waits for a reply that the server does not hold back."""
        self.resumes_at_us: int | None = None
        self.can_be_woken = False
        self.was_idle = False
        """Whether time has passed since the last request: something may have arrived that answers
        nothing."""
        self.connect(connection)

    def connect(self, connection: ByteStream) -> None:
        """Use a new connection."""
        self.connection = connection
        self.descriptor = connection.fileno()
        self.reader = hiredis.Reader()
        self.lines = LineReplies()
        self.waits_for_lines = False

    def expect(self, operation: Request | RequestNoReply) -> None:
        """Note what the replies to a request look like."""
        self.waits_for_lines = isinstance(operation, RequestNoReply)
        self.missing = operation.replies
        self.before = 0
        self.replies = []

    def feed(self, data: bytes) -> bool:
        """Add bytes that have arrived; return whether all replies are complete.

        Raises ConnectionLost for bytes that are no replies, and for more replies than commands.
        """
        if not data:
            return False
        try:
            if self.waits_for_lines:
                if self.missing == 1 and is_one_number(data) and not self.lines.has_data:
                    self.missing = 0
                    return True
                self._feed_lines(data)
            else:
                self._feed_objects(data)
        except _NOT_AN_ANSWER as error:
            raise ConnectionLost(f"the server sent what is no answer: {error}") from None
        return not self.missing

    def _feed_lines(self, data: bytes) -> None:
        lines = self.lines.feed(data)
        if lines.errors:
            before = self.before
            self.replies.extend((before + index, message) for index, message in lines.errors)
        self.before += lines.count
        self.missing -= lines.count
        if self.missing < 0 or (not self.missing and self.lines.has_data):
            raise ValueError("more replies than commands")

    def _feed_objects(self, data: bytes) -> None:
        self.reader.feed(data)
        gets = self.reader.gets
        while self.missing and (reply := gets()) is not False:
            self.replies.append(reply)
            self.missing -= 1
        if not self.missing and self.reader.has_data():
            raise ValueError("more replies than commands")


class EventLoop:
    """Runs coroutines until all have ended."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sessions: list[_Session] = []
        self._disconnected: deque[_Session] = deque()
        """Sessions whose connections were lost."""
        self._listening: dict[int, _Session] = {}
        """Sessions that wait for replies, by file descriptor."""
        self._sending: dict[int, _Session] = {}
        """Sessions with bytes that the socket has not taken yet, by file descriptor."""
        self._prompt_replies = 0
        """Number of sessions that wait for a reply which the server does not hold back."""
        self._needs_owner = False
        """Whether a coroutine has ended or lost its connection since ``run`` began."""
        self._now_us = 0
        """When the last turn began."""
        self._timers: list[tuple[int, int, _Session]] = []
        self._timer_number = 0

    @property
    def running(self) -> int:
        """How many coroutines have not ended."""
        return len(self._sessions)

    @property
    def disconnected(self) -> int:
        """How many of them wait for another connection."""
        return len(self._disconnected)

    @property
    def client_ids(self) -> list[int]:
        """The server's ids of the connections that wait for replies, as far as they are known."""
        waiting = [session.connection.client_id for session in self._listening.values()]
        return [client_id for client_id in waiting if client_id is not None]

    def add(self, factory: CoroutineFactory, connection: ByteStream) -> None:
        """Start a coroutine on a connection of its own, which is closed when it ends."""
        session = _Session(factory(), connection)
        self._sessions.append(session)
        self._advance(session, session.resume, None)

    def reconnect(self, connection: ByteStream) -> None:
        """Give a connection to the coroutine that has been waiting longest for another one."""
        session = self._disconnected.popleft()
        session.connect(connection)
        self._advance(session, session.coroutine.throw, ConnectionLost("it was lost"))

    def close(self) -> None:
        """Close all connections; no coroutine is resumed again."""
        for session in self._sessions:
            session.connection.close()

    def wake_all(self) -> None:
        """End all waits, as something that coroutines wait for may have happened."""
        for session in self._sessions:
            if session.can_be_woken:
                self._set_timer(session, 0)

    def run(self, until_us: int, others: Sequence[int]) -> list[int]:
        """Let coroutines run until ``until_us``, or until a coroutine has ended or has lost its
        connection, or any of the ``others`` (file descriptors) is readable; returns these.

        Each has its turn at least once.
        """
        self._needs_owner = False
        while True:
            readable = self.turn(until_us, others)
            if readable or self._needs_owner or self._now_us >= until_us:
                return readable

    def turn(self, until_us: int, others: Sequence[int]) -> list[int]:
        """Let coroutines run until ``until_us``, or until anything has happened.

        Returns those of the ``others`` (file descriptors) that are readable.
        """
        now_us = self._now_us = self._clock.now_us()
        if self._timers:
            if self._fire_timers(now_us):
                until_us = now_us
            if self._timers:
                until_us = min(until_us, self._timers[0][0])
        listening = self._listening
        readable, writable = wait_for(
            [*listening, *others],
            [*self._sending],
            (until_us - now_us) / 1e6 if until_us > now_us else 0.0,
            self._prompt_replies > 0,
        )
        for descriptor in writable:
            self._flush(descriptor)
        ready = []
        for descriptor in readable:
            session = listening.get(descriptor)
            if session is not None:
                self._receive(session)
            elif descriptor in others:
                ready.append(descriptor)
        return ready

    def _flush(self, descriptor: int) -> None:
        session = self._sending[descriptor]
        try:
            session.connection.flush()
        except ConnectionLost:
            self._lose(session)
            return
        if not session.connection.unsent_bytes:
            self._sending.pop(descriptor, None)

    def _receive(self, session: _Session) -> None:
        """Take what has arrived, and resume the coroutine once its replies are complete.

        While nothing else is awaited, the reply to what it sends then is looked for right away:
        where server and worker share a core, it has often arrived before ``send`` returns.
        """
        for _ in range(_IN_A_ROW):
            try:
                is_complete = session.feed(session.connection.receive())
            except ConnectionLost:
                self._lose(session)
                return
            if not is_complete:
                return
            self._advance(session, session.resume, session.replies)
            if len(self._listening) != 1 or self._timers or not session.is_listening:
                return

    def _listen(self, session: _Session, is_prompt: bool) -> None:
        if not session.is_listening:
            session.is_listening = True
            self._listening[session.descriptor] = session
        if is_prompt is not session.is_prompt:
            self._prompt_replies += 1 if is_prompt else -1
            session.is_prompt = is_prompt

    def _stop_listening(self, session: _Session) -> None:
        session.is_listening = False
        self._listening.pop(session.descriptor, None)
        self._sending.pop(session.descriptor, None)
        self._prompt_replies -= session.is_prompt
        session.is_prompt = False

    def _fire_timers(self, now_us: int) -> bool:
        fired = False
        while self._timers and self._timers[0][0] <= now_us:
            at_us, _, session = heapq.heappop(self._timers)
            if session.resumes_at_us == at_us:
                self._advance(session, session.resume, None)
                fired = True
        return fired

    def _set_timer(self, session: _Session, at_us: int) -> None:
        session.resumes_at_us = at_us
        if at_us < FOREVER_US:
            self._timer_number += 1
            heapq.heappush(self._timers, (at_us, self._timer_number, session))

    def _advance(
        self, session: _Session, resume: Callable[[Any], Operation], outcome: object
    ) -> None:
        """Resume a coroutine, and do what it yields.

        One that asks again at once, as most do, stays among those that wait for replies.
        """
        session.resumes_at_us = None
        session.can_be_woken = False
        try:
            operation = resume(outcome)
        except StopIteration:
            self._stop_listening(session)
            self._sessions.remove(session)
            session.connection.close()
            self._needs_owner = True
            return
        if isinstance(operation, _REQUESTS):
            self._send(session, operation)
        elif isinstance(operation, Reconnect):
            self._lose(session)
        else:
            self._stop_listening(session)
            session.was_idle = True
            session.can_be_woken = isinstance(operation, Wait)
            self._set_timer(session, operation.until_us)

    def _send(self, session: _Session, operation: Request | RequestNoReply) -> None:
        session.expect(operation)
        self._listen(session, isinstance(operation, RequestNoReply) or not operation.may_block)
        try:
            if session.was_idle:
                session.was_idle = False
                if session.connection.receive():
                    raise ConnectionLost("the server sent what answers no command")
            session.connection.send(operation.data)
        except ConnectionLost:
            self._lose(session)
            return
        if session.connection.unsent_bytes:
            self._sending[session.descriptor] = session

    def _lose(self, session: _Session) -> None:
        self._stop_listening(session)
        session.connection.close()
        self._disconnected.append(session)
        self._needs_owner = True
