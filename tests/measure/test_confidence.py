"""The confidence interval of a percentile and a rate, or why there is none."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.arrays import Integers
from bench.measure import confidence
from bench.measure.confidence import (
    FREEDOM,
    GROUPS,
    PERIODS,
    SHORT,
    TAIL,
    ConfidenceInterval,
    dependence,
    percentile_interval,
    rate_interval,
)
from bench.measure.histogram import Histogram
from bench.measure.sliced import SliceRecorder, together

SECONDS = 10.0
WINDOW = (0, 10_000_000)


def interval(values_us: Integers, percent: float, seconds: float = SECONDS) -> ConfidenceInterval:
    """Of tasks with these latencies (n,) that were due at equal distances."""
    histogram, recorder = Histogram(), SliceRecorder(0)
    histogram.record_many(values_us)
    due_us = np.linspace(0, seconds * 1e6, len(values_us), endpoint=False).astype(np.int64)
    recorder.record("e2e", 0, recorder.slices_of(due_us), values_us)
    window = (0, round(seconds * 1e6))
    return percentile_interval(
        histogram, percent, together([recorder.packed()], "e2e", [0]), window
    )


def exponential(count: int, seed: int = 1) -> Integers:
    return (10_000 * np.random.default_rng(seed).exponential(size=count)).astype(np.int64)


def test_students_t_is_that_of_the_library() -> None:
    assert stats.t.ppf(0.975, FREEDOM) == pytest.approx(confidence.STANDARD_ERRORS, abs=1e-4)


@pytest.mark.parametrize("percent", [50.0, 90.0, 99.0])
def test_of_independent_latencies_it_is_as_wide_as_theory_says(percent: float) -> None:
    """Over several runs the mean width is that of Student's interval of the order statistics."""
    widths = []
    for seed in range(20):
        found = interval(exponential(10_000, seed), percent)
        assert found.low is not None
        assert found.high is not None
        widths.append(found.high - found.low)
    share = percent / 100
    density_per_s = (1 - share) / 0.01
    error = np.sqrt(share * (1 - share) / 10_000) / density_per_s
    assert np.mean(widths) == pytest.approx(2 * 2.35 * error, rel=0.25)


