"""Faults that a run injects into its own server and workers: the ledger agrees with the server."""

import contextlib
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from bench.errors import UsageError
from bench.faults.servers import OwnServer
from bench.layouts import registry
from bench.records.run_record import RunRecord
from bench.redisio import embedded
from bench.redisio.embedded import EmbeddedServer
from bench.run.request import RunRequest
from bench.run.run import execute
from bench.workload.resolve import resolve
from tests.integration.conftest import QUEUE
from tests.integration.test_survival import LAYOUTS, WORKER, states
from tests.seconds import in_seconds

pytestmark = pytest.mark.slow


@pytest.fixture
def persistent() -> Iterator[EmbeddedServer]:
    """A server that has its data after a restart."""
    with embedded.running(persistent=True) as started:
        yield started


def faulty(server: EmbeddedServer, faults: list[str], **fields: object) -> RunRecord:
    """A run of two seconds with faults on a server of its own."""
    given = {"rate": 500, "duration": 2, "drain_timeout": 10, "workers": 2, **fields}
    chosen = {name: value for name, value in given.items() if value is not None}
    scenario = resolve({"queues": {QUEUE: 1}, "warmup": 0, **in_seconds(chosen), "faults": faults})
    request = RunRequest(
        server.url,
        scenario,
        "a test",
        owns_server=True,
        open_url=server.open_url,
        server=OwnServer(server),
    )
    return execute(request, lambda _: None, lambda: False)


def client_of(server: EmbeddedServer) -> Any:
    return redis.Redis.from_url(server.url, protocol=2)


def codes(record: RunRecord) -> list[str]:
    return [warning.code for warning in record.warnings]


def require_agrees(record: RunRecord, server: EmbeddedServer, layout: str, queue: str) -> None:
    """The ledger's counts are those of the server, by id; nothing was sent twice."""
    counts, client = record.counts, client_of(server)
    held, wire = states(client, layout), registry.get(layout).layout
    assert counts.pending == client.llen(wire.pending(queue)) + held.get("retry", 0)
    assert counts.active == client.llen(wire.active(queue))
    # A worker that was killed between the two commands of an end leaves a task that is on no list.
    unmarked = held.get("active", 0) - counts.active
    assert counts.completed + counts.outcome_unknown == held.get("completed", 0) + unmarked
    assert counts.completed <= held.get("completed", 0)
    # A task whose id did not get onto the list any more has a hash, and is not enqueued.
    assert counts.enqueued <= sum(held.values()) <= counts.enqueued + counts.unknown
    assert counts.due == counts.enqueued + counts.unknown + counts.not_sent


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "faults",
    [
        ["500ms stall server 300ms"],
        ["500ms restart server"],
        ["500ms pause clients 300ms"],
        ["500ms reset connections 100%"],
        ["500ms kill worker 1", "1s start worker"],
        ["500ms stall worker all 300ms"],
    ],
    ids=lambda faults: faults[0].split(" ", 1)[1],
)
def test_the_ledger_is_that_of_the_server_after_a_fault(
    persistent: EmbeddedServer, layout: str, faults: list[str]
) -> None:
    record = faulty(
        persistent,
        faults,
        layout=layout,
        queues={LAYOUTS[layout]: 1},
        store_results=layout != "runqy",
    )
    require_agrees(record, persistent, layout, LAYOUTS[layout])
    if "restart" not in faults[0]:  # while a server loads its data, it refuses
        assert record.counts.refused == 0
    assert record.verdict != "incomplete", record.warnings
    if "stall" in faults[0] or "pause" in faults[0]:
        assert record.counts.lost == 0
    else:
        # Popped as the worker or its connection went, and not yet marked: the task says that it is
        # pending, and stands on no list.
        waiting = client_of(persistent).llen(registry.get(layout).layout.pending(LAYOUTS[layout]))
        held = states(client_of(persistent), layout)
        assert record.counts.lost <= held.get("pending", 0) - waiting


def test_an_empty_restart_loses_what_was_there_and_nothing_else(
    embedded: EmbeddedServer,
) -> None:
    """Without workers, each acknowledged task that is gone is lost, and no other one."""
    record = faulty(embedded, ["1s restart server empty"], workers=0)
    counts = record.counts
    assert counts.pending == client_of(embedded).llen(f"asynq:{QUEUE}:pending")
    assert counts.lost == counts.enqueued - counts.pending > 100
    assert record.verdict == "lossy", record.warnings


