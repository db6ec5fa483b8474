"""How figures differ between starts and within one."""

import msgspec
import numpy as np
import pytest

from bench.analysis.restarts import components, metrics_of, spreads
from bench.records.run_record import RunRecord, Series
from tests.records.fixtures import example_record
from tests.run.values import scenario


def starts(
    runs: int, between: float, within: float, seconds: int = 30, seed: int = 1
) -> tuple[float, float]:
    """Both components of runs whose mean is 100 and whose spreads are known, in shares."""
    random = np.random.default_rng(seed)
    levels = random.normal(100, 100 * between, runs)
    by_second = [random.normal(level, 100 * within, seconds) for level in levels]
    values = np.array([each.mean() for each in by_second])
    found = components(values, by_second)
    assert found[0] is not None
    assert found[1] is not None
    return found[0], found[1]


@pytest.mark.parametrize(("between", "within"), [(0.2, 0.05), (0.2, 0.3), (0.05, 0.1)])
def test_both_spreads_are_those_that_were_planted(between: float, within: float) -> None:
    found = starts(400, between, within)
    assert found == pytest.approx((between, within), rel=0.15)


def test_starts_that_do_not_differ_show_next_to_no_spread_between_them() -> None:
    """Although the figures of the runs differ, by what differs within each."""
    found = [starts(6, 0.0, 0.3, seed=seed)[0] for seed in range(50)]
    assert float(np.mean(found)) < 0.03


@pytest.mark.parametrize(
    ("values", "seconds", "expected"),
    [
        ([], [], (None, None)),
        ([0.0, 0.0], [], (None, None)),
        ([5.0], [[4.0, 6.0]], (None, np.sqrt(2) / 5)),
        ([5.0, 5.0], [], (0.0, None)),
        ([4.0, 6.0], [], (np.sqrt(2) / 5, None)),
    ],
)
def test_what_cannot_be_said_is_none(
    values: list[float], seconds: list[list[float]], expected: tuple[float | None, float | None]
) -> None:
    found = components(np.array(values, np.float64), [np.array(each) for each in seconds])
    assert found == pytest.approx(expected)


def test_every_sub_queue_has_a_spread_where_there_are_several() -> None:
    one = scenario(queues={"inference_high": 1})
    several = scenario(queues={"inference_high": 1, "inference_low": 1})
    assert metrics_of(one) == ["completed.rate", "e2e.p50", "e2e.p99"]
    assert metrics_of(several)[3:] == ["e2e{inference_high}.p50", "e2e{inference_low}.p50"]
    assert metrics_of(scenario(workers=0)) == ["enqueue.rate", "enqueue.p50", "enqueue.p99"]


def with_seconds(record: RunRecord, finished: list[int]) -> RunRecord:
    """The record with that many finished tasks in each second, from a window of 1 s to 5 s."""
    series = Series(1.0, ["second", "finished"], [[n, each] for n, each in enumerate(finished)])
    warmup = msgspec.structs.replace(record.warmup, left_out_s=1.0)
    rates = msgspec.structs.replace(record.rates, completed_per_s=100.0)
    return msgspec.structs.replace(record, series=series, warmup=warmup, window_s=4.0, rates=rates)


def within(record: RunRecord) -> float | None:
    return spreads([record])[0].within


def test_seconds_are_those_of_the_window() -> None:
    record = with_seconds(example_record(), [900, 90, 110, 90, 110, 0, 0])
    assert within(record) == pytest.approx(np.std([90, 110, 90, 110], ddof=1) / 100)


def test_of_a_drain_they_are_the_whole_seconds_in_which_tasks_finished() -> None:
    record = with_seconds(example_record(), [0, 0, 3, 90, 110, 7, 0])
    scenario_ = msgspec.structs.replace(record.scenario, worker_start="after-fill")
    drain = msgspec.structs.replace(record, scenario=scenario_)
    assert within(drain) == pytest.approx(np.std([90, 110], ddof=1) / 100)


def test_an_incomplete_run_is_none_of_the_starts() -> None:
    whole = example_record()
    cut = msgspec.structs.replace(whole, verdict="incomplete")
    assert len(spreads([whole, cut, whole])[0].values) == 2
