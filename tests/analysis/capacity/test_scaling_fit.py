"""The fit of the scaling law, against SciPy's solver for bounded least squares."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import least_squares

from bench.analysis.capacity.scaling_fit import fit_sets
from bench.arrays import Floats

WORKERS = st.lists(st.integers(1, 64), min_size=3, max_size=8, unique=True).map(sorted)
PRECISE: dict[str, Any] = {"ftol": 1e-14, "xtol": 1e-14, "gtol": 1e-14, "max_nfev": 5000}


def law(workers: Floats, alpha: float, beta: float, gamma: float) -> Floats:
    shared = 1 + alpha * (workers - 1) + beta * workers * (workers - 1)
    throughput: Floats = gamma * workers / shared
    return throughput


def cost(found: Floats, workers: Floats, throughput: Floats, weights: Floats) -> float:
    return float((((law(workers, *found) - throughput) * weights) ** 2).sum())


def scipys(workers: Floats, throughput: Floats, weights: Floats) -> Floats:
    """The best of the fits from several starts, since a bound can hold the solver back."""
    gamma = float(np.max(throughput / workers))

    def residuals(values: Floats) -> Floats:
        off: Floats = (law(workers, *values) - throughput) * weights
        return off

    found = [
        least_squares(
            residuals,
            (alpha, beta, gamma),
            bounds=(0.0, np.inf),
            x_scale=(0.01, 0.0001, gamma),
            **PRECISE,
        )
        for alpha, beta in ((0.02, 0.0001), (0.5, 0.00001), (0.0001, 0.01))
    ]
    best: Floats = min(found, key=lambda each: each.cost).x
    return best


@given(
    counts=WORKERS,
    alpha=st.sampled_from([0.0, 0.01, 0.05, 0.3]),
    beta=st.sampled_from([0.0, 0.0002, 0.005]),
    noise=st.sampled_from([0.001, 0.03, 0.1]),
    seed=st.integers(0, 10**6),
)
def test_no_fit_of_scipys_is_better(
    counts: list[int], alpha: float, beta: float, noise: float, seed: int
) -> None:
    workers = np.array(counts, np.float64)
    drawn = np.exp(noise * np.random.default_rng(seed).standard_normal((1, len(counts))))
    throughput = law(workers, alpha, beta, 700.0) * drawn
    weights = 1 / (0.03 * throughput)
    (own,) = fit_sets(workers, throughput, weights)
    assert (own >= 0).all()
    expected = scipys(workers, throughput[0], weights[0])
    least = cost(expected, workers, throughput[0], weights[0])
    assert cost(own, workers, throughput[0], weights[0]) <= least * (1 + 1e-9) + 1e-6
    apart = law(workers, *own) / law(workers, *expected) - 1
    assert np.abs(apart).max() < 1e-3


@pytest.mark.parametrize(
    ("alpha", "beta"), [(0.05, 0.002), (0.0, 0.001), (0.2, 0.0), (0.0, 0.0), (0.9, 0.03)]
)
def test_the_coefficients_of_exact_throughputs_are_found(alpha: float, beta: float) -> None:
    workers = np.array([1.0, 2, 4, 8, 16])
    throughput = law(workers, alpha, beta, 500.0)[None]
    (found,) = fit_sets(workers, throughput, 1 / throughput)
    assert found == pytest.approx([alpha, beta, 500.0], rel=1e-7, abs=1e-9)


def test_sets_that_are_fitted_together_have_the_fits_that_they_have_alone() -> None:
    workers = np.array([1.0, 2, 4, 8])
    drawn = np.exp(0.05 * np.random.default_rng(3).standard_normal((40, 4)))
    throughput = law(workers, 0.03, 0.0005, 900.0) * drawn
    weights = 1 / (0.03 * throughput)
    alone = [
        fit_sets(workers, each[None], weight[None])[0]
        for each, weight in zip(throughput, weights, strict=True)
    ]
    assert fit_sets(workers, throughput, weights) == pytest.approx(
        np.array(alone), rel=1e-6, abs=1e-9
    )
