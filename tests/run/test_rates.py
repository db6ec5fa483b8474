"""The window of a run, its warm-up, and the rates in it."""

from collections.abc import Sequence

import msgspec
import pytest

from bench.measure.ledger import Counts
from bench.measure.recorder import Interval
from bench.measure.window import time_line
from bench.records import run_record
from bench.run.build_record import build_record
from bench.run.figures.rates import Window, enqueue_end_s, rates_in
from tests.run.values import (
    EXTERNAL,
    START_US,
    bits,
    collected,
    measured,
    observer,
    producer,
    scenario,
    worker,
)

# Rates and their window.


@pytest.mark.parametrize(
    ("fields", "last_reply_s", "interruptions", "end_s"),
    [
        ({"duration": 2}, 1.9, (), 2.0),
        ({"duration": 2}, 2.1, (), 2.0),
        ({"duration": 2}, 2.3, (), 2.3),
        ({"duration": 2}, 1.2, ("cut",), 1.2),
        ({"duration": None, "tasks": 200}, 1.8, (), 1.8),
        ({"rate": "max", "tasks": 200}, 0.7, (), 0.7),
        ({"rate": "max", "duration": 2}, 1.9, (), 2.0),
        ({"duration": 2}, None, ("cut",), 0.0),
    ],
)
def test_the_window_ends_as_planned_or_with_the_last_reply(
    fields: dict[str, object],
    last_reply_s: float | None,
    interruptions: Sequence[str],
    end_s: float,
) -> None:
    finished_us = None if last_reply_s is None else START_US + round(last_reply_s * 1e6)
    run = collected(
        scenario(**fields),
        producers=[producer(finished_us=START_US), producer(number=1, finished_us=finished_us)],
        interruptions=interruptions,
    )
    assert enqueue_end_s(run) == pytest.approx(end_s)


@pytest.mark.parametrize(
    ("window", "enqueued", "finished", "rates"),
    [
        (Window(0.0, 1.0), [10] * 10, [9] * 10, (100.0, 90.0)),
        (Window(0.5, 1.0), [0] * 5 + [10] * 5, [9] * 5 + [1] * 5, (100.0, 10.0)),
        (Window(0.0, 2.0), [10] * 10, [], (50.0, 0.0)),
        (Window(0.25, 0.75), [0, 0, 0, 7, 7, 7, 7, 9, 9, 9], [1] * 10, (70.0, 10.0)),
        (Window(0.0, 0.05), [10], [10], (200.0, None)),
        # Shorter than a tenth, after a warm-up whose tasks must not count in it.
        (Window(0.95, 1.0), [100] * 10, [100] * 10, (None, None)),
        (Window(1.0, 0.5), [10] * 10, [10] * 10, (None, None)),
    ],
)
def test_rates_are_those_of_whole_tenths_of_a_second_in_the_window(
    window: Window,
    enqueued: list[int],
    finished: list[int],
    rates: tuple[float | None, float | None],
) -> None:
    run = collected(
        producers=[producer(enqueued_by_bin=enqueued)],
        workers=[worker(finished_by_bin=finished)],
    )
    found = rates_in(run, window, Counts())
    assert (found.enqueued_per_s, found.completed_per_s) == rates
    assert found.asked_per_s == 100.0


@pytest.mark.parametrize(
    ("rate", "tasks", "per_s"), [("1/h", 1, 1 / 3600), ("1000/s", 10, 1000.0), ("max", 10, 2000.0)]
)
def test_a_run_of_few_tasks_claims_no_rate_above_that_of_its_schedule(
    rate: str, tasks: int, per_s: float
) -> None:
    run = collected(
        scenario(rate=rate, tasks=tasks, duration=None),
        producers=[producer(enqueued_by_bin=[tasks])],
    )
    found = rates_in(run, Window(0.0, 0.005), Counts())
    assert found.enqueued_per_s == pytest.approx(per_s)


@pytest.mark.parametrize(
    ("finished", "drain_started_s", "per_s"),
    [
        ([0, 0, 3, 10, 12, 14, 1, 0], 0.2, 120.0),
        ([0, 0, 3, 0, 12, 0, 1, 0], 0.2, 40.0),
        ([0, 0, 3, 10], 0.2, None),
        ([0, 5, 0], 0.1, None),
        ([0, 0, 0], 0.1, None),
        ([10] * 10, None, 100.0),
    ],
)
def test_after_a_fill_completions_are_counted_between_the_first_and_the_last(
    finished: list[int], drain_started_s: float | None, per_s: float | None
) -> None:
    run = collected(
        scenario(worker_start="after-fill"),
        workers=[worker(finished_by_bin=finished)],
        drain_started_s=drain_started_s,
    )
    assert rates_in(run, Window(0.0, 1.0), Counts()).completed_per_s == per_s


