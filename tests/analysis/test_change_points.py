"""Levels of a series, against ruptures and against brute force."""

import functools
import math

import numpy as np
import pytest
import ruptures
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.change_points import level_ends

WHOLE = st.lists(st.integers(-3, 3).map(float), min_size=4, max_size=24)
"""Many divisions of these are equally good."""


def cost_of(values: list[float], ends: list[int], penalty: float) -> float:
    levels = [values[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    deviations = [float(np.abs(np.array(each) - np.median(each)).sum()) for each in levels]
    return sum(deviations) + penalty * len(levels)


def least_cost(values: list[float], penalty: float, shortest: int) -> float:
    """The cost of the best of all divisions."""

    @functools.cache
    def least(end: int) -> float:
        return min(
            (
                (least(start) if start else 0.0)
                + cost_of(values[start:end], [end - start], penalty)
                for start in range(end - shortest + 1)
                if start == 0 or start >= shortest
            ),
            default=math.inf,
        )

    return least(len(values))


@given(values=WHOLE, penalty=st.floats(0.01, 8), shortest=st.integers(1, 4))
def test_no_other_division_is_better(values: list[float], penalty: float, shortest: int) -> None:
    ends = level_ends(values, penalty, shortest)
    assert ends[-1] == len(values)
    assert min(np.diff([0, *ends])) >= shortest
    found = cost_of(values, ends, penalty)
    assert found == pytest.approx(least_cost(values, penalty, shortest), abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_the_levels_are_those_of_ruptures(seed: int) -> None:
    """Noise with a few changes of level; no two divisions cost the same."""
    generator = np.random.default_rng(seed)
    levels = np.repeat(generator.normal(0, 0.3, 5), generator.integers(4, 25, 5))
    series = levels + 0.04 * generator.standard_t(3, len(levels))
    penalty = float(generator.uniform(0.05, 0.5))
    search = ruptures.Pelt(model="l1", min_size=4, jump=1).fit(series)
    assert level_ends(series.tolist(), penalty, 4) == search.predict(pen=penalty)


def test_a_series_of_equal_values_is_one_level() -> None:
    assert level_ends([0.1] * 50, 1e-9, 4) == [50]
