"""runqy's guide as a Python API: enqueue a task, read its state, await its result.

    from bench import enqueue_task, task_status, wait_for_result

    task_id = enqueue_task("inference_default", {"input": "hello"})
    wait_for_result(task_id, timeout=5)

Tasks are those of the default layout, in which a task is found by its id alone. The server is
``url``, else ``BENCH_REDIS_URL``, else a Redis on the default port of this machine.
"""

import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

import redis

from bench.errors import NoResult, TaskNotFound, UsageError
from bench.layouts import registry
from bench.names import require_queue_name, require_utf8
from bench.redisio import tls
from bench.redisio.connection import open_client, translated_errors
from bench.redisio.url import from_environment
from bench.wire.layout_contract import (
    STATE_ARCHIVED,
    STATE_COMPLETED,
    Command,
    split_queue,
    state_of,
)
from bench.wire.task import Task

DEFAULT_URL = "redis://localhost:6379/0"
MOST_RETRIES = 1000
_POLL_S = 0.02
_WHY_UTF8 = "as the names of tasks and queues are"
_LAYOUT = registry.default.layout
_ANY_QUEUE = ""
"""The queue of a task's keys, which do not depend on it in the default layout."""


def enqueue_task(
    queue: str, payload: Mapping[str, object], max_retry: int = 3, *, url: str | None = None
) -> str:
    """Enqueues a task on a sub-queue such as ``inference_default`` and returns its id.

    Raises UsageError for a queue without a parent, a name or a payload that cannot be written as
    UTF-8 or as JSON, or a number of retries that is out of range, and ServerUnreachable.
    """
    require_utf8([queue], _WHY_UTF8)
    if not all(split_queue(queue, _LAYOUT.separator)):
        raise UsageError(
            f"{queue!r} is not a sub-queue: write PARENT{_LAYOUT.separator}NAME, for example "
            f"inference{_LAYOUT.separator}default"
        )
    require_queue_name(queue)
    if not 0 <= max_retry <= MOST_RETRIES:
        raise UsageError(f"max_retry {max_retry} is out of range: from 0 to {MOST_RETRIES}")
    try:
        text = json.dumps(payload, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"the payload cannot be written as JSON: {error}") from None
    task = Task(id=str(uuid.uuid4()), queue=queue, payload=text, max_retry=max_retry)
    with _client(url) as client, translated_errors(_url(url)):
        for command in _LAYOUT.enqueue(task):
            client.execute_command(*command)
    return task.id


def task_status(task_id: str, *, url: str | None = None) -> dict[str, str]:
    """Returns the fields of a task's hash; ``state`` is ``pending`` if no worker has set it yet.

    Bytes that are not UTF-8 are written as ``\\xff``. Raises TaskNotFound and ServerUnreachable.
    """
    require_utf8([task_id], _WHY_UTF8)
    with _client(url) as client, translated_errors(_url(url)):
        fields = _fields(client, task_id)
    if not fields:
        raise TaskNotFound(f"no task {task_id}: was it enqueued on this server?")
    return {"state": "pending", **fields}


def wait_for_result(task_id: str, timeout: float = 30.0, *, url: str | None = None) -> object:
    """Waits for a task's result and returns it, decoded from JSON; text where it is not JSON.

    A result exists only if the workers store results. Raises NoResult if the task has ended without
    one or ``timeout`` seconds have passed, and TaskNotFound and ServerUnreachable.
    """
    require_utf8([task_id], _WHY_UTF8)
    deadline_s = time.monotonic() + timeout
    with _client(url) as client, translated_errors(_url(url)):
        while True:
            state = state_of(_values(_ask(client, _LAYOUT.state(_ANY_QUEUE, task_id))))
            # The result is read after the state, because a worker writes it before the state.
            stored = _ask(client, _LAYOUT.result(_ANY_QUEUE, task_id))
            if stored is not None:
                return _decoded(stored)
            _require_still_possible(client, task_id, state)
            if time.monotonic() >= deadline_s:
                raise NoResult(f"task {task_id} has no result after {timeout:g} s (state: {state})")
            time.sleep(_POLL_S)


def _require_still_possible(client: redis.Redis, task_id: str, state: str | None) -> None:
    """Raises an error if a task in that state will not get a result any more."""
    if state is None:
        raise TaskNotFound(f"no task {task_id}: was it enqueued on this server?")
    if state == STATE_COMPLETED:
        raise NoResult(
            f"task {task_id} is completed and left no result: its worker does not store results "
            "(turn it on with --store-results, or with RedisStorage: true in runqy)"
        )
    if state == STATE_ARCHIVED:
        error = _fields(client, task_id).get("error")
        reason = "" if error is None else f": {error}"
        raise NoResult(f"task {task_id} failed for good{reason}")


def _fields(client: redis.Redis, task_id: str) -> dict[str, str]:
    found = _ask(client, _LAYOUT.load(_ANY_QUEUE, task_id))
    return {_text(name): _text(value) for name, value in found.items()}


def _ask(client: redis.Redis, command: Command) -> Any:
    return client.execute_command(*command)  # type: ignore[no-untyped-call]


def _values(reply: object) -> list[bytes | None]:
    if not isinstance(reply, list):
        raise redis.exceptions.InvalidResponse(f"its reply for fields of a task is {reply!r}")
    return reply


def _url(url: str | None) -> str:
    if url is not None:
        return url
    return tls.with_variables(from_environment() or DEFAULT_URL)


def _client(url: str | None) -> redis.Redis:
    return open_client(_url(url))


def _decoded(stored: str | bytes) -> object:
    """Returns a result that a worker stored: what JSON it is, or its text where it is none.

    Text is also what no reader of JSON need accept: NaN, and lists in thousands of lists.
    """
    text = _text(stored)
    try:
        found = json.loads(text, parse_constant=_refuse)
        # Raises RecursionError sooner than reading does, and ValueError for 1e999.
        json.dumps(found, indent=1, allow_nan=False)
    except (ValueError, RecursionError):
        return text
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode(errors="backslashreplace")
