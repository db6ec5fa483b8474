"""The signed-rank test, its interval and its estimate, against brute force."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis import signed_rank
from bench.analysis.rule import CONFIDENCE

RATIOS = st.lists(st.floats(-1, 1), min_size=1, max_size=9)


def p_by_force(values: list[float]) -> float:
    """Share of all signs whose rank sum is no smaller; ranks of ties averaged, zeros half each."""
    magnitudes = [abs(value) for value in values]
    if not any(magnitudes):
        return 1.0
    ranks = [
        sum(other < own for other in magnitudes) + (magnitudes.count(own) + 1) / 2
        for own in magnitudes
    ]
    fixed = sum(rank / 2 for rank, value in zip(ranks, values, strict=True) if value == 0)
    free = [(rank, value > 0) for rank, value in zip(ranks, values, strict=True) if value != 0]
    observed = fixed + sum(rank for rank, positive in free if positive)
    signs = np.array(list(itertools.product((False, True), repeat=len(free))))
    sums = fixed + signs @ np.array([rank for rank, _ in free])
    return float(np.mean(sums >= observed - 1e-9))


@given(values=RATIOS)
def test_p_is_exact_at_small_n(values: list[float]) -> None:
    assert signed_rank.p_greater(np.array(values)) == pytest.approx(p_by_force(values))


@given(values=st.lists(st.sampled_from([-0.2, -0.1, 0.0, 0.1, 0.2]), min_size=1, max_size=8))
def test_p_is_exact_with_ties_and_zeros(values: list[float]) -> None:
    assert signed_rank.p_greater(np.array(values)) == pytest.approx(p_by_force(values))


@pytest.mark.parametrize(
    ("pairs", "least"), [(4, 1 / 16), (5, 1 / 32), (7, 1 / 128), (10, 1 / 1024)]
)
def test_the_least_possible_p_is_that_of_all_signs_alike(pairs: int, least: float) -> None:
    assert signed_rank.p_greater(np.arange(1, pairs + 1) / 100) == pytest.approx(least)


@given(values=st.lists(st.floats(-1, 1), min_size=6, max_size=10, unique=True))
def test_the_interval_is_all_shifts_that_no_exact_test_refutes(values: list[float]) -> None:
    """By its definition, just inside and just outside of both ends."""
    ratios = np.array(values)
    low, high = signed_rank.interval(ratios, CONFIDENCE)
    tail, bit = (1 - CONFIDENCE) / 2, 1e-7
    averages = np.sort([(a + b) / 2 for a, b in itertools.combinations_with_replacement(values, 2)])
    if np.diff(averages).min(initial=1) < 1e-6:
        return  # ends of several averages at once
    assert signed_rank.p_greater(ratios - (low - bit)) <= tail + 1e-12
    assert signed_rank.p_greater(ratios - (low + bit)) > tail
    assert signed_rank.p_greater((high + bit) - ratios) <= tail + 1e-12
    assert signed_rank.p_greater((high - bit) - ratios) > tail


def test_too_few_pairs_have_no_end() -> None:
    assert signed_rank.interval(np.array([0.1, 0.2, 0.3, 0.4]), CONFIDENCE) == (-math.inf, math.inf)
    assert math.isfinite(signed_rank.interval(np.arange(5) / 10, CONFIDENCE)[0])


@given(values=st.lists(st.floats(-1, 1), min_size=1, max_size=9), by=st.floats(-1, 1))
def test_the_estimate_moves_with_the_values(values: list[float], by: float) -> None:
    ratios = np.array(values)
    assert signed_rank.estimate(ratios + by) == pytest.approx(signed_rank.estimate(ratios) + by)
    assert signed_rank.estimate(-ratios) == pytest.approx(-signed_rank.estimate(ratios))


def test_a_wild_pair_does_not_move_the_estimate_far() -> None:
    assert signed_rank.estimate(np.array([0.01, 0.02, 0.01, 0.02, 9.0])) < 0.05
