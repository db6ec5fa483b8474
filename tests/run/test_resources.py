"""What a run cost, and what it was bound by."""

import dataclasses
from typing import Any

import pytest

from bench.measure.ledger import Counts
from bench.measure.recorder import Interval
from bench.run.build_record import build_record
from bench.run.figures.rates import Window
from bench.run.figures.resources import resources_in
from bench.run.machine_sampler import MachineLimits
from bench.run.server_sampler import ServerSample
from tests.run.values import (
    EXTERNAL,
    codes,
    collected,
    machine,
    measured,
    observer,
    producer,
    sample,
    scenario,
    usage,
    worker,
)


def test_cpu_is_that_of_each_process_over_its_own_time_and_memory_that_of_all() -> None:
    run = collected(
        producers=[producer(50, 0, cpu_s=0.2), producer(50, 1, cpu_s=0.6, elapsed_s=2.0)],
        workers=[
            worker({0: range(50)}, cpu_s=0.5),
            worker({1: range(50)}, cpu_s=0.0, elapsed_s=0.0),
        ],
    )
    found = resources_in(run, Counts(enqueued=100), Window(0.0, 1.0))
    assert found.generator_cpu_cores == pytest.approx(0.5)
    assert found.worker_cpu_cores == 0.5
    assert found.harness_memory_bytes == 100 + 2 * 1000 + 2 * 10_000


@pytest.mark.parametrize(
    ("samples", "cores"),
    [
        ([], None),
        ([sample(0.0)], None),
        ([sample(0.0), sample(2.0, cpu_s=1.0)], 0.5),
        # Within the window from 1 s to 3 s:
        ([sample(0, cpu_s=0), sample(1, cpu_s=5), sample(3, cpu_s=6), sample(4, cpu_s=9)], 0.5),
        # Too few within it: all of them.
        ([sample(0, cpu_s=0), sample(2, cpu_s=5), sample(5, cpu_s=6)], 1.2),
    ],
)
def test_the_server_s_cpu_is_taken_between_samples_of_the_window(
    samples: list[Any], cores: float | None
) -> None:
    run = collected(samples=samples)
    assert resources_in(run, Counts(), Window(1.0, 3.0)).server_cpu_cores == cores


AFTER = usage(cpu_s=1.01, memory_bytes=1_050_000, commands=1700, network_bytes=170_000)


@pytest.mark.parametrize(
    ("own_commands", "after", "enqueued", "costs"),
    [
        (0, AFTER, 100, (100.0, 12.0, 1000.0, 500.0)),
        (200, AFTER, 100, (100.0, 10.0, 1000.0, 500.0)),
        (0, AFTER, 200, (50.0, 6.0, 500.0, 250.0)),
        (0, AFTER, 0, (None,) * 4),
        # What has shrunk is no cost.
        (2000, AFTER, 100, (100.0, None, 1000.0, 500.0)),
        (0, usage(cpu_s=0.5, memory_bytes=1, commands=1, network_bytes=1), 100, (None,) * 4),
        # A server that was restarted, with its id or without.
        (0, usage(run_id="b", cpu_s=9.0, commands=999), 100, (None,) * 4),
        (0, usage(uptime_s=3, cpu_s=9.0, commands=999), 100, (None,) * 4),
        (0, None, 100, (None,) * 4),
    ],
)
def test_what_a_task_cost_the_server_leaves_out_what_the_run_and_an_observer_asked(
    own_commands: int, after: Any, enqueued: int, costs: tuple[float | None, ...]
) -> None:
    before = usage(uptime_s=60)
    run = collected(own_commands=own_commands, usage_before=before, usage_after=after)
    found = resources_in(run, Counts(enqueued=enqueued), Window(0.0, 1.0))
    assert (
        found.server_cpu_us_per_task,
        found.server_commands_per_task,
        found.server_bytes_per_task,
        found.server_memory_bytes_per_task,
    ) == pytest.approx(costs)


BUSY = measured({Interval.E2E: 100, Interval.SERVICE: 9_600})
LATE = measured({Interval.SCHEDULE_LAG: 10**6})


