"""Runs a worker: its coroutines, their connections, its heartbeat, and its orderly end."""

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import redis

from bench.clock import Clock
from bench.errors import ServerUnreachable
from bench.redisio.connection import ByteStream
from bench.redisio.queue_keys import load_scripts
from bench.wire.layout_contract import Layout
from bench.worker.event_loop import CoroutineFactory, EventLoop

HEARTBEAT_US = 5_000_000
RECONNECT_US = 50_000
STOP_US = 10_000_000
"""How long tasks in flight may take to end once the worker is told to stop."""


class LoopWorker(Protocol):
    """What the loop needs of a worker."""

    stopping: bool
    """Set by the loop: take no more tasks, and end those in flight."""
    wake_all: Callable[[], None]
    """Set by the loop: to be called when something happens that another coroutine waits for."""

    @property
    def in_flight(self) -> int:
        """Tasks taken and not yet ended."""
        ...

    def coroutines(self) -> Sequence[CoroutineFactory]:
        """Factories of all coroutines that the worker needs, one connection each."""
        ...


class WorkerLoop:
    """One worker on its connections, which ``connect`` opens.

    ``client`` serves for scripts, heartbeat and unblocking, and is closed at the end. Raises
    ServerUnreachable when ``connect`` does.
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
    ) -> None:
        self._parent = parent
        self._worker = worker
        self._clock = clock
        self._client = client
        self._connect = connect
        self._layout = layout
        self._heartbeat_key = layout.worker(name)
        self._lost: list[CoroutineFactory] = []
        """Factories of coroutines whose connections were lost."""
        self._event_loop = EventLoop(clock, self._lost.append)
        worker.wake_all = self._event_loop.wake_all
        self._connections = [(factory, connect()) for factory in worker.coroutines()]
        self._next_heartbeat_us = 0
        self._next_reconnect_us = 0

    def run(self, control: int, on_control: Callable[[], bool], on_turn: Callable[[], int]) -> None:
        """Serve until ``on_control`` returns True, then end in order.

        ``on_control`` is called when the file descriptor ``control`` is readable. ``on_turn`` is
        called at every turn, and returns the moment at which it is to be called next.
        """
        for factory, connection in self._connections:
            self._event_loop.add(factory, connection)
        stop_us: int | None = None
        try:
            while self._event_loop.running or (self._lost and stop_us is None):
                until_us = min(on_turn(), self._maintain())
                if self._event_loop.turn(until_us, [control]) and stop_us is None and on_control():
                    stop_us = self._clock.now_us()
                    self._begin_stop()
                if stop_us is not None and self._clock.now_us() > stop_us + STOP_US:
                    return
        finally:
            self._end()

    def _maintain(self) -> int:
        """Write the heartbeat and replace lost connections; return when to do so next."""
        now_us = self._clock.now_us()
        if now_us >= self._next_heartbeat_us:
            self._next_heartbeat_us = now_us + HEARTBEAT_US
            self._write_heartbeat()
        if not self._lost:
            return self._next_heartbeat_us
        if now_us >= self._next_reconnect_us:
            self._next_reconnect_us = now_us + RECONNECT_US
            with contextlib.suppress(ServerUnreachable, redis.exceptions.RedisError):
                load_scripts(self._client, self._layout)  # a restarted server has none
                connection = self._connect()
                self._event_loop.add(self._lost.pop(), connection)
        return self._next_reconnect_us

    def _write_heartbeat(self) -> None:
        fields = {
            "started": str(int(time.time())),
            "healthy": "1",
            "queue": self._parent,
            "active_task": str(self._worker.in_flight),
        }
        with contextlib.suppress(redis.exceptions.RedisError):
            self._client.hset(self._heartbeat_key, mapping=fields)  # type: ignore[arg-type]

    def _begin_stop(self) -> None:
        """Wake every coroutine, including those that a command blocks in the server."""
        self._worker.stopping = True
        for client_id in self._event_loop.client_ids:
            # Where the ACL forbids it, the coroutine goes on when its blocking command times out.
            with contextlib.suppress(redis.exceptions.RedisError):
                self._client.client_unblock(client_id)
        self._event_loop.wake_all()

    def _end(self) -> None:
        with contextlib.suppress(redis.exceptions.RedisError):
            self._client.delete(self._heartbeat_key)
        self._client.close()
