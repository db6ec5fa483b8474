"""What a run would write on its server, and whether it could begin: nothing is written there.

What tasks take is measured on a server of this program's own, with tasks of the scenario.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import redis

from bench.errors import BenchError, MeasurementError
from bench.redisio import embedded, server_info
from bench.redisio.connection import open_client, translated_errors
from bench.redisio.marker import marker_key
from bench.redisio.permitted import first_refusal
from bench.redisio.queue_keys import load_scripts
from bench.redisio.url import parse
from bench.run import guard_monitor
from bench.run.cleanup import Cleanup
from bench.run.prepare import require_possible
from bench.run.request import RunRequest, possible
from bench.wire import ids, stamps
from bench.wire.frame_renderer import FrameRenderer
from bench.wire.frames import Batch
from bench.wire.layout_contract import Command, Reservation
from bench.wire.task import Task
from bench.workload.feed import Feed, due_by
from bench.workload.guards import guards_of
from bench.workload.scenario import Scenario

_SAMPLE_TASKS, _SAMPLE_BYTES = 10_000, 32 << 20
"""What is enqueued on the server of one's own, at most."""
_ANY_ID = "*"
_NO_TIME_US = 10**15
"""A moment with as many digits as every one that is written into tasks."""


class DryRun(msgspec.Struct, frozen=True, kw_only=True):
    """What a run would do, as far as that is known before it. Sizes are in bytes."""

    format: str = "runqy-bench-dry-run/1"
    scenario: str
    server: str
    """Address without user and password; empty for a server of the run's own."""
    exit_code: int = 0
    """The code with which the run would end before its first task; zero if it could begin."""
    problem: str = ""
    """Why it could not begin; empty if it could."""
    tasks: int | None
    """Tasks that are due; None where only a duration ends a closed loop."""
    task_keys: list[str]
    """Patterns of the keys of the tasks, one for each queue and kind. ``*`` is a task's id."""
    queue_keys: list[str]
    """Keys that hold ids of tasks."""
    other_keys: list[str]
    """Keys that are written beside them, and removed at the end."""
    sent_bytes_per_task: float
    """Bytes of the commands that enqueue a task."""
    memory_bytes_per_task: float
    """Memory of a task that waits in its queue, as measured on a server of one's own."""
    measured_on: str
    """Product and version of that server."""
    memory_bytes: float | None
    """Memory of all tasks, if none is served meanwhile; None where their number is not known."""
    used_memory_bytes: int | None = None
    """Memory that the server uses now; None where it does not tell."""
    memory_limit_bytes: int | None = None
    memory_limit_of: str = ""
    """What the limit is; empty where the server tells none."""
    guards: list[str] = []
    faults: list[str] = []
    notes: list[str] = []


@dataclass(frozen=True)
class _TaskCost:
    sent_bytes: float
    memory_bytes: float
    measured_on: str


def dry_run(request: RunRequest, binary: str | None, config: Sequence[str]) -> DryRun:
    """Returns what the run would do. Raises UsageError where no server can be started to measure
    what a task takes."""
    scenario = request.scenario
    cost, tasks = _cost_of_tasks(scenario, binary, config), _planned_tasks(scenario)
    planned = DryRun(
        scenario=scenario.name,
        server="" if request.owns_server else parse(request.url).address,
        tasks=tasks,
        task_keys=_task_keys(scenario),
        queue_keys=[
            key.key for queue in scenario.queues for key in scenario.wire_layout.queue_keys(queue)
        ],
        other_keys=_other_keys(scenario),
        sent_bytes_per_task=cost.sent_bytes,
        memory_bytes_per_task=cost.memory_bytes,
        measured_on=cost.measured_on,
        memory_bytes=None if tasks is None else tasks * cost.memory_bytes,
        guards=[guard.expression for guard in guards_of(scenario.abort)],
        faults=[fault.text for fault in scenario.faults],
    )
    return _on_server(planned, request)


def _on_server(planned: DryRun, request: RunRequest) -> DryRun:
    """What was planned, with what the server says to it."""
    try:
        request = possible(request)
        with open_client(request.url) as client, translated_errors(request.url):
            if not request.owns_server:
                planned = _with_memory(planned, client)
            cleanup = Cleanup(client, request.scenario.wire_layout, list(request.scenario.queues))
            chosen = require_possible(request, client, cleanup)
            planned = msgspec.structs.replace(
                planned,
                guards=list(chosen.expressions),
                notes=[chosen.note] if chosen.note else [],
            )
            if not request.owns_server:
                _require_allowed(client, request.scenario)
    except BenchError as error:
        return msgspec.structs.replace(planned, exit_code=int(error.exit_code), problem=str(error))
    return planned


def _with_memory(planned: DryRun, client: redis.Redis) -> DryRun:
    """What was planned, with the memory that a server of others uses, as far as it tells; of a
    cluster, its fullest node."""
    info = guard_monitor.info_of(client)
    limit = server_info.memory_limit(info)
    return msgspec.structs.replace(
        planned,
        used_memory_bytes=server_info.memory_bytes(info),
        memory_limit_bytes=None if limit is None else limit.size_bytes,
        memory_limit_of="" if limit is None else limit.of,
    )


