"""What is exported of a run: the values of its reports, under the names that are declared."""

import dataclasses
import re
from typing import Any

import msgspec
import pytest

from bench.measure.recorder import Interval
from bench.measure.reports import WorkerReport
from bench.metrics.declared import ASYNQ_STATES, METRICS, PREFIX, MetricType
from bench.metrics.objectives import held_so_far, limits_us
from bench.metrics.run_metrics import RunView, snapshot_of
from bench.metrics.snapshot import MetricsSnapshot
from bench.records import run_record
from bench.workload.resolve import resolve
from tests.metrics.views import BOUNDS_US, HIGH, LOW, OF_30_MS, SLO, counts, view
from tests.sources import ROOT

RECORD = ROOT / "tests" / "records" / "data" / "run-default.json"


def values(snapshot: MetricsSnapshot, name: str) -> dict[tuple[str, ...], float]:
    found = snapshot.values[name]
    assert len(dict(found)) == len(found), "two values for the same labels"
    return dict(found)


def single(snapshot: MetricsSnapshot, name: str) -> float:
    (value,) = values(snapshot, name).values()
    return value


def test_the_ledger_of_the_run_so_far() -> None:
    found = snapshot_of(view())
    expected = {
        "expected_tasks_total": 200,
        "sent_tasks_total": 199,
        "acknowledged_tasks_total": 190,
        "refused_tasks_total": 2,
        "unacknowledged_tasks": 7,
        "completed_tasks_total": 149,
        "failed_tasks_total": 1,
        "in_flight_tasks": 4,
        "waiting_retry_tasks": 1,
        "expected_tasks_per_second": 100,
        "finished_tasks_per_second": 80,
    }
    assert {name: single(found, name) for name in expected} == expected
    assert values(found, "retried_attempts_total") == {(HIGH,): 0, (LOW,): 2}


def test_what_is_on_the_server_by_queue_and_state() -> None:
    found = values(snapshot_of(view()), "queue_tasks")
    assert found[HIGH, "pending"] == 3
    assert found[HIGH, "completed"] == 5
    assert found[LOW, "pending"] == 7


def test_pending_tasks_are_exported_where_no_state_was_counted_yet() -> None:
    progress = dataclasses.replace(view().progress, states={})
    found = values(snapshot_of(view(progress=progress)), "queue_tasks")
    assert found == {(HIGH, "pending"): 3, (LOW, "pending"): 7}


def test_latencies_are_exported_by_queue_and_stage_without_the_uncorrected_one() -> None:
    found = dict(snapshot_of(view()).histograms["latency_seconds"])
    assert {stage for _, stage in found} == {"enqueue", "service", "e2e"}
    assert found[LOW, "e2e"].count == 100


def test_metrics_named_like_asynq_s_mean_the_same() -> None:
    """As in asynq's exporter, the size leaves out completed tasks, and attempts count as
    processed."""
    found = snapshot_of(view())
    assert values(found, "queue_size") == {(HIGH,): 4, (LOW,): 7}
    enqueued = values(found, "tasks_enqueued_total")
    assert {state for _, state in enqueued} == {*ASYNQ_STATES}
    assert values(found, "tasks_processed_total") == {(HIGH,): 50, (LOW,): 102}
    assert values(found, "tasks_failed_total") == {(HIGH,): 0, (LOW,): 3}


def test_a_closed_loop_expects_nothing() -> None:
    scenario = resolve({"queues": {HIGH: 1, LOW: 3}, "rate": "max", "tasks": 100})
    found = snapshot_of(view(scenario=scenario))
    assert not {name for name in found.values if name.startswith("expected_")}
    assert values(found, "run_info").keys() == {(scenario.name, "runqy", "closed", "0.1.0")}


def test_no_more_tasks_are_expected_than_the_scenario_has() -> None:
    scenario = resolve({"queues": {HIGH: 1, LOW: 3}, "rate": "100/s", "tasks": 150})
    found = snapshot_of(view(scenario=scenario))
    assert single(found, "expected_tasks_total") == 150
    assert single(found, "expected_tasks_per_second") == 0


