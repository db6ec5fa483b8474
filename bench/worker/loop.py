"""Runs a worker: its coroutines, their connections, its heartbeat, and its end."""

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import redis

from bench.clock import Clock
from bench.errors import ServerUnreachable
from bench.redisio.connection import ByteStream
from bench.redisio.queue_keys import load_scripts
from bench.wire import resp
from bench.wire.layout_contract import Command, Layout
from bench.worker.difficulties import Difficulties
from bench.worker.event_loop import CoroutineFactory, EventLoop
from bench.worker.server_calls import REFUSED_FOR_US
from bench.worker.stop_requests import StopRequest

HEARTBEAT_US = 5_000_000
HEARTBEAT_EXPIRES_S = 30
"""After which the heartbeat of a worker that was killed is gone, as that of runqy's workers is."""
RECONNECT_US = 50_000
STOP_US = 10_000_000
"""How long the tasks that a worker holds may take to end once it is told to stop; those that take
longer are put back."""

LAST_ANSWER_TIMEOUT_S = 1.0
"""How long a worker that ends waits for the server's last replies."""


class LoopWorker(Protocol):
    """What the loop needs of a worker."""

    stopping: bool
    """Set by the loop: take no more tasks, and end those in flight."""
    wake_all: Callable[[], None]
    """Set by the loop: to be called when something happens that another coroutine waits for."""
    difficulties: Difficulties

    @property
    def in_flight(self) -> int:
        """Tasks taken and not yet ended."""
        ...

    @property
    def waiting_retry(self) -> int:
        """Tasks that wait in this worker for their next attempt."""
        ...

    @property
    def unanswered(self) -> int:
        """Tasks with commands that were sent and are not answered, which ``undo`` leaves alone."""
        ...

    def coroutines(self) -> Sequence[CoroutineFactory]:
        """Factories of all coroutines that the worker needs, one connection each."""
        ...

    def undo(self) -> list[Command]:
        """The commands that return what the worker holds to its queues."""
        ...


