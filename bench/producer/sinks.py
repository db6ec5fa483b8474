"""Ways for a producer to hand tasks to Redis.

``FrameSink`` is the harness's own: it sends rendered frames, counts replies as they come, and
waits for none. The other two exist for comparison, and block until they are answered: redis-py's
pipelines, and the example function of runqy's guide with its two round trips per task.
"""

import contextlib
import select
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import redis

from bench.clock import Clock
from bench.errors import ServerUnreachable
from bench.producer.pipelined_connection import PipelinedConnection
from bench.producer.recorder import ProducerRecorder
from bench.redisio.connection import ConnectionLost, open_client, translated_errors
from bench.redisio.polling import wait_for
from bench.redisio.queue_keys import load_scripts
from bench.wire import ids, stamps
from bench.wire.frames import Batch, FrameRenderer, Group
from bench.wire.layout_contract import Layout
from bench.wire.task import Task
from bench.workload.scenario import Scenario

_IDLE_S = 300e-6
_SIDE_TIMEOUT_S = 1.0
"""How long to wait for answers that are not measured: nothing is sent meanwhile."""
_MOST_UNSENT_BYTES = 4 << 20
"""Bytes that may wait for the sockets; beyond that, tasks wait in the schedule."""


class Sink(Protocol):
    """Where a producer's batches go. Times are absolute, on the run's clock."""

    last_list_length: int | None
    """Length of a pending list, by the newest reply; None before the first."""

    @property
    def is_congested(self) -> bool:
        """Whether the next batch should wait, as the socket has not taken the ones before it."""
        ...

    def submit(self, batch: Batch, recorder: ProducerRecorder) -> None:
        """Send a batch with absolute due times. Raises ConnectionLost."""
        ...

    def wait(self, until_us: int, recorder: ProducerRecorder, control: int) -> bool:
        """Take replies until then, or until some have come or ``control`` is readable.

        Returns whether ``control``, a file descriptor, is readable. Raises ConnectionLost.
        """
        ...

    def reconnect(self) -> None:
        """Open a new connection. Raises ServerUnreachable."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


def make_sink(url: str, scenario: Scenario, run: int, number: int, clock: Clock) -> Sink:
    """The sink that the scenario asks for, connected. Raises ServerUnreachable."""
    match scenario.producer:
        case "frames":
            return FrameSink(url, scenario, run, number, clock)
        case "redis-py":
            return PipelineSink(url, scenario, run, number, clock)
        case "snippet":
            return SnippetSink(url, scenario, run, number, clock)


def _moment_of_sending(batch: Batch, clock: Clock, is_closed_loop: bool) -> int:
    """Now; in a closed loop the due time, as tasks are due there when they are sent."""
    return int(batch.due_us[-1]) if is_closed_loop else clock.now_us()


class FrameSink:
    """Frames out, replies in.

    An open loop has one connection, so that tasks reach the server in the order of their due times,
    each as soon as possible. A closed loop has one connection for each batch in flight, and sends
    the commands of a batch sorted by kind: a server executes more commands when it finds work on
    several connections at a time, and many commands of the same kind in a row.
    """

    def __init__(self, url: str, scenario: Scenario, run: int, number: int, clock: Clock) -> None:
        self._url = url
        self._clock = clock
        self._layout = scenario.wire_layout
        self._renderer = FrameRenderer(
            self._layout,
            list(scenario.queues),
            run,
            number,
            scenario.max_retry,
            by_command=scenario.is_closed_loop,
        )
        self._is_closed_loop = scenario.is_closed_loop
        self._connection_count = scenario.in_flight if scenario.is_closed_loop else 1
        self._connections = self._connect()
        self.last_list_length: int | None = None

    @property
    def is_congested(self) -> bool:
        """Whether many bytes are still waiting for the sockets."""
        return (
            sum(connection.raw.unsent_bytes for connection in self._connections)
            > _MOST_UNSENT_BYTES
        )

    def submit(self, batch: Batch, recorder: ProducerRecorder) -> None:
        """Render, stamp and send a batch, on the connection with the fewest tasks in flight.

        Raises ConnectionLost.
        """
        connection = min(self._connections, key=_in_flight)
        frame = self._renderer.render(batch)
        connection.send(
            frame, _moment_of_sending(batch, self._clock, self._is_closed_loop), recorder
        )

    def wait(self, until_us: int, recorder: ProducerRecorder, control: int) -> bool:
        """Take replies until then, or until some have come or ``control`` is readable.

        Returns whether ``control``, a file descriptor, is readable. Raises ConnectionLost.
        """
        timeout_s = max(until_us - self._clock.now_us(), 0) / 1e6
        connections = {connection.raw.fileno(): connection for connection in self._connections}
        unsent = [number for number, sender in connections.items() if sender.raw.unsent_bytes]
        # Polling for the reply pays only while there is nothing else to do soon.
        is_idle = timeout_s > _IDLE_S and not self._is_closed_loop
        expects_answer = recorder.in_flight > 0 and is_idle
        readable, writable = wait_for([*connections, control], unsent, timeout_s, expects_answer)
        for descriptor in writable:
            connections[descriptor].raw.flush()
        for descriptor in readable:
            if descriptor in connections:
                connections[descriptor].take_replies(self._clock, recorder)
                self.last_list_length = connections[descriptor].last_list_length
        if any(connection.lacks_scripts for connection in self._connections):
            load_scripts_again(self._url, self._layout, self._connections)
        return control in readable

    def reconnect(self) -> None:
        """Open new connections; replies to tasks in flight will never come.

        Raises ServerUnreachable.
        """
        self.close()
        self._connections = self._connect()
        with open_client(self._url) as client, translated_errors(self._url):
            load_scripts(client, self._layout)  # a restarted server has none

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections:
            connection.raw.close()

    def _connect(self) -> list[PipelinedConnection]:
        return [
            PipelinedConnection(
                self._url, number, self._renderer.answers, in_batches=self._is_closed_loop
            )
            for number in range(self._connection_count)
        ]


def _in_flight(connection: PipelinedConnection) -> int:
    return connection.in_flight


def load_scripts_again(
    url: str, layout: Layout, connections: Sequence[PipelinedConnection]
) -> None:
    """Load the layout's scripts, which a server forgets when it restarts or is told to.

    If that fails now, it is done at the next refusal.
    """
    for connection in connections:
        connection.lacks_scripts = False
    with (
        contextlib.suppress(ServerUnreachable, redis.exceptions.RedisError),
        open_client(url, _SIDE_TIMEOUT_S) as client,
    ):
        load_scripts(client, layout)


class _BlockingSink:
    """The common part of the comparison sinks: a redis-py client whose calls wait for replies."""

    def __init__(self, url: str, scenario: Scenario, run: int, number: int, clock: Clock) -> None:
        self._url = url
        self._clock = clock
        self._layout = scenario.wire_layout
        self._queues = list(scenario.queues)
        self._max_retry = scenario.max_retry
        self._is_closed_loop = scenario.is_closed_loop
        self._run = run
        self._number = number
        self._client = open_client(url)
        self.last_list_length: int | None = None

    @property
    def is_congested(self) -> bool:
        """Always False: each batch is answered before the next."""
        return False

    def wait(self, until_us: int, recorder: ProducerRecorder, control: int) -> bool:
        """Let time pass until then, or until ``control`` is readable; no task is ever in flight.

        Returns whether ``control``, a file descriptor, is readable.
        """
        timeout_s = max(until_us - self._clock.now_us(), 0) / 1e6
        return bool(select.select([control], [], [], timeout_s)[0])

    def reconnect(self) -> None:
        """Open a new client. Raises ServerUnreachable."""
        self.close()
        self._client = open_client(self._url)
        with translated_errors(self._url):
            load_scripts(self._client, self._layout)

    def close(self) -> None:
        """Close the client's connections."""
        self._client.close()

    def _task(self, batch: Batch, index: int, sent_us: int) -> Task:
        body = batch.bodies[index]
        text = body.tobytes() if isinstance(body, np.ndarray) else body
        return Task(
            id=ids.format_id(ids.TaskId(self._run, self._number, int(batch.sequence[index]))),
            queue=self._queues[int(batch.queue[index])],
            payload=stamps.head(int(batch.due_us[index]), sent_us) + text,
            max_retry=self._max_retry,
            sent_us=sent_us,
        )

    def _group(self, batch: Batch, index: int) -> Group:
        one = slice(index, index + 1)
        return Group(int(batch.queue[index]), batch.due_us[one], batch.sequence[one])


