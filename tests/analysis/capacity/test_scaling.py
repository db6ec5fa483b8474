"""The Universal Scalability Law, against published coefficients and known truths."""

import math

import numpy as np
import pytest

from bench.analysis.capacity.scaling import Coefficients, Level, fit, fit_coefficients
from tests.conftest import TrialCount

SPECSDM91 = {1: 64.9, 18: 995.9, 36: 1652.4, 72: 1853.2, 108: 1828.9, 144: 1775.0, 216: 1702.2}
"""SPEC SDM91: generators to scripts an hour, the data of R's package usl."""
TRUTH = Coefficients(0.05, 0.002, 500.0)


def levels(workers: list[float], noise: float = 0.0, seed: int = 1) -> list[Level]:
    """Bounds five percent apart around what the truth says, with some noise."""
    generator = np.random.default_rng(seed)
    made = []
    for count in workers:
        middle = float(TRUTH.at(count)) * (1 + noise * generator.standard_normal())
        made.append(Level(count, middle * 0.975, middle * 1.025))
    return made


def test_the_published_coefficients_of_specsdm91() -> None:
    found = fit_coefficients(
        np.array(list(SPECSDM91), np.float64), np.array(list(SPECSDM91.values()))
    )
    assert found.alpha == pytest.approx(0.0277285, rel=1e-3)
    assert found.beta == pytest.approx(0.0001044, rel=1e-3)
    assert found.gamma == pytest.approx(89.995, rel=1e-3)


def test_the_truth_is_found_from_clean_data() -> None:
    law = fit(levels([1, 2, 4, 8, 16]))
    assert law is not None
    assert law.best.alpha == pytest.approx(TRUTH.alpha, rel=1e-2)
    assert law.best.beta == pytest.approx(TRUTH.beta, rel=1e-2)
    assert law.best.gamma == pytest.approx(TRUTH.gamma, rel=1e-2)
    assert law.best.peak_workers == pytest.approx(math.sqrt(0.95 / 0.002), rel=1e-2)


def test_workers_that_never_hinder_each_other_have_no_peak() -> None:
    law = fit([Level(n, 98.0 * n, 102.0 * n) for n in (1, 2, 4, 8)])
    assert law is not None
    assert law.best.alpha == pytest.approx(0.0, abs=0.01)
    assert law.interval_of("peak_workers")[1] > 100


def test_a_throughput_that_only_falls_has_its_peak_at_one_worker() -> None:
    falling = Coefficients(1.5, 0.02, 500.0)
    law = fit([Level(n, float(falling.at(n)), 1.01 * float(falling.at(n))) for n in (1, 2, 4, 8)])
    assert law is not None
    assert law.best.alpha == pytest.approx(1.5, rel=0.05)
    assert law.best.peak_workers == 1.0
    assert law.interval_of("peak_workers") == (1.0, 1.0)


@pytest.mark.parametrize("workers", [[], [1], [1, 2], [2, 2, 2]])
def test_too_few_levels_fit_nothing(workers: list[float]) -> None:
    assert fit(levels(workers)) is None


@pytest.mark.slow
def test_intervals_hold_what_they_promise(trial_count: TrialCount) -> None:
    """Inside the levels, and up to twice the largest: the truth lies in the 90% interval at least
    as often, over levels with 3% of noise."""
    inside = {3.0: 0, 12.0: 0, 16.0: 0}
    count_of_fits = trial_count(25, 60)
    for seed in range(count_of_fits):
        law = fit(levels([1, 2, 4, 8], 0.03, seed))
        assert law is not None
        for count in inside:
            band = law.predict(count)
            assert band.low <= band.value <= band.high
            inside[count] += band.low <= float(TRUTH.at(count)) <= band.high
    assert all(count >= 0.9 * count_of_fits for count in inside.values()), inside


def test_nothing_is_said_of_more_than_twice_the_largest_level() -> None:
    law = fit(levels([1, 2, 4]))
    assert law is not None
    law.predict(8)
    with pytest.raises(ValueError, match="9 workers are more than 8"):
        law.predict(9)
