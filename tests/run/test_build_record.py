"""The record of a run from what it collected: tables of values, without processes or a server."""

import copy
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from bench import environment
from bench import usage as process_usage
from bench.measure.confidence import ConfidenceInterval
from bench.measure.ledger import Counts
from bench.measure.recorder import Interval, IntervalRecorder, LatencySeries
from bench.measure.reports import MeasuredLatencies
from bench.records import run_record
from bench.records.run_record import RunRecord
from bench.run.build_record import build_record
from bench.run.collected import CollectedRun
from bench.workload.mix import Mix
from tests.run.values import (
    EXTERNAL,
    LINE,
    QUEUE,
    START_US,
    bits,
    codes,
    collected,
    observer,
    packed,
    producer,
    sample,
    scenario,
    worker,
)

TWO = {"inference_high": 1, "inference_low": 1}

# The whole record.


def test_a_healthy_run_is_valid_and_every_part_of_the_record_is_there() -> None:
    record = build_record(collected())
    assert (record.verdict, codes(record)) == ("valid", [])
    assert record.id == "000000000000abc"
    assert record.started_at == "2026-01-15T09:30:00.250+00:00"
    assert (record.duration_s, record.window_s, record.command) == (1.5, 1.0, "bench run")
    assert (record.environment, record.server) == ({"cores": 8}, {"product": "valkey"})
    assert record.counts == Counts(due=100, enqueued=100, completed=100)
    assert record.queues == {QUEUE: record.counts}
    short = ConfidenceInterval(withheld="short", needs_s=8.0)
    assert record.rates == run_record.Rates(
        *(100.0, 100.0, 100.0, 100.0),
        dict.fromkeys(("enqueued_per_s", "finished_per_s", "completed_per_s"), short),
    )
    assert record.clock == run_record.ClockInfo("monotonic", 0.0)
    assert record.observation is None
    assert record.slo == []
    assert set(record.latency) == set(map(str, Interval)) - {"e2e_earliest", "durable"}
    assert set(record.latency["e2e"]) == {"all", QUEUE}
    assert record.latency["e2e"]["all"].max_s == 0.001
    assert record.latency["schedule_lag"][QUEUE].count == 100
    assert record.latency["service"]["all"].count == 0


def test_the_record_depends_on_what_was_collected_and_on_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def forbidden(*_: object) -> Any:
        raise AssertionError("the world was looked at")

    for module, name in ((environment, "describe"), (process_usage, "peak_memory_bytes")):
        monkeypatch.setattr(module, name, forbidden)
    monkeypatch.setattr("time.monotonic", forbidden)
    monkeypatch.setattr("time.time", forbidden)
    run = collected()
    before = msgspec.msgpack.encode([run.producers, run.workers])
    first, second = build_record(run), build_record(copy.deepcopy(run))
    assert run_record.encode(first) == run_record.encode(second)
    assert msgspec.msgpack.encode([run.producers, run.workers]) == before


def test_a_record_of_any_run_can_be_written_and_read_again() -> None:
    record = build_record(collected(scenario(**EXTERNAL), workers=[observer()]))
    assert msgspec.json.decode(run_record.encode(record), type=RunRecord) == record


def test_secrets_in_a_worker_s_command_do_not_reach_the_record() -> None:
    chosen = msgspec.structs.replace(
        scenario(**EXTERNAL), worker_command="serve redis://:open-sesame@host/0 --queue q"
    )
    record = build_record(collected(chosen, workers=[observer()]))
    assert "open-sesame" not in run_record.encode(record).decode()
    assert "--queue q" in str(record.scenario.worker_command)


# Priorities.


def waits_of_two(interval: Interval = Interval.QUEUE_WAIT) -> MeasuredLatencies:
    """The tasks of the higher sub-queue waited 5 ms, those of the lower one 1 ms."""
    recorder, due_us = IntervalRecorder(LINE), np.full(100, START_US)
    for queue, wait_us in enumerate((5000, 1000)):
        recorder.record(interval, queue, np.full(100, wait_us), recorder.split(due_us))
        if interval is not Interval.E2E:
            recorder.record(Interval.E2E, queue, np.full(100, 100_000), recorder.split(due_us))
    return MeasuredLatencies(recorder.parts(), LatencySeries())


def of_two(latencies: MeasuredLatencies, error_us: float = 0.0, **fields: object) -> CollectedRun:
    return collected(
        scenario(queues=TWO, **fields),
        workers=[worker(measured=latencies)],
        samples=[sample(0.0, (0, 0)), sample(1.0, (0, 0))],
        clock_error_us=error_us,
    )


def test_an_inversion_is_in_the_record_and_a_warning_and_leaves_the_run_valid() -> None:
    record = build_record(of_two(waits_of_two()))
    assert (record.verdict, codes(record)) == ("valid", ["priority_inversion"])
    assert [(each.statistic, each.higher_s) for each in record.inversions or []] == [("p50", 0.005)]
    assert msgspec.json.decode(run_record.encode(record), type=RunRecord) == record


def test_low_priority_first_in_a_drain_is_in_the_warning() -> None:
    run = of_two(waits_of_two(Interval.E2E), worker_start="after-fill")
    (warning,) = build_record(run).warnings
    assert warning.message.startswith(
        "inference_low was served before inference_high (e2e p50 1.00 ms against 5.00 ms)"
    )


def test_there_is_no_inversion_without_priorities_or_within_the_error_of_the_clocks() -> None:
    assert build_record(collected()).inversions is None
    for run, inversions in (
        (of_two(waits_of_two(), priority="weighted", priorities=dict.fromkeys(TWO, 1)), None),
        (of_two(waits_of_two(), error_us=3000.0), []),
    ):
        record = build_record(run)
        assert record.inversions == inversions
        assert codes(record) == []