def _require_allowed(client: redis.Redis, scenario: Scenario) -> None:
    """Raises what a run would end with as the server refuses its commands: MeasurementError where
    it would begin, and none of its tasks be enqueued or served, and redis-py's errors before."""
    refusal = first_refusal(client, _preparations(scenario))
    if refusal is not None:
        raise refusal
    refusal = first_refusal(client, list(_commands(scenario)))
    if isinstance(refusal, redis.exceptions.NoPermissionError):
        raise MeasurementError(
            f"the server forbids a command that the run needs: {refusal}: grant it in the ACL"
        )
    if refusal is not None:
        raise refusal


def _preparations(scenario: Scenario) -> list[Command]:
    """The commands without which a run does not begin."""
    layout = scenario.wire_layout
    registry = layout.registry()
    return [
        *(("SCRIPT", "LOAD", text) for text in layout.scripts),
        *([] if registry is None else [("SADD", registry, queue) for queue in scenario.queues]),
    ]


def _planned_tasks(scenario: Scenario) -> int | None:
    planned_s = scenario.planned_duration_s
    if scenario.is_closed_loop or planned_s is None:
        return scenario.tasks
    end_us = round(planned_s * 1e6)
    due = sum(due_by(scenario, number, end_us) for number in range(scenario.producers))
    return due if scenario.tasks is None else min(due, scenario.tasks)


def _task_keys(scenario: Scenario) -> list[str]:
    layout = scenario.wire_layout
    found = [key for queue in scenario.queues for key in layout.keys_of(queue, _ANY_ID)]
    return list(dict.fromkeys(found))


def _other_keys(scenario: Scenario) -> list[str]:
    layout = scenario.wire_layout
    counters = [key for queue in scenario.queues for key in layout.counters(queue, 0).keys]
    registry = layout.registry()
    return [
        marker_key(0).replace(ids.run_text(0), _ANY_ID),
        *([] if registry is None else [registry]),
        *(key.replace("1970-01-01", _ANY_ID) for key in counters),
    ]


def _commands(scenario: Scenario) -> Iterator[Command]:
    """The commands of producers and of workers that the run starts, and of the clean-up, for one
    task of each queue."""
    layout, task_id = scenario.wire_layout, ids.format_id(ids.TaskId(0, 0, 0))
    for queue in scenario.queues:
        payload = stamps.head(_NO_TIME_US, _NO_TIME_US) + b'"}'
        yield from layout.enqueue(Task(task_id, queue, payload, sent_us=_NO_TIME_US))
        if scenario.workers and not scenario.is_observed:
            reservation = Reservation(queue, task_id)
            yield layout.pop_one([queue], 1)
            yield layout.load(queue, task_id)
            yield from layout.start(reservation)
            yield from layout.complete(reservation, b"{}" if scenario.store_results else None)
        yield ("DEL", *layout.keys_of(queue, task_id))


def _cost_of_tasks(scenario: Scenario, binary: str | None, config: Sequence[str]) -> _TaskCost:
    layout, queues = scenario.wire_layout, list(scenario.queues)
    renderer = FrameRenderer(layout, queues, 0, 0, scenario.max_retry)
    with embedded.running(binary, config) as server, open_client(server.url) as client:
        load_scripts(client, layout)
        sample = list(_sample(scenario))
        rendered = (renderer.render(_at(batch)).stamped(_NO_TIME_US) for batch in sample)
        sent_bytes = sum(len(data) for data in rendered)
        before = _memory(client)
        for batch in sample:
            _enqueue(client, scenario, batch)
        tasks = max(sum(map(len, sample)), 1)
        described = server_info.describe(client, server.url)
        memory_bytes = (_memory(client) - before) / tasks
    return _TaskCost(
        sent_bytes / tasks, memory_bytes, f"{described['product']} {described['version']}"
    )


def _at(batch: Batch) -> Batch:
    """A batch whose due times have as many digits as those of a run."""
    return Batch(batch.sequence, batch.due_us + _NO_TIME_US, batch.queue, batch.bodies)


def _sample(scenario: Scenario) -> Iterator[Batch]:
    """The first tasks of the scenario, as many as are enough."""
    feed = Feed(scenario, 0)
    tasks = size_bytes = 0
    while feed.next_due_us() is not None and tasks < _SAMPLE_TASKS and size_bytes < _SAMPLE_BYTES:
        batch = feed.take(256)
        tasks += len(batch)
        size_bytes += sum(len(body) for body in batch.bodies)
        yield batch


def _enqueue(client: redis.Redis, scenario: Scenario, batch: Batch) -> None:
    layout, queues = scenario.wire_layout, list(scenario.queues)
    with client.pipeline(transaction=False) as pipeline:
        for task in _tasks(scenario, queues, batch):
            for command in layout.enqueue(task):
                pipeline.execute_command(*command)  # type: ignore[no-untyped-call]
        pipeline.execute()


def _tasks(scenario: Scenario, queues: Sequence[str], batch: Batch) -> Iterator[Task]:
    for sequence, queue, body in zip(batch.sequence, batch.queue, batch.bodies, strict=True):
        yield Task(
            id=ids.format_id(ids.TaskId(0, 0, int(sequence))),
            queue=queues[int(queue)],
            payload=stamps.head(_NO_TIME_US, _NO_TIME_US) + bytes(body),
            max_retry=scenario.max_retry,
            sent_us=_NO_TIME_US,
        )


def _memory(client: redis.Redis) -> int:
    """Memory in use once the buffers of the client's commands are free again."""
    client.connection_pool.disconnect()
    info: dict[str, Any] = client.info("memory")
    return server_info.memory_bytes(info) or 0