def test_a_server_that_keeps_nothing_comes_back_empty(embedded: EmbeddedServer) -> None:
    record = faulty(embedded, ["1s restart server"], workers=0)
    assert record.counts.lost > 100
    assert record.counts.pending == client_of(embedded).llen(f"asynq:{QUEUE}:pending")


def test_a_full_memory_refuses_tasks_and_is_given_back(embedded: EmbeddedServer) -> None:
    client = client_of(embedded)
    before = client.config_get("maxmemory")
    record = faulty(embedded, ["500ms..1s fill memory"], workers=0)
    assert record.counts.refused > 0
    assert record.counts.pending == client.llen(f"asynq:{QUEUE}:pending")
    assert record.counts.lost == 0
    assert client.config_get("maxmemory") == before
    assert record.verdict == "lossy"


def test_tasks_of_a_killed_worker_that_nobody_takes_over_are_told(
    embedded: EmbeddedServer,
) -> None:
    """The drain does not wait for them, as this layout's workers never look for them.

    The rate is above what two workers serve, so that the one which is killed holds tasks.
    """
    record = faulty(embedded, ["1s kill worker 1"], service_time="200ms", concurrency=4, rate=50)
    assert record.counts.active == client_of(embedded).llen(f"asynq:{QUEUE}:active") > 0
    assert record.verdict == "lossy"
    assert "stranded" in codes(record)
    assert record.duration_s < 11


@contextlib.contextmanager
def plain_worker(tmp_path: Path) -> Iterator[str]:
    yield shlex.join([sys.executable, str(WORKER), str(tmp_path / "summary"), QUEUE])


def test_a_worker_of_others_is_killed_and_started_again(
    embedded: EmbeddedServer, tmp_path: Path
) -> None:
    with plain_worker(tmp_path) as command:
        record = faulty(
            embedded,
            ["1s kill worker 1", "1500ms start worker"],
            workers=1,
            worker_command=command,
            rate=100,
        )
    held = states(client_of(embedded), "runqy")
    assert record.counts.completed == held["completed"] > 100
    assert record.counts.lost + record.counts.active <= 1  # it takes one task at a time
    assert record.verdict != "incomplete", (
        record.warnings
    )  # a busy machine may spoil the measurement


def test_a_fault_that_cannot_be_injected_makes_the_run_incomplete(
    embedded: EmbeddedServer,
) -> None:
    fields: dict[str, object] = {"rate": "max", "duration": None, "tasks": 500}
    record = faulty(embedded, ["30s stall server 1s"], **fields)
    assert record.verdict == "incomplete"
    (told,) = [warning for warning in record.warnings if warning.code == "fault_failed"]
    assert "'30s stall server 1s' did not happen as planned" in told.message
    assert record.duration_s < 20


def test_a_server_of_others_is_left_alone(embedded: EmbeddedServer) -> None:
    scenario = resolve(
        {"queues": {QUEUE: 1}, "rate": 100, "duration": "1s", "faults": ["500ms restart server"]}
    )
    for allowed in (False, True):
        request = RunRequest(embedded.url, scenario, "a test", faults_on_shared=allowed)
        with pytest.raises(UsageError, match="restart server"):
            execute(request, lambda _: None, lambda: False)
    assert client_of(embedded).dbsize() == 0


def test_only_the_run_s_own_connections_to_a_server_of_others_are_reset(
    embedded: EmbeddedServer,
) -> None:
    scenario = resolve(
        {
            "queues": {QUEUE: 1},
            "rate": 200,
            "duration": "1s",
            "warmup": "0s",
            "workers": 1,
            "faults": ["500ms reset connections 100%"],
        }
    )
    with redis.Redis.from_url(embedded.url, protocol=2) as bystander:
        own = bystander.client_id()
        request = RunRequest(embedded.url, scenario, "a test", faults_on_shared=True)
        record = execute(request, lambda _: None, lambda: False)
        assert bystander.client_id() == own
    assert any("connection" in warning.message for warning in record.warnings)
    assert client_of(embedded).dbsize() == 0