@pytest.mark.parametrize(
    ("fields", "changes", "bound"),
    [
        ({}, {}, "nothing"),
        ({}, {"samples": [sample(0), sample(1, cpu_s=0.95)]}, "server"),
        ({}, {"workers": [worker(cpu_s=0.95)]}, "worker"),
        ({}, {"workers": [worker(cpu_s=0.75), worker({}, cpu_s=0.95)]}, "worker"),
        ({}, {"producers": [producer(cpu_s=0.97)]}, "nothing"),
        ({"rate": "max", "tasks": 100}, {"producers": [producer(cpu_s=0.97)]}, "producer"),
        (
            {},
            {"producers": [producer(cpu_s=0.97, measured=LATE)]},
            "producer",
        ),
        ({}, {"machine": machine(busy_s=1.8)}, "host"),
        (
            {},
            {
                "machine": machine(busy_s=0.1, throttled=4),
                "machine_limits": MachineLimits(2, 0.5, has_server=True, round_trip_us=50.0),
            },
            "quota",
        ),
        (
            {},
            {"workers": [worker(measured=measured({Interval.E2E: 100, Interval.SERVICE: 9_500}))]},
            "slots",
        ),
        (
            {"prefetch": 64},
            {"workers": [worker(measured=measured({Interval.E2E: 100, Interval.SERVICE: 9_500}))]},
            "nothing",
        ),
        # A batch is taken by one slot, and its tasks are served one after the other: what counts is
        # the time that each is worked on, and not that until the batch's last commands.
        (
            {"prefetch": 64, "service_time": "9500us"},
            {"workers": [worker(measured=measured({Interval.E2E: 100, Interval.SERVICE: 9_600}))]},
            "slots",
        ),
        (
            {"prefetch": 64, "service_time": "1ms"},
            {"workers": [worker(measured=measured({Interval.E2E: 100, Interval.SERVICE: 9_600}))]},
            "nothing",
        ),
        (
            {"service_time": "9500us"},
            {
                "workers": [
                    worker(measured=measured({Interval.E2E: 100, Interval.SERVICE: 9_600}))
                ],
                "machine": machine(busy_s=1.9),
            },
            "slots",
        ),
        # With two slots, of which one task at a time uses one.
        (
            {"prefetch": 64, "service_time": "9500us", "concurrency": 2},
            {"workers": [worker(measured=measured({Interval.E2E: 100, Interval.SERVICE: 9_600}))]},
            "nothing",
        ),
        # Where it is not known how many slots there are, they are not said to be the limit.
        (
            {"workers": 0, "external_workers": True},
            {"workers": [worker(measured=measured({Interval.E2E: 100, Interval.SERVICE: 9_500}))]},
            "nothing",
        ),
    ],
)
def test_a_run_is_bound_by_what_had_nothing_left(
    fields: dict[str, object], changes: dict[str, Any], bound: str
) -> None:
    assert build_record(collected(scenario(**fields), **changes)).bound_by == bound


def test_the_machine_is_divided_among_the_parts_of_the_run_and_others() -> None:
    run = collected(
        machine=machine(busy_s=1.6, generator_s=0.3, worker_s=0.2, harness_s=0.1, steal_s=0.25),
        samples=[sample(0), sample(1, cpu_s=0.4)],
    )
    found = resources_in(run, Counts(), Window(0.0, 1.0)).machine
    assert found is not None
    assert (found.cores, found.quota_cores, found.throttled_share) == (2, None, None)
    assert found.busy_cores == pytest.approx(1.6)
    parts = (found.server_cores, found.generator_cores, found.worker_cores, found.harness_cores)
    assert parts == pytest.approx((0.4, 0.3, 0.2, 0.1))
    assert found.other_cores == pytest.approx(1.6 - 0.25 - 1.0)
    assert found.steal_cores == pytest.approx(0.25)


def test_a_server_on_another_machine_has_no_part_of_this_one() -> None:
    limits = MachineLimits(cores=2, quota_cores=None, has_server=False, round_trip_us=900.0)
    run = collected(
        machine=machine(busy_s=0.5),
        machine_limits=limits,
        samples=[sample(0), sample(1, cpu_s=0.4)],
    )
    found = resources_in(run, Counts(), Window(0.0, 1.0)).machine
    assert found is not None
    assert found.server_cores is None
    assert found.other_cores == pytest.approx(0.5)


