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

from bench.load.connection import open_client
from bench.locust.part import Part
from bench.locust.seat import Seat
from bench.wire.frames import Batch
from bench.wire.layout import Layout

_BACKLOG_POLL_S = 0.002


class _BenchUser(User):
    """What our users share: their part in the test, and a connection that is theirs."""

    abstract = True
    host = "as the Redis URL says"  # Locust asks for one in its page, and has no use for it here
    is_closed_loop: ClassVar[bool | None] = None
    """Whether tasks go out as fast as replies come; None when the scenario says."""

    def on_start(self) -> None:
        """Wait until the run begins, then connect."""
        self.part: Part = self.environment.bench_part
        self.part.enter()
        self._seat: Seat | None = None

    def send(self, batch: Batch) -> Seat:
        """Send a batch on this user's connection, on a new one if that is lost.

        Raises ServerUnreachable when there is none to be had.
        """
        seat = self._seat
        if seat is None or seat.lost:
            seat = self.part.seat() if seat is None else self.part.another_seat()
            self._seat = seat
        # In a closed loop nothing is due before it is sent.
        is_closed = self.part.scenario.is_closed_loop
        seat.send(batch, int(batch.due_us[-1]) if is_closed else None)
        return seat


class QueueUser(_BenchUser):
    """Enqueues batches: at the scenario's rate, or as fast as replies come where it is ``max``."""

    abstract = True

    @task
    def enqueue(self) -> None:
        """One batch."""
        is_closed_loop = self.part.scenario.is_closed_loop
        if is_closed_loop:
            self._await_room()
        with self.part.next_batch() as batch:
            if batch is not None:
                seat = self.send(batch)
        if batch is None:
            self.part.wait_for_the_end()
        elif is_closed_loop:
            seat.await_replies()

    def _await_room(self) -> None:
        """Where the scenario bounds the backlog: until the longest list is within the bound."""
        limit = self.part.scenario.max_backlog
        if limit is None or self._seat is None or (self._seat.last_list_length or 0) <= limit:
            return
        layout = self.part.scenario.wire_layout
        keys = [layout.pending(queue) for queue in self.part.scenario.queues]
        with open_client(self.part.url) as client:
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


class ApplicationUser(_BenchUser):
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
        self._client = open_client(self.part.url)
        self._layout: Layout = self.part.scenario.wire_layout
        self._newest: tuple[str, str] | None = None

    def on_stop(self) -> None:
        """Close the client."""
        self._client.close()

    @task(10)
    def enqueue(self) -> None:
        """One task."""
        with self.part.next_batch(1) as batch:
            if batch is not None:
                self.send(batch).await_replies()
        if batch is None:
            self.part.wait_for_the_end()
            return
        queue = list(self.part.scenario.queues)[int(batch.queue[0])]
        self._newest = (queue, self.part.id_of(int(batch.sequence[0])))

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
        if self._newest is None or not self.part.scenario.store_results:
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
