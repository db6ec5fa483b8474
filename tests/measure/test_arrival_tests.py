"""The statistics of arrivals, against SciPy's."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from bench.arrays import Floats
from bench.measure.arrival_tests import (
    correlation,
    dispersion,
    distance_beyond,
    erlang_cdf,
    kolmogorov_p,
)

_SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=40).map(np.array)


@given(
    shape=st.sampled_from([1, 2, 9, 36, 100]),
    values=st.lists(st.floats(0, 400), min_size=1, max_size=20).map(np.array),
)
def test_sums_of_few_gaps_have_the_distribution_of_scipy(shape: int, values: Floats) -> None:
    expected = scipy.stats.gamma.cdf(values, shape)
    assert erlang_cdf(values, shape) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("shape", [101, 900, 2500, 100_000])
def test_sums_of_many_gaps_have_it_to_a_ten_thousandth(shape: int) -> None:
    values = shape + np.sqrt(shape) * np.linspace(-5, 5, 101)
    assert erlang_cdf(values, shape) == pytest.approx(
        scipy.stats.gamma.cdf(values, shape), abs=1e-4
    )


@given(values=_SHARES)
def test_with_values_known_exactly_it_is_the_distance_of_scipy(values: Floats) -> None:
    expected = scipy.stats.kstest(values, "uniform").statistic
    assert distance_beyond(values, values) == pytest.approx(expected, abs=1e-12)


@given(values=_SHARES, below=st.floats(0, 0.5), above=st.floats(0, 0.5), at=st.floats(0, 1))
def test_values_within_the_bounds_are_at_least_as_far_from_uniform(
    values: Floats, below: float, above: float, at: float
) -> None:
    low, high = np.clip(values - below, 0, 1), np.clip(values + above, 0, 1)
    chosen = low + at * (high - low)
    assert distance_beyond(low, high) <= distance_beyond(chosen, chosen) + 1e-12


@pytest.mark.parametrize("count", [50, 500, 5000])
@pytest.mark.parametrize("scaled", [0.5, 1.0, 1.36, 1.95, 2.5])
def test_the_p_value_of_a_distance_is_that_of_scipy(count: int, scaled: float) -> None:
    distance = scaled / np.sqrt(count)
    expected = scipy.stats.kstwo.sf(distance, count)
    assert kolmogorov_p(distance, count) == pytest.approx(expected, rel=0.05, abs=1e-3)


def test_a_correlation_is_that_of_numpy_and_nothing_of_values_that_do_not_vary() -> None:
    one = np.random.default_rng(1).random(500)
    other = one + np.random.default_rng(2).random(500)
    found, p_value = correlation(one, other)
    assert found == pytest.approx(np.corrcoef(one, other)[0, 1])
    assert p_value < 1e-9
    assert correlation(np.ones(5), one[:5]) == (0.0, 1.0)


def test_the_dispersion_of_poisson_counts_is_one_and_a_stall_does_not_decide() -> None:
    generator = np.random.default_rng(3)
    expected = np.full(2000, 100.0)
    counts = generator.poisson(100, 2000).astype(np.float64)
    index, p_value = dispersion(counts, expected)
    assert index == pytest.approx(1, abs=0.12)
    assert p_value > 0.001
    counts[500:505], counts[505] = 0, 600
    assert dispersion(counts, expected)[0] == pytest.approx(index, abs=0.05)
    assert dispersion(expected, expected)[0] == 0
