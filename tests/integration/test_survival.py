"""Processes of a run that are killed or stopped: what they did is counted as what it is."""

import itertools
import os
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

from bench.layouts import registry
from bench.records.run_record import RunRecord
from bench.redisio.embedded import EmbeddedServer
from bench.run import subprocesses
from tests.integration.conftest import QUEUE, run

pytestmark = pytest.mark.slow

LAYOUTS = {"runqy": QUEUE, "asynq": "inference.default", "runqy-server": "inference.default"}
WORKER = Path(__file__).parents[1] / "peers" / "plain_worker.py"
Strike = Callable[[], bool]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a minute of silence is a long time in a test."""
    monkeypatch.setattr(subprocesses, "SILENT_AFTER_S", 1.5)


def child(module: str, number: int = 0) -> psutil.Process:
    """The process of this run that runs that module, by the name that it has in a list."""
    found = [
        process
        for process in psutil.Process().children(recursive=True)
        if process.status() != psutil.STATUS_ZOMBIE and process.name() == module
    ]
    return sorted(found, key=lambda process: process.pid)[number]


def strike_after(calls: int, module: str, number: signal.Signals, *, seen: Strike) -> Strike:
    """A ``should_stop`` that never is, and that sends one signal to a process of the run: some
    calls after the condition has come to hold."""
    left = itertools.count(calls, -1)
    struck: list[int] = []

    def should_stop() -> bool:
        if not struck and seen() and next(left) <= 0:
            struck.append(child(module).pid)
            os.kill(struck[0], number)
        return False

    return should_stop


def struck_run(
    embedded: EmbeddedServer, module: str, number: signal.Signals, **fields: object
) -> tuple[RunRecord, redis.Redis]:
    """A run of which one process gets a signal, a moment after the first tasks are there."""
    client = redis.Redis(port=embedded.port, protocol=2)
    strike = strike_after(3, module, number, seen=lambda: client.dbsize() > 100)
    chosen = {"rate": 800, "duration": 20, "drain_timeout": "2s", **fields}
    return run(embedded.url, chosen, should_stop=strike), client


def states(client: Any, layout: str) -> dict[str, int]:
    """How many hashes of tasks the server holds in each state."""
    found: dict[str, int] = {}
    pattern = "asynq:t:*" if layout == "runqy" else "asynq:{*}:t:*"
    for key in client.scan_iter(match=pattern, count=5000):
        state = (client.hget(key, "state") or b"pending").decode()
        found[state] = found.get(state, 0) + 1
    return found


@pytest.mark.parametrize(
    ("layout", "number"),
    [
        ("runqy", signal.SIGKILL),
        ("runqy", signal.SIGTERM),
        ("runqy", signal.SIGSTOP),
        ("asynq", signal.SIGKILL),
        ("runqy-server", signal.SIGKILL),
    ],
)
def test_what_a_dead_worker_did_is_found_on_the_server(
    embedded: EmbeddedServer, layout: str, number: signal.Signals
) -> None:
    record, client = struck_run(
        embedded,
        "bench.worker",
        number,
        layout=layout,
        queues={LAYOUTS[layout]: 1},
        store_results=layout != "runqy",
    )
    held = states(client, layout)
    counts = record.counts
    wire = registry.get(layout).layout
    queue = LAYOUTS[layout]
    assert record.verdict == "incomplete"
    assert counts.completed == held["completed"] > 50
    assert counts.pending == client.llen(wire.pending(queue))
    assert counts.active == client.llen(wire.active(queue))
    assert counts.lost <= 1  # popped, and on no list: the worker takes one at a time
    assert counts.enqueued == sum(held.values())
    assert counts.unknown == 0
    assert any("was read from Redis" in warning.message for warning in record.warnings)


def test_a_worker_that_deletes_what_it_has_done_is_believed_by_its_counters(
    embedded: EmbeddedServer,
) -> None:
    record, client = struck_run(
        embedded,
        "bench.worker",
        signal.SIGKILL,
        layout="asynq",
        queues={"inference.default": 1},
        failure_rate=0.1,
        max_retry=0,
    )
    processed, failed = (
        int(client.get(f"asynq:{{inference.default}}:{name}") or 0)
        for name in ("processed", "failed")
    )
    counts = record.counts
    assert (counts.completed, counts.failed) == (processed - failed, failed)
    assert failed > 0
    assert (counts.outcome_unknown, counts.unknown) == (0, 0)
    assert counts.lost <= 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("fields", [{}, {"rate": "max", "duration": 20}], ids=["open", "closed"])
def test_what_a_dead_producer_sent_is_counted_and_removed(
    embedded: EmbeddedServer, number: signal.Signals, fields: dict[str, object]
) -> None:
    """A batch that was cut off is not enqueued: it has hashes, and no list names them."""
    client: Any = redis.Redis(port=embedded.port, protocol=2)
    held: list[int] = []

    def seen() -> bool:
        held.append(client.llen(f"asynq:{QUEUE}:pending"))
        return held[-1] > 100

    strike = strike_after(3, "bench.producer", number, seen=seen)
    chosen = {"rate": 800, "duration": 20, "workers": 0, **fields}
    record = run(embedded.url, chosen, owns_server=False, should_stop=strike)
    counts = record.counts
    assert record.verdict == "incomplete"
    assert counts.enqueued >= held[-1] > 100
    assert counts.pending == counts.enqueued
    assert counts.lost == 0
    assert client.dbsize() == 0
    assert record.duration_s < 15


def test_what_one_of_two_producers_sent_is_not_mistaken_for_the_other_s(
    embedded: EmbeddedServer,
) -> None:
    record, client = struck_run(embedded, "bench.producer", signal.SIGKILL, producers=2, workers=0)
    assert record.counts.enqueued == client.llen(f"asynq:{QUEUE}:pending")
    assert record.counts.unknown == record.counts.lost == 0


def test_a_dead_observer_leaves_a_ledger_all_the_same(
    embedded: EmbeddedServer, tmp_path: Path
) -> None:
    """Every task that is on no list is looked up by the run itself."""
    client: Any = redis.Redis(port=embedded.port, protocol=2)
    command = shlex.join([sys.executable, str(WORKER), str(tmp_path / "summary"), QUEUE])
    strike = strike_after(3, "bench.observer", signal.SIGKILL, seen=lambda: client.dbsize() > 100)
    fields: dict[str, object] = {"rate": 200, "duration": 20, "worker_command": command}
    record = run(embedded.url, fields, should_stop=strike)
    held = states(client, "runqy")
    assert record.verdict == "incomplete"
    assert record.counts.completed == held["completed"] > 50
    assert record.counts.lost == 0
    assert any(warning.code == "reconciled" for warning in record.warnings)


def test_a_dead_worker_s_heartbeat_is_removed_with_its_tasks(embedded: EmbeddedServer) -> None:
    client: Any = redis.Redis(port=embedded.port, protocol=2)
    strike = strike_after(3, "bench.worker", signal.SIGKILL, seen=lambda: client.dbsize() > 100)
    record = run(embedded.url, {"rate": 800, "duration": 20}, owns_server=False, should_stop=strike)
    assert "worker 0 ended by SIGKILL before its final report" in record.warnings[0].message
    assert list(client.scan_iter()) == []