def test_dependent_latencies_make_it_wider() -> None:
    """Each latency stands nine times in a row, so that the error is three times as large."""

    def mean_width(repeats: int) -> float:
        found = [
            interval(np.repeat(exponential(9_000 // repeats, seed), repeats), 50)
            for seed in range(10)
        ]
        return float(np.mean([(each.high or 0) - (each.low or 0) for each in found]))

    assert mean_width(9) / mean_width(1) == pytest.approx(3, rel=0.35)


def test_too_few_samples_beyond_a_percentile_and_how_long_a_run_had_enough() -> None:
    found = interval(exponential(8_000), 99.9)
    assert found.withheld == TAIL
    assert found.needs_s == pytest.approx(25.0)
    assert found.low is None


def test_a_run_that_is_shorter_than_its_slices() -> None:
    found = interval(exponential(8_000), 50, seconds=1.0)
    assert found.withheld == SHORT
    assert found.needs_s == pytest.approx(1.285)


@pytest.mark.parametrize("seconds", [1.3, 5.1, 5.15, 10.3, 3000.0])
@pytest.mark.parametrize("warmup_share", [0.0, 0.48])
def test_a_run_that_has_just_outgrown_its_slices_has_enough_of_them(
    seconds: float, warmup_share: float
) -> None:
    seconds = max(seconds, 1.3 / (1 - warmup_share))
    recorder, histogram = SliceRecorder(0), Histogram()
    values, due_us = exponential(20_000), np.linspace(0, seconds * 1e6, 20_000).astype(np.int64)
    recorder.record("e2e", 0, recorder.slices_of(due_us), values)
    histogram.record_many(values)
    counts = together([recorder.packed()], "e2e", [0])
    window_us = (round(warmup_share * seconds * 1e6), round(seconds * 1e6))
    assert percentile_interval(histogram, 50, counts, window_us).withheld != SHORT


def test_without_samples_there_is_none() -> None:
    empty = together([SliceRecorder(0).packed()], "e2e", [0])
    assert percentile_interval(Histogram(), 50, empty, WINDOW).withheld == SHORT


def test_one_stall_that_decides_a_percentile() -> None:
    values = exponential(10_000)
    values[4_000:4_200] += 500_000
    found = interval(values, 99)
    assert found.withheld == PERIODS
    assert found.periods is not None
    assert found.periods < 1.5


@pytest.mark.parametrize("percent", [50.0, 90.0, 99.0])
def test_another_level_in_the_second_half(percent: float) -> None:
    values = exponential(10_000)
    values[5_000:] *= 3
    assert interval(values, percent).withheld == PERIODS


def test_latencies_that_are_all_alike_are_known_exactly() -> None:
    found = interval(np.full(5_000, 2_000), 99)
    assert (found.low, found.high) == (0.002, 0.002)


@pytest.mark.slow
@given(st.lists(st.integers(0, 50_000), min_size=200, max_size=600), st.sampled_from([50.0, 90.0]))
def test_an_interval_includes_the_percentile_itself(values: list[int], percent: float) -> None:
    values_us = np.array(values, np.int64)
    histogram = Histogram()
    histogram.record_many(values_us)
    found = interval(values_us, percent, seconds=3.0)
    if found.is_known:
        assert found.low is not None
        assert found.high is not None
        assert found.low <= (histogram.percentile_us(percent) or 0) / 1e6 <= found.high


def test_slices_outside_of_the_window_do_not_count() -> None:
    """A stall in the warm-up is none of the window."""
    values = exponential(10_000)
    whole = interval(values, 99)
    recorder, histogram = SliceRecorder(0), Histogram()
    warm = np.full(1_000, 900_000)
    recorder.record("e2e", 0, recorder.slices_of(np.arange(1_000) * 500), warm)
    due_us = 500_000 + np.linspace(0, 1e7, len(values), endpoint=False).astype(np.int64)
    recorder.record("e2e", 0, recorder.slices_of(due_us), values)
    histogram.record_many(values)
    counts = together([recorder.packed()], "e2e", [0])
    assert percentile_interval(histogram, 99, counts, (500_000, 10_500_000)).is_known == (
        whole.is_known
    )


def test_the_variance_of_a_sum_of_independent_counts() -> None:
    generator = np.random.default_rng(3)
    shown = [dependence(each - each.mean()) for each in generator.normal(size=(400, GROUPS))]
    assert np.mean([each.variance for each in shown]) == pytest.approx(GROUPS, rel=0.1)
    assert np.median([each.periods for each in shown]) > 1.5 * confidence.FEWEST_PERIODS


def test_rates() -> None:
    generator = np.random.default_rng(1)
    found = [rate_interval(generator.poisson(100, 600).tolist(), 0.1) for _ in range(20)]
    widths = [(each.high or 0) - (each.low or 0) for each in found]
    assert np.mean(widths) == pytest.approx(2 * 2.35 * math.sqrt(100 / 600) * 10, rel=0.25)
    assert sum((each.low or 0) < 1000 < (each.high or 0) for each in found) >= 17
    assert rate_interval([100] * 80, 0.1) == ConfidenceInterval(low=1000.0, high=1000.0)
    assert rate_interval([100] * 79, 0.1).withheld == SHORT
    assert rate_interval([100] * 90 + [0] * 10, 0.1).withheld == PERIODS


def test_a_rate_that_is_more_regular_than_chance_is_known_as_well_as_a_random_one() -> None:
    counts = [30] * 100
    counts[50:52] = 25, 35
    found = rate_interval(counts, 0.1)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 300 < found.high
    assert found.high - found.low < 2 * 2 * 2.45 * (30 / 100) ** 0.5 / 0.1
    stall = [30] * 100
    stall[50:53] = 0, 0, 90
    assert rate_interval(stall, 0.1).withheld == PERIODS
