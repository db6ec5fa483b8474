"""A run on a Redis Cluster: every task once, also while a slot moves to another node."""

import threading
from typing import Any

import msgspec
import pytest

from bench.layouts import registry
from bench.records.run_record import RunRecord
from bench.wire.slots import queue_slot
from tests.integration.conftest import run, worker_thread
from tests.private_cluster import PrivateCluster
from tests.waiting import await_that

pytestmark = pytest.mark.slow

_QUEUES = {"orders.high": 1, "orders.default": 2, "orders.low": 1}
_LAYOUT = registry.get("asynq").layout


def _run(cluster: PrivateCluster, fields: dict[str, object]) -> RunRecord:
    return run(cluster.url, {"layout": "asynq", "queues": _QUEUES, **fields}, owns_server=False)


def _require_all_once(record: RunRecord, count: int) -> None:
    counts = record.counts
    found = (counts.due, counts.enqueued, counts.completed, counts.lost, counts.duplicated)
    assert found == (count, count, count, 0, 0), msgspec.to_builtins(record.warnings)


def _refused_scripts(node: Any) -> int:
    """How many calls of scripts a node has refused, as it does not have all of their keys."""
    found = node.info("commandstats").get("cmdstat_evalsha", {})
    return int(found.get("rejected_calls", 0))


def test_each_task_is_served_once_and_nothing_is_left(cluster: PrivateCluster) -> None:
    cluster.flush()
    record = _run(cluster, {"rate": 300, "duration": 2})
    _require_all_once(record, 600)
    assert cluster.keys() == []
    assert record.scenario.duplicate_check  # by one script, in which no slot can move
    nodes = record.resources.server_nodes
    assert sorted(each.node for each in nodes) == sorted(
        f"127.0.0.1:{port}" for port in cluster.ports
    )
    commands = sum(each.commands_per_task or 0 for each in nodes)
    assert commands > 3  # EVALSHA to enqueue, and what a worker sends
    cpu = sum(each.cpu_us_per_task or 0 for each in nodes)
    assert cpu == pytest.approx(record.resources.server_cpu_us_per_task)


@pytest.mark.parametrize("fields", [{"prefetch": 1, "concurrency": 3}, {"failure_rate": 0.2}])
def test_a_slot_that_moves_in_the_middle_of_a_run_loses_and_repeats_nothing(
    cluster: PrivateCluster, fields: dict[str, object]
) -> None:
    cluster.flush()
    key = _LAYOUT.pending("orders.default")
    slot = queue_slot(_LAYOUT, "orders.default") or 0
    source = cluster.owner(slot)

    def move() -> None:
        node: Any = cluster.nodes()[source]
        await_that(lambda: bool(node.exists("asynq:{orders.default}:processed")))
        end = cluster.open_migration(key, (source + 1) % 3)
        before = _refused_scripts(node)
        await_that(lambda: _refused_scripts(node) > before + 50)  # by which producers enqueue
        end()

    other = threading.Thread(target=move)
    other.start()
    try:
        record = _run(cluster, {"rate": 200, "duration": 4, "retry_delay": 0.05, **fields})
    finally:
        other.join()
    _require_all_once(record, 800)
    assert "redirected" in {warning.code for warning in record.warnings}
    assert cluster.keys() == []
    assert cluster.owner(slot) == (source + 1) % 3


def test_standing_workers_serve_a_cluster(cluster: PrivateCluster) -> None:
    cluster.flush()
    fields: dict[str, object] = {"layout": "asynq", "queues": _QUEUES}
    with worker_thread(cluster.url, fields):
        own = {"workers": 0, "external_workers": True}
        record = _run(cluster, {"rate": 200, "duration": 2, **own})
    _require_all_once(record, 400)