def test_no_inversion_is_told_of_a_run_that_was_cut_short() -> None:
    """The tasks of low priority that still waited at its end are not in the figures."""
    run = replace(of_two(waits_of_two()), interruptions=["the run was interrupted before its end"])
    record = build_record(run)
    assert record.inversions is None
    assert "priority_inversion" not in codes(record)


# What became of the tasks.


@pytest.mark.parametrize(
    ("changes", "counts", "verdict"),
    [
        ({}, Counts(due=100, enqueued=100, completed=100), "valid"),
        (
            {"workers": [worker({0: range(97)})]},
            Counts(due=100, enqueued=100, completed=97, lost=3),
            "lossy",
        ),
        (
            {"workers": [worker({0: range(97)})], "pending": {0: bits(97, 98)}},
            Counts(due=100, enqueued=100, completed=97, pending=2, lost=1),
            "lossy",
        ),
        (
            {"workers": [worker({0: range(99)})], "active": {0: bits(99)}},
            Counts(due=100, enqueued=100, completed=99, active=1),
            "valid",
        ),
        (
            {"workers": [worker({0: range(98)}, failed=2, archived_sets={0: packed([98, 99])})]},
            Counts(due=100, enqueued=100, completed=98, failed=2),
            "valid",
        ),
        (
            {"workers": [worker(), worker({0: [3, 4]})]},
            Counts(due=100, enqueued=100, completed=100, duplicated=2),
            "lossy",
        ),
        (
            {"workers": [worker(duplicated={QUEUE: 1}, retried={QUEUE: 7})]},
            Counts(due=100, enqueued=100, completed=100, duplicated=1, retried=7),
            "lossy",
        ),
        (  # the last two were never answered: one turned up all the same
            {
                "producers": [producer(acknowledged=packed(range(98)))],
                "workers": [worker({0: range(99)})],
            },
            Counts(due=100, enqueued=99, completed=99, unknown=1),
            "lossy",
        ),
        (
            {
                "producers": [
                    producer(acknowledged=packed(range(80)), refused_set=packed(range(80, 100)))
                ],
                "workers": [worker({0: range(80)})],
            },
            Counts(due=100, enqueued=80, completed=80, not_sent=20, refused=20),
            "lossy",
        ),
        (
            {"producers": [producer(80, due=100)], "workers": [worker({0: range(80)})]},
            Counts(due=100, enqueued=80, completed=80, not_sent=20),
            "generator_limited",
        ),
    ],
)
def test_every_task_is_accounted_for(changes: dict[str, Any], counts: Counts, verdict: str) -> None:
    record = build_record(collected(**changes))
    assert record.counts == counts
    assert record.verdict == verdict


def test_a_task_on_no_list_that_waits_for_its_next_attempt_is_pending() -> None:
    workers = [
        worker({0: range(96)}, observed=None, waiting_sets={0: packed([96, 97])}),
    ]
    record = build_record(collected(workers=workers, pending={0: bits(97, 98)}))
    assert (record.counts.pending, record.counts.lost) == (3, 1)


def test_pending_tasks_that_were_collected_are_left_as_they_are() -> None:
    run = collected(
        workers=[worker({0: range(98)}, waiting_sets={0: packed([99])})], pending={0: bits(98)}
    )
    build_record(run)
    assert len(run.remaining.pending[0]) == 1


def test_several_producers_share_the_tasks_and_each_task_has_its_own_queue() -> None:
    high, low = "inference_high", "inference_low"
    chosen = scenario(queues={high: 1, low: 1}, producers=2)
    parts = [producer(50, 0), producer(50, 1)]
    ends = {0: range(50), 1: range(40)}
    record = build_record(
        collected(chosen, producers=parts, workers=[worker(ends)], samples=[], active={})
    )
    assert record.counts == Counts(due=100, enqueued=100, completed=90, lost=10)
    assert record.queues[high].plus(record.queues[low]) == record.counts
    numbers = np.arange(100)  # of all tasks: those of producer p are p, p + 2, p + 4, …
    expected = np.bincount(Mix([1, 1], chosen.seed).queue_of(numbers)).tolist()
    assert [record.queues[high].due, record.queues[low].due] == expected
    assert record.rates.enqueued_per_s == 200.0  # each producer's points are added up


# Objectives.


@pytest.mark.parametrize(
    ("expression", "value", "passed"),
    [
        ("e2e.p99 < 5ms", 0.001, True),
        ("e2e.max < 500us", 0.001, False),
        (f"e2e{{{QUEUE}}}.mean < 5ms", 0.001, True),
        ("enqueue.p50 < 1ms", 0.0002, True),
        ("service.p50 < 1ms", None, False),
        ("completed.rate >= 90/s", 100.0, True),
        ("enqueue.rate >= 101/s", 100.0, False),
        ("lost == 0", 0.0, True),
        (f"completed{{{QUEUE}}} >= 101", 100.0, False),
    ],
)
def test_an_objective_is_held_against_the_figures_of_the_record(
    expression: str, value: float | None, passed: bool
) -> None:
    (result,) = build_record(collected(scenario(slo=expression))).slo
    assert (result.value, result.passed) == (
        value if value is None else pytest.approx(value, rel=0.01),
        passed,
    )


def test_several_objectives_are_told_in_their_order() -> None:
    expressions = ["lost == 0", "e2e.p99 < 5ms"]
    record = build_record(collected(scenario(slo=expressions)))
    assert [result.expression for result in record.slo] == expressions