class WorkerLoop:
    """One worker on its connections, which ``connect`` opens.

    ``client`` serves for heartbeat and unblocking, and is closed at the end; ``reopen`` opens one
    for what is left to do then. Raises ServerUnreachable when ``connect`` does.
    """

    def __init__(
        self,
        name: str,
        parent: str,
        layout: Layout,
        worker: LoopWorker,
        clock: Clock,
        client: redis.Redis,
        connect: Callable[[], ByteStream],
        reopen: Callable[[], redis.Redis],
    ) -> None:
        self._parent = parent
        self._worker = worker
        self._clock = clock
        self._client = client
        self._connect = connect
        self._reopen = reopen
        self._layout = layout
        self._heartbeat_key = layout.worker(name)
        self._event_loop = EventLoop(clock)
        worker.wake_all = self._event_loop.wake_all
        self._connections = [(factory, connect()) for factory in worker.coroutines()]
        self._stopped_us: int | None = None
        """When the worker was told to stop."""
        self._disconnected_us: int | None = None
        """Since when a connection has been missing."""
        self._next_heartbeat_us = 0
        self._may_expire = False
        """Whether the user is known to have the right to let the heartbeat expire."""
        self._next_reconnect_us = 0

    def run(
        self,
        control: int,
        on_control: Callable[[], StopRequest],
        on_time: Callable[[], int],
    ) -> None:
        """Serve until told to stop, and then end in order; or at once, if that is asked for.

        ``on_control`` is called when the file descriptor ``control`` is readable. ``on_time`` is
        called at the beginning, and returns the moment at which it is to be called next; it may be
        called earlier than that. Raises
        ServerUnreachable when no connection can be opened for a long time, and MeasurementError
        when the server refuses what a worker needs.
        """
        try:
            for factory, connection in self._connections:
                self._event_loop.add(factory, connection)
            while self._goes_on():
                until_us = min(on_time(), self._maintain())
                if not self._event_loop.run(until_us, [control]):
                    continue
                request = on_control()
                if request is StopRequest.AT_ONCE:
                    return
                if request is StopRequest.ORDERLY and self._stopped_us is None:
                    self._begin_stop()
        finally:
            self._end()

    def _goes_on(self) -> bool:
        if not self._event_loop.running:
            return False
        if self._stopped_us is None:
            return True
        if self._clock.now_us() > self._stopped_us + STOP_US:
            return False
        holds_tasks = self._worker.in_flight + self._worker.waiting_retry > 0
        return holds_tasks or self._event_loop.disconnected < self._event_loop.running

    def _maintain(self) -> int:
        """Write the heartbeat and replace lost connections; return when to do so next."""
        now_us = self._clock.now_us()
        if now_us >= self._next_heartbeat_us:
            self._next_heartbeat_us = now_us + HEARTBEAT_US
            self._write_heartbeat()
        next_us = self._next_heartbeat_us
        if self._stopped_us is not None:
            next_us = min(next_us, self._stopped_us + STOP_US + 1)
        if not self._event_loop.disconnected:
            self._disconnected_us = None
            return next_us
        if self._disconnected_us is None:
            self._disconnected_us = now_us
        if now_us >= self._next_reconnect_us:
            self._reconnect(now_us - self._disconnected_us)
            self._next_reconnect_us = self._clock.now_us() + RECONNECT_US
        return min(next_us, self._next_reconnect_us)

    def _reconnect(self, disconnected_for_us: int) -> None:
        """Replace all lost connections, or tell why that cannot be done now."""
        try:
            for _ in range(self._event_loop.disconnected):
                self._event_loop.reconnect(self._connect())
        except ServerUnreachable as error:
            self._worker.difficulties.disconnected(str(error))
            if disconnected_for_us >= REFUSED_FOR_US:
                raise

    def _write_heartbeat(self) -> None:
        fields = {
            "started": str(int(time.time())),
            "healthy": "1",
            "queue": self._parent,
            "active_task": str(self._worker.in_flight),
        }
        key = self._heartbeat_key
        try:
            if not self._may_expire:  # one that cannot expire would be there for ever
                self._client.expire(key, HEARTBEAT_EXPIRES_S)
                self._may_expire = True
            with self._client.pipeline(transaction=False) as pipeline:
                pipeline.hset(key, mapping=fields)  # type: ignore[arg-type]
                pipeline.expire(key, HEARTBEAT_EXPIRES_S)
                pipeline.execute()
        except redis.exceptions.NoPermissionError as error:
            self._worker.difficulties.no_heartbeat(str(error))
            self._may_expire = False
            with contextlib.suppress(redis.exceptions.RedisError):
                self._client.delete(key)
        except redis.exceptions.RedisError:
            pass  # it is written again in a moment

    def _begin_stop(self) -> None:
        """Wake every coroutine that waits, including those that a command blocks in the server."""
        self._stopped_us = self._clock.now_us()
        self._worker.stopping = True
        for client_id in self._event_loop.client_ids:
            # Where the ACL forbids it, the coroutine goes on when its blocking command times out.
            with contextlib.suppress(redis.exceptions.RedisError):
                self._client.client_unblock(client_id)
        self._event_loop.wake_all()

    def _end(self) -> None:
        """Put back what is still held, and take the heartbeat away."""
        self._event_loop.close()
        commands = self._worker.undo()
        are_back = not commands
        with contextlib.suppress(redis.exceptions.RedisError, ServerUnreachable):
            self._client.close()
            with self._reopen() as client:
                if commands:
                    are_back = self._put_back(client, commands)
                client.delete(self._heartbeat_key)
        worker = self._worker
        held = worker.in_flight + worker.waiting_retry
        worker.difficulties.left = worker.unanswered if are_back else held

    def _put_back(self, client: redis.Redis, commands: Sequence[Command]) -> bool:
        """Whether the server has carried out all of these commands."""
        load_scripts(client, self._layout)
        with client.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*map(resp.as_bytes, command))  # type: ignore[no-untyped-call]
            replies = pipeline.execute(raise_on_error=False)
        return not any(isinstance(reply, Exception) for reply in replies)
