"""How sure figures are after a part of a run."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.arrays import Floats
from bench.measure.confidence import PERIODS, SHORT, TAIL
from bench.measure.histogram import HIGHEST_US, Histogram, merged
from bench.measure.interim import part_begins, percentile_look, rate_look
from bench.measure.latency_cells import LatencyCells, LatencySeconds

_VALUES = st.lists(st.integers(-5, 2 * HIGHEST_US), min_size=1, max_size=40)


def of(values_us: list[int]) -> Histogram:
    histogram = Histogram()
    for value_us in values_us:
        histogram.record(value_us)
    return histogram


def cells(seconds: Floats) -> LatencyCells:
    """The latencies in s (seconds, n) of the seconds of a window."""
    kept = LatencySeconds()
    for second, values_s in enumerate(seconds):
        histogram = Histogram()
        histogram.record_many(np.round(values_s * 1e6).astype(np.int64))
        kept.add(second, histogram)
    return kept.window(0, len(seconds))


@given(seconds=st.lists(_VALUES, min_size=1, max_size=6), percent=st.floats(0.1, 99.9))
def test_cells_have_every_sample_and_the_percentiles_of_the_merged_histogram(
    seconds: list[list[int]], percent: float
) -> None:
    kept = LatencySeconds()
    for second, values_us in enumerate(seconds):
        kept.add(second, of(values_us[::2]))
    others = {second: [of(values_us[1::2])] for second, values_us in enumerate(seconds)}
    found = kept.window(0, len(seconds), others)
    whole = merged(map(of, seconds))
    assert found.in_seconds().tolist() == [len(each) for each in seconds]
    assert found.count == whole.count
    value_us = whole.percentile_us(percent)
    assert value_us is not None
    rank = int(np.ceil(percent * whole.count / 100 - 1e-9))
    value_s = found.value_s(found.bucket_at(max(rank, 1)))
    # A histogram says no more than its exact maximum, and the exact value beyond its range.
    assert value_s * 1e6 == pytest.approx(min(max(value_us, 0), HIGHEST_US), rel=1e-3, abs=1)


@pytest.mark.parametrize(("seconds", "parts"), [(60, 60), (256, 256), (303, 256), (1000, 256)])
def test_parts_are_whole_seconds_and_about_equal(seconds: int, parts: int) -> None:
    lengths = np.diff(part_begins(seconds), append=seconds)
    assert len(lengths) == parts
    assert lengths.sum() == seconds
    assert lengths.max() - lengths.min() <= 1


def test_the_largest_design_effect_so_far_makes_a_look_wider() -> None:
    """By half of it: what counts is the geometric mean of it and the look's own."""
    rng = np.random.default_rng(5)
    window = cells(rng.exponential(0.001, (90, 200)))
    own = percentile_look(window, 99, 0.0)
    wider = percentile_look(window, 99, 16 * own.effect)
    assert own.half_width is not None
    assert wider.half_width is not None
    assert wider.half_width == pytest.approx(2 * own.half_width, rel=0.35)
    assert wider.effect == 16 * own.effect
    assert own.value == wider.value == pytest.approx(0.0046, rel=0.2)


@pytest.mark.parametrize(
    ("values_s", "withheld"),
    [
        (np.full((60, 0), 0.0), SHORT),
        (np.full((60, 10), 0.001), TAIL),
        (np.where(np.arange(6000) > 5880, 0.1, 0.001).reshape(60, 100), PERIODS),
    ],
)
def test_a_look_that_cannot_tell_says_why(values_s: Floats, withheld: str) -> None:
    found = percentile_look(cells(values_s), 99, 0.0)
    assert (found.half_width, found.withheld) == (None, withheld)


def test_samples_that_are_all_alike_are_known_exactly() -> None:
    found = percentile_look(cells(np.full((60, 100), 0.25)), 99, 0.0)
    assert found.half_width == 0.0


def test_a_constant_rate_is_known_exactly_and_a_random_one_by_its_events() -> None:
    assert rate_look(np.full(60, 50.0), 0.0).half_width == 0.0
    rng = np.random.default_rng(3)
    halves = [rate_look(rng.poisson(100, 1000).astype(float), 0.0).half_width for _ in range(40)]
    known = [each for each in halves if each is not None]
    expected = 2.45 * (100 / 1000) ** 0.5
    assert np.median(known) == pytest.approx(expected, rel=0.3)
    assert rate_look(np.empty(0), 0.0).withheld == SHORT


def test_a_rate_that_one_period_decides_is_not_known() -> None:
    assert rate_look(np.where(np.arange(90) < 80, 10.0, 300.0), 0.0).withheld == PERIODS


def test_a_rate_that_is_more_regular_than_chance_is_known_as_well_as_a_random_one() -> None:
    """In one second of a constant rate, a stall left out what the next one made up for."""
    events = np.full(135, 300.0)
    events[70:72] = 240.0, 360.0
    found = rate_look(events, 0.0)
    assert found.value == 300.0
    assert found.half_width == pytest.approx(2.45 * (300 / 135) ** 0.5, rel=0.5)