def test_what_failed_for_good_is_finished_and_not_completed() -> None:
    run = collected(workers=[worker(finished_by_bin=[9] * 10, failed_by_bin=[0, 3, 3])])
    found = rates_in(run, Window(0.0, 1.0), Counts())
    assert (found.finished_per_s, found.completed_per_s) == (90.0, 84.0)


def test_from_outside_the_share_that_failed_is_that_of_the_whole_run() -> None:
    """And what ended in a way that is not known is not counted as completed."""
    seen = observer()
    seen.finished_by_bin = [10] * 10
    run = collected(scenario(**EXTERNAL), workers=[seen])
    counts = Counts(completed=60, failed=15, outcome_unknown=25)
    found = rates_in(run, Window(0.0, 1.0), counts)
    assert (found.finished_per_s, found.completed_per_s) == (100.0, 60.0)


def test_without_workers_nothing_is_expected_to_be_completed() -> None:
    run = collected(
        scenario(workers=0),
        workers=[],
        pending={0: bits(*range(100))},
        drain_started_s=None,
    )
    record = build_record(run)
    assert record.verdict == "valid"
    assert record.counts == Counts(due=100, enqueued=100, pending=100)
    assert record.rates.completed_per_s is None
    assert record.resources.worker_cpu_cores is None
    assert record.latency["enqueue"]["all"].count == 100
    assert record.latency["e2e"]["all"].count == 0


def test_a_closed_loop_has_no_offered_rate_and_no_schedule_to_lag_behind() -> None:
    parts = [producer(busiest_second_cores=1.0, measured=measured({Interval.ENQUEUE: 200}))]
    record = build_record(collected(scenario(rate="max", tasks=100), producers=parts))
    assert record.verdict == "valid"  # a producer at its limit is what a closed loop is for
    assert record.rates.asked_per_s is None
    assert record.latency["schedule_lag"]["all"].count == 0


def test_a_run_that_is_bounded_by_a_number_of_tasks_ends_with_its_last_reply() -> None:
    chosen = scenario(duration=None, tasks=100)
    parts = [producer(finished_us=START_US + 500_000)]
    record = build_record(collected(chosen, producers=parts))
    assert record.window_s == 0.5
    assert record.rates.enqueued_per_s == 100.0


# The warm-up.


def test_a_warm_up_that_is_given_is_left_out_of_percentiles_and_rates() -> None:
    line = time_line(START_US, 0.5, 0)
    e2e = [50_000] * 50 + [1000] * 50
    run = collected(
        scenario(warmup=0.5),
        line=line,
        producers=[producer(enqueued_by_bin=[20] * 5 + [10] * 5)],
        workers=[worker(measured=measured({Interval.E2E: e2e}, line=line))],
    )
    record = build_record(run)
    assert record.warmup == run_record.Warmup(
        method="fixed", left_out_s=0.5, most_s=0.25, tasks=50, e2e_max_s=0.05
    )
    assert record.window_s == 0.5
    assert record.rates.enqueued_per_s == 100.0
    assert (record.latency["e2e"]["all"].count, record.latency["e2e"]["all"].max_s) == (50, 0.001)
    assert record.counts.completed == 100  # the ledger knows no warm-up


@pytest.mark.parametrize("has_completions", [True, False])
def test_a_warm_up_is_found_in_e2e_or_without_workers_in_enqueue(has_completions: bool) -> None:
    """Ten tasks each tenth of a second for 20 s, slow in the first two."""
    line = time_line(START_US, None, 5.0)
    slow = [1_000_000 - 4000 * number for number in range(200)] + [
        1000 + n % 7 for n in range(1800)
    ]
    steady = [200 + n % 7 for n in range(2000)]
    e2e, enqueue = (slow, steady) if has_completions else (steady, slow)
    chosen = scenario(duration=20, warmup=None, workers=int(has_completions))
    run = collected(
        chosen,
        line=line,
        most_warmup_s=5.0,
        producers=[
            producer(
                2000,
                finished_us=START_US + 20_000_000,
                measured=measured({Interval.ENQUEUE: enqueue}, tasks=2000, line=line),
            )
        ],
        workers=[
            worker({0: range(2000)}, measured=measured({Interval.E2E: e2e}, tasks=2000, line=line))
        ]
        if has_completions
        else [],
    )
    record = build_record(run)
    assert record.warmup.method == "mser5-rank"
    assert record.warmup.left_out_s == pytest.approx(2.0, abs=0.5)
    assert record.warmup.most_s == 5.0
    assert record.window_s == 20 - record.warmup.left_out_s


def test_a_run_that_is_over_within_its_warm_up_has_an_empty_window() -> None:
    run = collected(
        msgspec.structs.replace(scenario(), warmup_s=5.0),
        line=time_line(START_US, 5, 0),
        producers=[producer(finished_us=START_US + 1_000_000)],
    )
    record = build_record(run)
    assert record.window_s == 0.0
    assert record.rates.enqueued_per_s is None