def test_of_an_observer_no_attempts_are_exported() -> None:
    scenario = resolve(
        {"queues": {HIGH: 1, LOW: 3}, "rate": "100/s", "tasks": 150, "worker": "external"}
    )
    found = snapshot_of(view(scenario=scenario))
    assert not {"tasks_processed_total", "tasks_failed_total"} & found.values.keys()


def test_the_verdict_is_pending_until_the_record_says_it() -> None:
    assert values(snapshot_of(view()), "verdict")["pending",] == 1
    record = run_record.load(RECORD)
    found = snapshot_of(view(record=record))
    chosen = [name for (name,), value in values(found, "verdict").items() if value]
    assert chosen == [record.verdict]
    ledger = values(found, "ledger_tasks")
    for queue, each in record.queues.items():
        assert ledger[queue, "lost"] == each.lost
        assert ledger[queue, "enqueued"] == each.enqueued
    held = {name: bool(value) for (name,), value in values(found, "objective_met").items()}
    assert held == {each.expression: each.passed for each in record.slo}


@pytest.mark.parametrize(
    ("objective", "held"),
    [
        (SLO, True),  # 135 of 150 are within 30 ms, exactly 90%
        ("e2e.p91 < 30ms", False),
        ("e2e{inference_low}.p90 <= 30ms", False),
        ("e2e{inference_high}.p100 < 30ms", True),
        ("e2e.p90 > 30ms", None),
        ("e2e.mean < 30ms", None),
        ("lost == 0", None),
        ("queue_wait.p99 < 30ms", None),  # nothing measured yet
    ],
)
def test_an_objective_is_judged_so_far_only_where_it_can_be(
    objective: str, held: bool | None
) -> None:
    found = held_so_far([objective], view().buckets, [HIGH, LOW], BOUNDS_US)
    assert found == ({} if held is None else {objective: held})


def test_limits_of_objectives_that_can_be_judged_become_bounds() -> None:
    expressions = ["e2e.p99 < 20ms", "lost == 0", "e2e.p99 > 1ms", "service.p50 <= 7us"]
    assert limits_us(expressions) == [20_000, 7]
    assert BOUNDS_US.index(30_000) == OF_30_MS


def test_every_value_has_the_labels_that_its_metric_declares() -> None:
    found = snapshot_of(view())
    samples_of: dict[str, list[tuple[tuple[str, ...], Any]]] = {}
    samples_of.update(found.values)
    samples_of.update(found.histograms)
    for name, samples in samples_of.items():
        for labels, _ in samples:
            assert len(labels) == len(METRICS[name].labels), name


def test_names_follow_the_conventions_of_prometheus() -> None:
    for name, metric in METRICS.items():
        assert re.fullmatch(r"[a-z_]+", metric.name)
        is_counter = metric.type in (MetricType.COUNTER, MetricType.UNTYPED)
        assert metric.name.endswith("_total") == is_counter, name
        assert metric.name.startswith((PREFIX, "asynq_"))


def test_a_snapshot_survives_its_journey() -> None:
    made = snapshot_of(view())
    encoded = msgspec.msgpack.encode(made)
    assert msgspec.msgpack.decode(encoded, type=MetricsSnapshot) == made


def test_several_processes_are_added() -> None:
    workers: list[Any] = [
        WorkerReport(name=name, completed=2, latency_buckets={Interval.SERVICE: {0: counts(b0=2)}})
        for name in ("w1", "w2")
    ]
    found: RunView = view(workers=workers)
    assert single(snapshot_of(found), "completed_tasks_total") == 4
    assert found.buckets[Interval.SERVICE][0].count == 4


def test_a_fault_is_active_while_the_plan_has_it_under_way() -> None:
    plan = ["1.5s stall server 2s", "5s restart server"]
    written = {"queues": {HIGH: 1, LOW: 3}, "rate": "100/s", "duration": "10s", "faults": plan}
    scenario = resolve(written)
    values = snapshot_of(view(scenario=scenario)).values["fault_active"]
    assert values == [(("1.5s stall server 2s",), 1.0), (("5s restart server",), 0.0)]
    assert snapshot_of(view()).values["fault_active"] == []
