"""How figures differ between starts and within one."""

import msgspec
import numpy as np
import pytest

from bench.analysis.restarts import (
    between_starts,
    components,
    interval_over_starts,
    metrics_of,
    spreads,
)
from bench.measure.confidence import ConfidenceInterval
from bench.measure.histogram import Histogram
from bench.records.run_record import RunRecord, Series
from bench.records.summaries import histogram_of, summarise
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


@pytest.mark.parametrize(("between", "error"), [(0.18, 0.02), (0.1, 0.1), (0.05, 0.02)])
def test_the_spread_between_starts_is_that_which_was_planted(between: float, error: float) -> None:
    random = np.random.default_rng(7)
    values = np.exp(random.normal(0, between, 1000) + random.normal(0, error, 1000))
    assert between_starts(values, error) == pytest.approx(between, rel=0.12)


def test_errors_alone_are_no_spread_between_starts() -> None:
    random = np.random.default_rng(7)
    found = [between_starts(np.exp(random.normal(0, 0.1, 5)), 0.1) for _ in range(300)]
    assert float(np.median([each or 0.0 for each in found])) < 0.05
    assert between_starts(np.array([0.0, 1.0]), 0.1) is None


@pytest.mark.parametrize("starts", [3, 5, 10])
def test_the_interval_over_starts_holds_the_typical_figure_in_95_of_100(starts: int) -> None:
    random = np.random.default_rng(starts)
    hits = 0
    for _ in range(2000):
        low, high = interval_over_starts(np.exp(random.normal(0, 0.2, starts)))
        assert low is not None
        assert high is not None
        hits += low <= 1.0 <= high
    assert 0.935 <= hits / 2000 <= 0.965


@pytest.mark.parametrize("values", [[], [1.0, 2.0], [0.0, 1.0, 2.0]])
def test_too_few_starts_and_zeros_have_no_interval(values: list[float]) -> None:
    assert interval_over_starts(np.array(values, np.float64)) == (None, None)


def test_a_run_s_own_interval_says_what_differs_within_it() -> None:
    """An interval of ±10% is a standard error of 5%; where one is withheld, seconds decide."""
    run = example_record()

    def sure(interval: ConfidenceInterval) -> RunRecord:
        queues = dict(run.latency["e2e"])
        queues["all"] = msgspec.structs.replace(queues["all"], confidence={"p99_s": interval})
        return msgspec.structs.replace(run, latency={**run.latency, "e2e": queues})

    known = sure(ConfidenceInterval(low=0.9, high=1.1))
    (found,) = [each for each in spreads([known, known, known]) if each.metric == "e2e.p99"]
    assert found.error == pytest.approx(0.0512, abs=0.001)
    assert found.between == 0.0
    withheld = sure(ConfidenceInterval(withheld="tail"))
    (found,) = [each for each in spreads([known, withheld]) if each.metric == "e2e.p99"]
    assert found.error is None
    assert found.within is not None


def test_percentiles_of_all_starts_come_from_merged_histograms() -> None:
    """Two runs, of which one has ten times the latency: the median is that of neither."""
    fast = example_record()
    slow = Histogram()
    for value_us, count in histogram_of(fast.latency["e2e"]["all"]).by_value().items():
        slow.record(10 * value_us, count)
    queues = {**fast.latency["e2e"], "all": summarise(slow)}
    other = msgspec.structs.replace(fast, latency={**fast.latency, "e2e": queues})
    by_metric = {each.metric: each for each in spreads([fast, other])}
    low, high = by_metric["e2e.p50"].values
    assert low is not None
    assert high is not None
    assert low < (by_metric["e2e.p50"].pooled or 0) < high
    assert by_metric["completed.rate"].pooled is None
