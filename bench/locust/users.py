"""Locust users that enqueue. Subclass one, set scenario fields as attributes, and run ``locust``.

    from bench.locust import QueueUser

    class Orders(QueueUser):
        queues = {"orders_high": 1, "orders_low": 3}
        rate = "2000/s"
        payload_size = "lognormal:300B,0.8"

Every field of a scenario (docs/scenarios.md) can be an attribute; options on the command line win.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import gevent
import redis
from locust import User, task

from bench.locust.connection import GeventConnection
from bench.locust.producer import LocustProducer
from bench.redisio.connection import open_client
from bench.wire.frames import Batch
from bench.wire.layout import Layout

_BACKLOG_POLL_S = 0.002


class _ScenarioUser(User):
    """What our users share: their part in the test, and a connection that is theirs."""

    abstract = True
    host = "as the Redis URL says"  # Locust asks for one in its page, and has no use for it here
    is_closed_loop: ClassVar[bool | None] = None
    """Whether tasks go out as fast as replies come; None when the scenario says."""

    def on_start(self) -> None:
        """Wait until the run begins, then connect."""
        self.producer: LocustProducer = self.environment.bench_producer
        self.producer.enter()
        self._connection: GeventConnection | None = None

    def send(self, batch: Batch) -> GeventConnection:
        """Send a batch on this user's connection, on a new one if that is lost.

        Raises ServerUnreachable when there is none to be had.
        """
        connection = self._connection
        if connection is None or connection.lost:
            connection = (
                self.producer.connection() if connection is None else self.producer.reconnect()
            )
            self._connection = connection
        # In a closed loop nothing is due before it is sent.
        is_closed = self.producer.scenario.is_closed_loop
        connection.send(batch, int(batch.due_us[-1]) if is_closed else None)
        return connection


class QueueUser(_ScenarioUser):
    """Enqueues batches: at the scenario's rate, or as fast as replies come where it is ``max``."""

    abstract = True

    @task
    def enqueue(self) -> None:
        """One batch."""
        is_closed_loop = self.producer.scenario.is_closed_loop
        if is_closed_loop:
            self._await_room()
        with self.producer.next_batch() as batch:
            if batch is not None:
                connection = self.send(batch)
        if batch is None:
            self.producer.wait_for_the_end()
        elif is_closed_loop:
            connection.await_replies()

    def _await_room(self) -> None:
        """Where the scenario bounds the backlog: until the longest list is within the bound."""
        limit = self.producer.scenario.max_backlog
        if (
            limit is None
            or self._connection is None
            or (self._connection.last_list_length or 0) <= limit
        ):
            return
        layout = self.producer.scenario.wire_layout
        keys = [layout.pending(queue) for queue in self.producer.scenario.queues]
        with open_client(self.producer.url) as client:
            while max(int(client.llen(key)) for key in keys) > limit:
                gevent.sleep(_BACKLOG_POLL_S)


class ClosedLoopUser(QueueUser):
    """Enqueues a batch, waits for its replies, and enqueues the next."""

    abstract = True
    is_closed_loop = True


class OpenLoopUser(QueueUser):
    """Enqueues what is due when it is due, on a schedule that all users share.

    No slot is skipped, however late; each task carries its due time, and no reply is waited for.
    """

    abstract = True
    is_closed_loop = False


class ApplicationUser(_ScenarioUser):
    """Does what an application does: enqueues a task, asks for its state, waits for its result.

    Give it a ``wait_time`` for the user's pauses. Status and result calls are rows of their own in
    Locust's tables; results exist only where the workers store them.
    """

    abstract = True
    is_closed_loop = True
    result_timeout_s = 10.0
    """How long to wait for a result."""

    def on_start(self) -> None:
        """Also open a client for the status calls."""
        super().on_start()
        self._client = open_client(self.producer.url)
        self._layout: Layout = self.producer.scenario.wire_layout
        self._newest: tuple[str, str] | None = None

    def on_stop(self) -> None:
        """Close the client."""
        self._client.close()

    @task(10)
    def enqueue(self) -> None:
        """One task."""
        with self.producer.next_batch(1) as batch:
            if batch is not None:
                self.send(batch).await_replies()
        if batch is None:
            self.producer.wait_for_the_end()
            return
        queue = list(self.producer.scenario.queues)[int(batch.queue[0])]
        self._newest = (queue, self.producer.id_of(int(batch.sequence[0])))

    @task(5)
    def ask_status(self) -> None:
        """The state of the newest task."""
        if self._newest is not None:
            queue, task_id = self._newest
            with self._timed("status", queue):
                self._client.hget(self._layout.task(queue, task_id), "state")

    @task(1)
    def await_result(self) -> None:
        """The newest task's result; a time-out is a failure."""
        if self._newest is None or not self.producer.scenario.store_results:
            return
        queue, task_id = self._newest
        with self._timed("result", queue):
            deadline_s = time.monotonic() + self.result_timeout_s
            asks = self._layout.has_result(queue, task_id)
            while not self._client.execute_command(*asks):  # type: ignore[no-untyped-call]
                if time.monotonic() > deadline_s:
                    raise TimeoutError(f"no result within {self.result_timeout_s:g} s")
                gevent.sleep(_BACKLOG_POLL_S)

    @contextmanager
    def _timed(self, kind: str, queue: str) -> Iterator[None]:
        """A row of Locust's tables for a call; an error that is expected of a server is a
        failure in it."""
        began_s = time.perf_counter()
        failure: Exception | None = None
        try:
            yield
        except (redis.exceptions.RedisError, TimeoutError) as error:
            failure = error
        self.environment.events.request.fire(
            request_type=kind,
            name=queue,
            response_time=(time.perf_counter() - began_s) * 1e3,
            response_length=0,
            exception=failure,
            context={},
        )
