"""Ways to hand tasks to Redis that exist for comparison, and block until they are answered.

They are redis-py's pipelines, and the example function of runqy's guide with its two round trips
per task.
"""

import select
from collections.abc import Sequence

import numpy as np
import redis

from bench.clock import Clock
from bench.producer.recorder import ProducerRecorder
from bench.producer.sinks import Reopening, load_scripts_again
from bench.redisio.connection import ConnectionLost, open_client, translated_errors
from bench.redisio.queue_keys import load_scripts
from bench.wire import ids, stamps
from bench.wire.frames import Batch
from bench.wire.task import Task
from bench.workload.scenario import Scenario

_OF_ANOTHER_SERVER = (
    redis.exceptions.ReadOnlyError,
    redis.exceptions.BusyLoadingError,
    redis.exceptions.MasterDownError,
    redis.exceptions.ClusterDownError,
    redis.exceptions.TryAgainError,
)
"""With these, a server says that it is not the one to ask at the moment."""


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
        self._reopening = Reopening(clock)
        self.last_list_length: int | None = None

    @property
    def is_congested(self) -> bool:
        """Always False: each batch is answered before the next."""
        return False

    def prepare(self, batch: Batch) -> Batch:
        """The batch itself: a client renders its commands when it sends them."""
        return batch

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

    def _follow(self, replies: Sequence[object]) -> None:
        """Raise ConnectionLost where another server may be the one to ask."""
        is_refused = any(isinstance(reply, _OF_ANOTHER_SERVER) for reply in replies)
        self._reopening.require(is_refused=is_refused, in_flight=0)

    def _moment_of_sending(self, batch: Batch, stop: int) -> int:
        """Now; in a closed loop, whose tasks are due when they are sent, their due time."""
        return int(batch.due_us[stop - 1]) if self._is_closed_loop else self._clock.now_us()

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


class PipelineSink(_BlockingSink):
    """Sends each batch as one pipeline of redis-py, without a transaction."""

    def send(self, prepared: Batch, start: int, stop: int, recorder: ProducerRecorder) -> None:
        """Build the pipeline call by call, execute it, and read all replies.

        Raises ConnectionLost.
        """
        batch = prepared.part(start, stop)
        sent_us = self._moment_of_sending(prepared, stop)
        pipeline = self._client.pipeline(transaction=False)
        commands = 0
        for index in range(len(batch)):
            for command in self._layout.enqueue(self._task(batch, index, sent_us)):
                pipeline.execute_command(*command)  # type: ignore[no-untyped-call]
                commands += 1
        recorder.sent(prepared.tasks, start, stop, sent_us)
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
        self._follow(replies)


class SnippetSink(_BlockingSink):
    """Sends as ``enqueue_task`` in runqy's guide does: two round trips per task. Its client
    stays open."""

    def send(self, prepared: Batch, start: int, stop: int, recorder: ProducerRecorder) -> None:
        """Send task by task; each command waits for its reply. Raises ConnectionLost."""
        for index in range(start, stop):
            sent_us = self._moment_of_sending(prepared, index + 1)
            task = self._task(prepared, index, sent_us)
            recorder.sent(prepared.tasks, index, index + 1, sent_us)
            refused: list[int] = []
            reply: object = None
            try:
                self._client.hset(
                    self._layout.task(task.queue, task.id), mapping=dict(task.fields())
                )
                self.last_list_length = int(
                    self._client.lpush(self._layout.pending(task.queue), task.id)
                )
            except redis.exceptions.ResponseError as error:
                recorder.note_error(str(error))
                refused, reply = [0], error
            except (redis.exceptions.RedisError, TypeError, ValueError) as error:
                raise ConnectionLost(str(error)) from None  # a reply may answer no command at all
            recorder.answered(1, self._clock.now_us(), refused)
            self._follow([reply])