def test_a_machine_that_was_looked_at_once_has_no_figures() -> None:
    run = collected(machine=machine(busy_s=0.5)[:1])
    assert resources_in(run, Counts(), Window(0.0, 1.0)).machine is None


def test_of_a_drain_after_a_fill_the_drain_counts() -> None:
    chosen = scenario(worker_start="after-fill")
    run = collected(
        chosen,
        duration_s=30.0,  # it waited long for a lease
        workers=[worker(finished_by_bin=[0] * 10 + [5] * 20)],
        samples=[sample(0), sample(1, cpu_s=0.9), sample(2, cpu_s=1.2), sample(3, cpu_s=1.5)],
    )
    found = resources_in(run, Counts(), Window(0.0, 1.0))
    assert found.server_cpu_cores == pytest.approx(0.3)


def test_a_window_without_samples_at_its_ends_takes_the_nearest_ones() -> None:
    """Not those of the minute for which the queues were drained afterwards."""
    run = collected(
        samples=[sample(0.02), sample(1.02, cpu_s=0.8), sample(2.02, cpu_s=0.8), sample(60)],
    )
    found = resources_in(run, Counts(), Window(0.0, 1.0))
    assert found.server_cpu_cores == pytest.approx(0.8)


def test_the_core_that_runs_commands_is_judged_and_not_the_threads_beside_it() -> None:
    busy = [
        ServerSample(0, (0,), 0.0, 5_000_000, 0.0),
        ServerSample(1_000_000, (0,), 2.3, 5_000_000, 0.5),
    ]
    record = build_record(collected(samples=busy))
    assert record.resources.server_cpu_cores == pytest.approx(2.3)
    assert record.bound_by == "nothing"


def test_a_system_that_hides_what_its_cores_do_gives_no_figures() -> None:
    first, last = machine(busy_s=0.5)
    hidden = dataclasses.replace(last, cpu=dataclasses.replace(first.cpu, at_s=last.cpu.at_s))
    run = collected(machine=[first, hidden])
    assert resources_in(run, Counts(), Window(0.0, 1.0)).machine is None


def test_a_part_that_used_other_cores_leaves_the_use_of_others_open() -> None:
    run = collected(
        machine=machine(busy_s=0.2), samples=[sample(0), sample(1, cpu_s=0.95)]
    )  # the server is pinned elsewhere
    found = resources_in(run, Counts(), Window(0.0, 1.0)).machine
    assert found is not None
    assert found.other_cores is None


def test_retried_attempts_take_the_time_of_slots_as_well() -> None:
    times = measured({Interval.E2E: 100, Interval.SERVICE: 4_700})
    twice = measured({Interval.SERVICE: 4_700})
    workers = [worker(measured=times), worker({}, measured=twice, finished_by_bin=[])]
    record = build_record(collected(scenario(workers=1), workers=workers))
    assert record.bound_by == "slots"


def test_an_observer_s_cpu_is_none_of_the_workers() -> None:
    run = collected(
        scenario(**EXTERNAL), workers=[worker({}, name="worker command", cpu_s=0.4), observer()]
    )
    assert build_record(run).resources.worker_cpu_cores == pytest.approx(0.4)
    alone = collected(scenario(**EXTERNAL), workers=[observer()])
    assert build_record(alone).resources.worker_cpu_cores is None


@pytest.mark.parametrize(("lags_us", "lag_s"), [((0.0, 0.0), None), ((300.0, 12_000.0), 0.012)])
def test_the_worst_event_loop_of_a_producer_counts(
    lags_us: tuple[float, float], lag_s: float | None
) -> None:
    parts = [producer(50, number, loop_lag_p99_us=lag_us) for number, lag_us in enumerate(lags_us)]
    record = build_record(
        collected(producers=parts, workers=[worker({0: range(50), 1: range(50)})])
    )
    assert record.resources.generator_loop_lag_p99_s == lag_s
    assert ("loop_lag" in codes(record)) == (lag_s is not None)
