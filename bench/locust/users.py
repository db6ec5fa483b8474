"""Locust users that enqueue. Subclass one, set scenario fields as attributes, and run ``locust``.

    from bench.locust import QueueUser

    class Orders(QueueUser):
        queues = {"orders_high": 1, "orders_low": 3}
        rate = "2000/s"
        payload_size = "lognormal:300B,0.8"

Every scenario field (docs/reference/scenario-fields.md) can be an attribute. Command-line options
take precedence.
"""

import contextlib
import time
from collections.abc import Iterator
from typing import ClassVar

import gevent
import redis
from locust import User, task

from bench.locust.gevent_connection import GeventConnection
from bench.locust.producer import LocustProducer
from bench.redisio.backlog import BacklogReader
from bench.redisio.connection import open_client
from bench.wire.frames import Batch
from bench.wire.layout_contract import Layout

_BACKLOG_POLL_S = 0.002


class _ScenarioUser(User):
    """Base of all users: the producer of their Locust process, and a connection of their own."""

    abstract = True
    host = "as the Redis URL says"  # Locust's page asks for a host; it is not used here
    is_closed_loop: ClassVar[bool | None] = None
    """Whether the user runs a closed loop; None to follow the scenario."""

    def on_start(self) -> None:
        """Waits until the run begins. Called by Locust."""
        self.producer: LocustProducer = self.environment.bench_producer
        self._connection: GeventConnection | None = self.producer.enter()

    def send(self, batch: Batch) -> GeventConnection:
        """Sends a batch on this user's connection, or on a new one if that was lost.

        Returns the connection. Raises ServerUnreachable when no connection can be opened.
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
    """Enqueues batches at the scenario's rate, or in a closed loop if the rate is ``max``."""

    abstract = True

    @task
    def enqueue(self) -> None:
        """Enqueues one batch."""
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
        """Waits until the longest pending list is within ``max_backlog``, if that is set."""
        limit = self.producer.scenario.max_backlog
        if (
            limit is None
            or self._connection is None
            or (self._connection.last_list_length or 0) <= limit
        ):
            return
        scenario = self.producer.scenario
        backlog = BacklogReader(self.producer.url, scenario.wire_layout, list(scenario.queues))
        with contextlib.closing(backlog):
            while (longest := backlog.longest()) is None or longest > limit:
                gevent.sleep(_BACKLOG_POLL_S)


class ClosedLoopUser(QueueUser):
    """A closed loop: enqueues a batch, waits for its replies, then enqueues the next one."""

    abstract = True
    is_closed_loop = True


class OpenLoopUser(QueueUser):
    """An open loop: enqueues each task when it is due, on a schedule that all users share.

    No task is skipped, however late it is sent. Each carries its due time. Users do not wait for
    replies.
    """

    abstract = True
    is_closed_loop = False


class ApplicationUser(_ScenarioUser):
    """Behaves like an application: enqueues a task, reads its state, waits for its result.

    Set ``wait_time`` for the pauses between calls. Status and result calls have their own rows in
    Locust's statistics. Results exist only if the workers store them (``store_results``).
    """

    abstract = True
    is_closed_loop = True
    result_timeout_s = 10.0
    """How long to wait for a result, in seconds."""

    def on_start(self) -> None:
        """Waits until the run begins, and opens a client for the status calls. Called by Locust."""
        super().on_start()
        self._client = open_client(self.producer.url)
        self._layout: Layout = self.producer.scenario.wire_layout
        self._newest: tuple[str, str] | None = None

    def on_stop(self) -> None:
        """Closes the client. Called by Locust."""
        self._client.close()

    @task(10)
    def enqueue(self) -> None:
        """Enqueues one task and waits for the reply."""
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
        """Reads the state of the newest task."""
        if self._newest is not None:
            queue, task_id = self._newest
            with self._timed("status", queue):
                command = self._layout.state(queue, task_id)
                self._client.execute_command(*command)  # type: ignore[no-untyped-call]

    @task(1)
    def await_result(self) -> None:
        """Waits for the result of the newest task. A time-out counts as a failed request."""
        if self._newest is None or not self.producer.scenario.store_results:
            return
        queue, task_id = self._newest
        with self._timed("result", queue):
            deadline_s = time.monotonic() + self.result_timeout_s
            query = self._layout.has_result(queue, task_id)
            while not self._client.execute_command(*query):  # type: ignore[no-untyped-call]
                if time.monotonic() > deadline_s:
                    raise TimeoutError(f"no result within {self.result_timeout_s:g} s")
                gevent.sleep(_BACKLOG_POLL_S)

    @contextlib.contextmanager
    def _timed(self, kind: str, queue: str) -> Iterator[None]:
        """Reports a call to Locust's statistics. A Redis error or a time-out is a failure."""
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
