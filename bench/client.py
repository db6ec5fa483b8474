"""The seed document's guide as a Python API: enqueue a task, look at it, wait for its result.

    from bench import enqueue_task, task_status, wait_for_result

    task_id = enqueue_task("inference_default", {"input": "hello"})
    wait_for_result(task_id, timeout=5)

The server is ``url``, else ``BENCH_REDIS_URL``, else a Redis on this machine's default port.
"""

import json
import os
import time
import uuid
from collections.abc import Mapping

import redis

from bench.errors import NoResult, TaskNotFound, UsageError
from bench.layouts.runqy.layout import RUNQY
from bench.redisio.connection import open_client, translated_errors
from bench.wire.layout import split_queue
from bench.wire.task import Task

DEFAULT_URL = "redis://localhost:6379/0"
MOST_RETRIES = 1000
_POLL_S = 0.02


def enqueue_task(
    queue: str, payload: Mapping[str, object], max_retry: int = 3, *, url: str | None = None
) -> str:
    """Enqueue a task on a sub-queue such as ``inference_default``; return its id.

    Raises UsageError for a queue without its parent, a payload that JSON cannot hold, or retries
    out of range, and ServerUnreachable.
    """
    parent, sub_queue = split_queue(queue, RUNQY.separator)
    if not parent or not sub_queue:
        raise UsageError(
            f"{queue!r} is not a sub-queue: write PARENT_NAME, for example inference_default"
        )
    if not 0 <= max_retry <= MOST_RETRIES:
        raise UsageError(f"max_retry {max_retry} is out of range: from 0 to {MOST_RETRIES}")
    try:
        text = json.dumps(payload, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise UsageError(f"the payload cannot be written as JSON: {error}") from None
    task = Task(id=str(uuid.uuid4()), queue=queue, payload=text, max_retry=max_retry)
    with _client(url) as client, translated_errors(_url(url)):
        for command in RUNQY.enqueue(task):
            client.execute_command(*command)
    return task.id


def task_status(task_id: str, *, url: str | None = None) -> dict[str, str]:
    """The fields of a task's hash; ``state`` is ``pending`` where no worker has written one yet.

    Raises TaskNotFound and ServerUnreachable.
    """
    with _client(url) as client, translated_errors(_url(url)):
        fields = client.hgetall(RUNQY.task("", task_id))
    if not fields:
        raise TaskNotFound(f"no task {task_id}: was it enqueued on this server?")
    found = {_text(name): _text(value) for name, value in fields.items()}
    return {"state": "pending", **found}


def wait_for_result(task_id: str, timeout: float = 30.0, *, url: str | None = None) -> object:
    """The task's result, decoded from JSON, as soon as it is there.

    A result exists only where workers store them. Raises NoResult when the task has ended without
    one, which it says is because storage is off, or when ``timeout`` seconds are over; and
    TaskNotFound and ServerUnreachable.
    """
    deadline = time.monotonic() + timeout
    with _client(url) as client, translated_errors(_url(url)):
        while True:
            state = client.hget(RUNQY.task("", task_id), "state")
            # The result is read after the state: a worker writes it before.
            stored = client.get(RUNQY.result(task_id))
            if stored is not None:
                return json.loads(stored)
            _require_still_possible(client, task_id, None if state is None else _text(state))
            if time.monotonic() >= deadline:
                raise NoResult(
                    f"task {task_id} has no result after {timeout:g} s"
                    f" (state: {'pending' if state is None else _text(state)})"
                )
            time.sleep(_POLL_S)


def _require_still_possible(client: redis.Redis, task_id: str, state: str | None) -> None:
    if state is None and not client.exists(RUNQY.task("", task_id)):
        raise TaskNotFound(f"no task {task_id}: was it enqueued on this server?")
    if state == "completed":
        raise NoResult(
            f"task {task_id} is completed and left no result: its worker does not store results "
            "(turn it on with --store-results, or RedisStorage: true in runqy)"
        )
    if state == "archived":
        error = client.hget(RUNQY.task("", task_id), "error")
        reason = "" if error is None else f": {_text(error)}"
        raise NoResult(f"task {task_id} failed for good{reason}")


def _url(url: str | None) -> str:
    return url or os.environ.get("BENCH_REDIS_URL") or DEFAULT_URL


def _client(url: str | None) -> redis.Redis:
    return open_client(_url(url))


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()
