"""Where the warm-up ends: transients are cut, stalls are not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.arrays import Floats
from bench.measure.steady import BATCH, Truncation, find_warmup

POINTS, MOST = 240, 60
LEVELS = st.lists(st.integers(0, 10**6) | st.none(), min_size=50, max_size=200)


def hum(bins: int = POINTS) -> Floats:
    """A level that goes up and down and nowhere: ten batches, over and over."""
    batch = np.arange(bins) // BATCH
    return np.array(1000 + 10 * ((batch * 7 + 4) % 10), np.float64)


def with_start(length: int, factor: float) -> Floats:
    """A start that is slower (or faster) by this factor, and gets closer to the rest."""
    number = np.arange(POINTS)
    left = np.clip(1 - number / max(length, 1), 0, 1)
    return hum() * np.where(number < length, factor * (1 + left), 1.0)


@pytest.mark.parametrize("bins", [50, 51, 120, POINTS, 600])
def test_nothing_is_cut_from_a_steady_series(bins: int) -> None:
    assert find_warmup(hum(bins), bins // 4) == Truncation(0, True)


@pytest.mark.parametrize("factor", [0.3, 2, 10, 1e4])
@pytest.mark.parametrize("length", [5, 10, 15, 20, 30, 40, 50])
def test_a_start_that_differs_is_cut(length: int, factor: float) -> None:
    """All of it, and at most two batches more."""
    cut = find_warmup(with_start(length, factor), MOST)
    assert length <= cut.bins <= length + 2 * BATCH
    assert cut.is_steady == (cut.bins < MOST)


@pytest.mark.parametrize("length", [60, 61, 80, 120])
def test_a_series_is_not_steady_when_the_best_cut_is_at_the_bound(length: int) -> None:
    assert find_warmup(with_start(length, 10), MOST) == Truncation(MOST, False)


@pytest.mark.parametrize("height", [2e3, 1e5, 1e9])
@pytest.mark.parametrize("at", range(30, POINTS - 10, 10))
def test_a_stall_of_a_second_cuts_nothing(at: int, height: float) -> None:
    """However high and wherever: also where it would pay to cut everything before it."""
    series = hum()
    series[at : at + 10] = height
    assert find_warmup(series, MOST).bins <= BATCH


@pytest.mark.parametrize("height", [2e3, 1e5, 1e9])
def test_a_stall_does_not_hide_a_start_that_differs(height: float) -> None:
    series = with_start(20, 10)
    series[120:130] = height
    assert 20 <= find_warmup(series, MOST).bins <= 30


@pytest.mark.parametrize("shift", [-900.0, 0.0, 1e6])
@pytest.mark.parametrize("scale", [0.001, 1.0, 1000.0])
def test_only_the_shape_of_a_series_matters(scale: float, shift: float) -> None:
    series = with_start(25, 3)
    assert find_warmup(series * scale + shift, MOST) == find_warmup(series, MOST)


@pytest.mark.parametrize("bins", [0, 1, 5, 49])
def test_a_series_too_short_to_tell_is_left_whole(bins: int) -> None:
    assert find_warmup(with_start(bins, 10)[:bins], MOST) == Truncation(0, True)


@pytest.mark.parametrize("most", [0, 4])
def test_with_no_time_to_leave_out_nothing_is(most: int) -> None:
    assert find_warmup(with_start(20, 10), most) == Truncation(0, True)


def test_a_series_in_which_nothing_happened_is_left_whole() -> None:
    assert find_warmup(np.full(POINTS, np.nan), MOST) == Truncation(0, True)


@pytest.mark.parametrize("every", [2, 3, 7])
def test_points_in_which_nothing_happened_do_not_count(every: int) -> None:
    series = with_start(20, 10)
    series[::every] = np.nan
    assert 20 <= find_warmup(series, MOST).bins <= 30


def test_a_batch_in_which_nothing_happened_is_like_the_one_before_it() -> None:
    series = hum()
    series[100:140] = np.nan
    assert find_warmup(series, MOST) == Truncation(0, True)


@given(levels=LEVELS, share=st.floats(0, 0.5))
def test_the_cut_is_whole_batches_within_the_bound(levels: list[int | None], share: float) -> None:
    most = int(len(levels) * share)
    cut = find_warmup(np.array(levels, np.float64), most)
    assert cut.bins % BATCH == 0
    assert 0 <= cut.bins <= most


def test_a_run_that_is_shorter_than_the_bound_is_not_all_warm_up() -> None:
    noise = 1000 + 50 * np.random.default_rng(1).standard_normal(60)
    assert find_warmup(noise, 150).bins <= 30


def test_a_start_that_lasts_for_half_the_run_is_not_taken_for_steady() -> None:
    noise = np.random.default_rng(2).standard_normal(240)
    series = np.where(np.arange(240) < 120, 5000.0, 1000.0) + 10 * noise
    assert not find_warmup(series, MOST).is_steady
