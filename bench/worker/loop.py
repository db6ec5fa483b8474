"""Runs a worker: its lanes, their connections, its heartbeat, and its orderly end."""

import contextlib
import time
from collections.abc import Callable

import redis

from bench.clock import Clock
from bench.errors import ServerUnreachable
from bench.redisio.connection import RawConnection, open_client
from bench.redisio.queue_keys import load_scripts
from bench.worker.batch import WorkerSettings
from bench.worker.event_loop import CoroutineFactory, EventLoop
from bench.worker.worker import Worker

_HEARTBEAT_US = 5_000_000
_RECONNECT_US = 50_000
_STOP_US = 10_000_000
"""How long tasks in hand may take to end once the worker is told to stop."""


class WorkerLoop:
    """One worker on its connections. Raises ServerUnreachable when it cannot connect at first."""

    def __init__(
        self,
        url: str,
        name: str,
        parent: str,
        settings: WorkerSettings,
        worker: Worker,
        clock: Clock,
    ) -> None:
        self._url = url
        self._parent = parent
        self._worker = worker
        self._clock = clock
        self._client = open_client(url)
        self._layout = settings.layout
        self._heartbeat_key = settings.layout.worker(name)
        self._lost: list[CoroutineFactory] = []
        self._event_loop = EventLoop(clock, self._lost.append)
        worker.wake_all = self._event_loop.wake_all
        self._connections = [(factory, RawConnection(url)) for factory in worker.coroutines()]
        self._next_heartbeat_us = 0
        self._next_reconnect_us = 0

    def run(self, control: int, on_control: Callable[[], bool], on_turn: Callable[[], int]) -> None:
        """Serve until ``on_control`` says to stop, then end in order.

        ``control`` is a file descriptor that can be read when ``on_control`` should be called.
        ``on_turn`` is called at every turn, and returns when it wants to be called next.
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
                if stop_us is not None and self._clock.now_us() > stop_us + _STOP_US:
                    return
        finally:
            self._end()

    def _maintain(self) -> int:
        """Heartbeat and lost connections; return when there is something to do next."""
        now_us = self._clock.now_us()
        if now_us >= self._next_heartbeat_us:
            self._next_heartbeat_us = now_us + _HEARTBEAT_US
            self._write_heartbeat()
        if not self._lost:
            return self._next_heartbeat_us
        if now_us >= self._next_reconnect_us:
            self._next_reconnect_us = now_us + _RECONNECT_US
            with contextlib.suppress(ServerUnreachable, redis.exceptions.RedisError):
                load_scripts(self._client, self._layout)  # a server that came back has none
                connection = RawConnection(self._url)
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
        """Wake every lane, those that wait inside the server included."""
        self._worker.stopping = True
        for client_id in self._event_loop.client_ids:
            # Where the ACL forbids it, the lane notices when its blocking command times out.
            with contextlib.suppress(redis.exceptions.RedisError):
                self._client.client_unblock(client_id)
        self._event_loop.wake_all()

    def _end(self) -> None:
        with contextlib.suppress(redis.exceptions.RedisError):
            self._client.delete(self._heartbeat_key)
        self._client.close()
