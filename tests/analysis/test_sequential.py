"""The sequential p value and its interval, against brute force over all signs."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis import sequential, signed_rank
from bench.analysis.rule import ALPHA, CONFIDENCE
from bench.analysis.sequential import Analyses
from bench.arrays import Floats

TEN = sequential.planned(10)
VALUES = st.lists(st.floats(-1, 1), min_size=10, max_size=10)
MAGNITUDES = st.lists(st.floats(0.01, 1), min_size=10, max_size=10)


def all_signs(magnitudes: Floats) -> Floats:
    """(2^n, n): the magnitudes with every combination of signs."""
    return np.array(list(itertools.product((-1.0, 1.0), repeat=len(magnitudes)))) * magnitudes


@pytest.mark.parametrize(
    ("pairs", "counts"),
    [(5, (5,)), (7, (7,)), (8, (5, 8)), (9, (5, 7, 9)), (10, (5, 8, 10)), (20, (10, 16, 20))],
)
def test_looks_are_after_half_of_the_pairs_four_fifths_and_all(
    pairs: int, counts: tuple[int, ...]
) -> None:
    assert sequential.planned(pairs).counts == counts


@given(pairs=st.integers(1, 1000), ended=st.integers(1, 1000))
def test_shares_add_up_wherever_a_job_ends(pairs: int, ended: int) -> None:
    plan = sequential.planned(pairs)
    for made in (plan, plan.ended_at(ended), sequential.once(pairs)):
        assert sum(made.shares) == pytest.approx(1)
        assert len(made.shares) == len(made.counts)
        assert list(made.counts) == sorted(set(made.counts))
    assert plan.ended_at(ended).counts[-1] == min(pairs, ended)


@given(values=st.lists(st.floats(-1, 1), min_size=1, max_size=14))
def test_a_single_analysis_is_the_signed_rank_test(values: list[float]) -> None:
    array = np.array(values)
    fixed = sequential.once(len(array))
    assert sequential.p_greater(array, fixed) == pytest.approx(signed_rank.p_greater(array))
    assert sequential.interval(array, CONFIDENCE, fixed) == signed_rank.interval(array, CONFIDENCE)


@given(values=VALUES)
def test_the_p_value_never_grows_as_pairs_come(values: list[float]) -> None:
    array = np.array(values)
    so_far = [sequential.p_greater(array[:count], TEN) for count in range(11)]
    assert so_far[:5] == [1.0] * 5
    for before, after in itertools.pairwise(so_far):
        assert after <= before + 1e-12


@pytest.mark.parametrize(
    "plan",
    [pytest.param(TEN, marks=pytest.mark.slow), sequential.planned(8), TEN.ended_at(7)],
)
def test_stopping_at_any_analysis_errs_no_more_often_than_the_level(plan: Analyses) -> None:
    """Exactly: of all ways for the signs of given magnitudes to fall, the share of those that fall
    to the level at any analysis. Most of the level is used, since the rest would be power given
    away; not all of it, since the test has steps."""
    magnitudes = np.abs(np.random.default_rng(3).standard_t(3, plan.counts[-1]))
    least = [
        min(sequential.p_greater(values[:count], plan) for count in plan.counts)
        for values in all_signs(magnitudes)
    ]
    for level in (0.02, 0.025, ALPHA, 0.1, 0.2):
        assert np.mean(np.array(least) <= level) <= level
    assert np.mean(np.array(least) <= ALPHA) >= 0.6 * ALPHA


def test_repeated_tests_at_the_full_level_err_far_more_often() -> None:
    """What the shares are for: of ten pairs, tested after 5, 8 and 10 at 5% each."""
    ways = all_signs(np.abs(np.random.default_rng(3).standard_t(3, 10)))
    wrong = sum(
        any(signed_rank.p_greater(values[:count]) <= ALPHA for count in TEN.counts)
        for values in ways
    )
    assert wrong / len(ways) > 1.3 * ALPHA


def test_five_pairs_all_one_way_prove_a_change_and_nine_of_ten_do() -> None:
    worse = np.arange(1, 11) / 10
    assert sequential.p_greater(worse[:5], TEN) <= ALPHA < sequential.p_greater(worse[:4], TEN)
    smallest_other_way = worse * np.array([-1, *[1] * 9])
    assert sequential.p_greater(smallest_other_way[:5], TEN) > ALPHA
    assert sequential.p_greater(smallest_other_way, TEN) <= ALPHA


def test_more_values_than_can_be_enumerated_have_the_sum_of_their_looks_as_a_bound() -> None:
    """Never below what enumeration gives, and at most a share away from the last analysis's."""
    values = np.random.default_rng(2).standard_normal(20) + 0.6
    plan = sequential.planned(20)
    alone = [signed_rank.p_greater(values[:count]) for count in plan.counts]
    quotients = [p / share for p, share in zip(alone, plan.shares, strict=True)]
    assert sequential.p_greater(values, plan) == pytest.approx(min(1.0, *quotients))


@given(values=VALUES)
def test_the_interval_is_all_centres_that_the_sequential_test_does_not_reject(
    values: list[float],
) -> None:
    array, bit = np.array(values), 1e-7
    averages = np.unique(signed_rank.walsh_averages(array))
    if np.diff(averages).min(initial=1) < 1e-6:
        return  # ends of several averages at once
    low, high = sequential.interval(array, CONFIDENCE, TEN)
    assert sequential.p_greater(array - (low - bit), TEN) <= ALPHA
    assert sequential.p_greater(array - (low + bit), TEN) > ALPHA
    assert sequential.p_greater((high + bit) - array, TEN) <= ALPHA
    assert sequential.p_greater((high - bit) - array, TEN) > ALPHA


def test_before_the_first_analysis_the_interval_is_open() -> None:
    assert sequential.interval(np.arange(4) / 10, CONFIDENCE, TEN) == (-math.inf, math.inf)
    low, high = sequential.interval(np.arange(5) / 10, CONFIDENCE, TEN)
    assert (low, high) == pytest.approx((0.0, 0.4))


@given(magnitudes=MAGNITUDES, ended=st.integers(1, 10))
def test_a_job_cut_short_is_judged_exactly_too(magnitudes: list[float], ended: int) -> None:
    """All one way, and its p value is that of the most extreme result."""
    plan = TEN.ended_at(ended)
    p = sequential.p_greater(np.array(magnitudes[:ended]), plan)
    assert 2.0**-ended <= p * (1 + 1e-9)
    assert p <= 1 / 32 * (1 + 1e-9) or ended < 5