class PipelineSink(_BlockingSink):
    """Sends each batch as one pipeline of redis-py, without a transaction."""

    def submit(self, batch: Batch, recorder: ProducerRecorder) -> None:
        """Build the pipeline call by call, execute it, and read all replies.

        Raises ConnectionLost.
        """
        sent_us = _moment_of_sending(batch, self._clock, self._is_closed_loop)
        pipeline = self._client.pipeline(transaction=False)
        commands = 0
        for index in range(len(batch)):
            for command in self._layout.enqueue(self._task(batch, index, sent_us)):
                pipeline.execute_command(*command)  # type: ignore[no-untyped-call]
                commands += 1
        recorder.sent([self._group(batch, index) for index in range(len(batch))], sent_us)
        try:
            replies = pipeline.execute(raise_on_error=False)
        except redis.exceptions.RedisError as error:
            raise ConnectionLost(str(error)) from None
        acked_us = self._clock.now_us()
        per_task = commands // len(batch)
        errors = [
            (index, str(reply))
            for index, reply in enumerate(replies)
            if isinstance(reply, Exception)
        ]
        for _, message in errors:
            recorder.note_error(message)
        if any(isinstance(reply, redis.exceptions.NoScriptError) for reply in replies):
            load_scripts_again(self._url, self._layout, ())
        refused = sorted({index // per_task for index, _ in errors})
        recorder.answered(len(batch), acked_us, refused)
        if isinstance(replies[-1], int):
            self.last_list_length = replies[-1]


class SnippetSink(_BlockingSink):
    """Sends as ``enqueue_task`` in runqy's guide does: two round trips per task. Its client
    stays open."""

    def submit(self, batch: Batch, recorder: ProducerRecorder) -> None:
        """Send task by task; each command waits for its reply. Raises ConnectionLost."""
        for index in range(len(batch)):
            sent_us = _moment_of_sending(batch, self._clock, self._is_closed_loop)
            task = self._task(batch, index, sent_us)
            recorder.sent([self._group(batch, index)], sent_us)
            refused: list[int] = []
            try:
                self._client.hset(
                    self._layout.task(task.queue, task.id), mapping=dict(task.fields())
                )
                self.last_list_length = int(
                    self._client.lpush(self._layout.pending(task.queue), task.id)
                )
            except redis.exceptions.ResponseError as error:
                recorder.note_error(str(error))
                refused = [0]
            except (redis.exceptions.RedisError, TypeError, ValueError) as error:
                raise ConnectionLost(str(error)) from None  # a reply may answer no command at all
            recorder.answered(1, self._clock.now_us(), refused)
