"""The statistical tests, against SciPy."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.analysis import rule, signed_rank, significance

VALUES = st.floats(-1, 1)
LARGE = st.lists(VALUES, min_size=9, max_size=40, unique=True)
FEW = st.lists(VALUES, min_size=1, max_size=8, unique=True)
TIED = st.lists(st.sampled_from([-0.2, -0.1, 0.0, 0.1, 0.2]), min_size=1, max_size=30)


@given(values=st.lists(VALUES.filter(bool), min_size=1, max_size=60, unique_by=abs))
def test_the_signed_rank_test_is_scipys(values: list[float]) -> None:
    expected = stats.wilcoxon(values, alternative="greater", method="exact").pvalue
    assert signed_rank.p_greater(np.array(values)) == pytest.approx(expected, rel=1e-12)


@given(values=st.lists(st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0]), min_size=15, max_size=60))
def test_with_ties_and_zeros_the_signed_rank_test_counts_all_signs(values: list[float]) -> None:
    """In whole numbers, with SciPy's ranks; zeros add half of their rank to either side."""
    doubled = (2 * stats.rankdata(np.abs(values))).astype(int).tolist()
    free = [(rank, value > 0) for rank, value in zip(doubled, values, strict=True) if value]
    ways = Counter({0: 1})
    for rank, _ in free:
        ways += Counter({total + rank: count for total, count in ways.items()})
    observed = sum(rank for rank, positive in free if positive)
    extreme = sum(count for total, count in ways.items() if total >= observed)
    assert signed_rank.p_greater(np.array(values)) == pytest.approx(
        extreme / 2 ** len(free), rel=1e-12
    )


@pytest.mark.slow
def test_more_pairs_than_a_float_has_powers_of_two_overflow_nothing() -> None:
    values = np.random.default_rng(5).standard_normal(1030)
    expected = stats.wilcoxon(values, alternative="greater", method="approx").pvalue
    assert signed_rank.p_greater(values) == pytest.approx(expected, abs=1e-3)


@given(one=FEW, other=st.one_of(FEW, LARGE))
def test_a_small_sample_has_scipys_exact_mann_whitney_p(
    one: list[float], other: list[float]
) -> None:
    _is_scipys(one, other)
    _is_scipys(other, one)


@given(one=LARGE, other=LARGE)
def test_large_samples_have_scipys_mann_whitney_p(one: list[float], other: list[float]) -> None:
    _is_scipys(one, other)


@given(one=TIED, other=TIED)
def test_tied_samples_have_scipys_mann_whitney_p(one: list[float], other: list[float]) -> None:
    if len({*one, *other}) > 1:
        _is_scipys(one, other)


def _is_scipys(one: list[float], other: list[float]) -> None:
    expected = stats.mannwhitneyu(one, other, alternative="two-sided").pvalue
    found = significance.mann_whitney_p(np.array(one), np.array(other))
    assert found == pytest.approx(expected, rel=1e-12)


def test_equal_values_differ_in_nothing() -> None:
    assert significance.mann_whitney_p(np.ones(5), np.ones(9)) == 1.0


def test_eight_runs_are_compared_exactly_with_a_thousand() -> None:
    generator = np.random.default_rng(6)
    _is_scipys(list(generator.random(8)), list(generator.random(1000)))


@given(chance=st.floats(0.5, 0.9999), degrees=st.integers(1, 300))
def test_quantiles_of_students_t_are_scipys(chance: float, degrees: int) -> None:
    expected = float(stats.t.ppf(chance, degrees))
    assert significance.student_t(chance, degrees) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("degrees", range(1, 101))
def test_the_quantile_of_the_noise_floor_is_scipys(degrees: int) -> None:
    expected = float(stats.t.ppf(1 - rule.ALPHA, degrees))
    assert significance.student_t(1 - rule.ALPHA, degrees) == pytest.approx(expected, rel=1e-12)


@given(data=st.data(), throws=st.integers(1, 200))
def test_the_sign_test_is_scipys(data: st.DataObject, throws: int) -> None:
    heads = data.draw(st.integers(0, throws))
    expected = stats.binomtest(heads, throws, alternative="greater").pvalue
    assert significance.fair_coin_p(heads, throws) == pytest.approx(expected, rel=1e-12)


def test_a_probability_is_no_more_than_certain() -> None:
    assert significance.fair_coin_p(0, 7) == 1.0
    assert math.isclose(significance.mann_whitney_p(np.array([1.0, 3.0]), np.array([2.0])), 1.0)


@pytest.mark.parametrize("degrees", [1, 2, 3, 9, 10, 99, 998, 999])
@pytest.mark.parametrize("chance", [0.001, 0.025, 0.5, 0.975])
def test_the_quantile_of_chi_square_is_scipys(chance: float, degrees: int) -> None:
    expected = float(stats.chi2.ppf(chance, degrees))
    assert significance.chi_square(chance, degrees) == pytest.approx(expected, rel=1e-9)
