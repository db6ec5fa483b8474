"""Distributions as text, and their draws."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import units
from bench.errors import UsageError
from bench.workload import distribution
from bench.workload.distribution import Distribution

MANY = np.arange(100_000)


def size(text: str) -> float:
    return float(units.parse_size(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("none", Distribution("none")),
        ("2ms", Distribution("constant", mean=0.002)),
        ("constant:2ms", Distribution("constant", mean=0.002)),
        ("fixed:2ms", Distribution("constant", mean=0.002)),
        ("exp:2ms", Distribution("exp", mean=0.002)),
        ("exponential:2ms", Distribution("exp", mean=0.002)),
        ("EXP:2ms", Distribution("exp", mean=0.002)),
        (" exp : 2ms ", Distribution("exp", mean=0.002)),
        ("uniform:1s-3s", Distribution("uniform", mean=2.0, low=1.0, high=3.0)),
        ("uniform:2s-2s", Distribution("uniform", mean=2.0, low=2.0, high=2.0)),
        ("lognormal:2s,0.8", Distribution("lognormal", mean=2.0, sigma=0.8)),
    ],
)
def test_durations_are_read(text: str, expected: Distribution) -> None:
    assert distribution.parse(text, units.parse_duration, "constant") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("64B", Distribution("constant", mean=64)),
        ("1KiB", Distribution("constant", mean=1024)),
        ("uniform:64B-1KiB", Distribution("uniform", mean=544, low=64, high=1024)),
        ("lognormal:256B,0.8", Distribution("lognormal", mean=256, sigma=0.8)),
    ],
)
def test_sizes_are_read(text: str, expected: Distribution) -> None:
    assert distribution.parse(text, size, "constant") == expected


def test_a_bare_value_is_of_the_default_kind() -> None:
    assert distribution.parse("2s", units.parse_duration, "exp") == Distribution("exp", mean=2.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gamma:2ms", "'gamma:2ms' is not a distribution: write constant:VALUE"),
        ("none:2ms", "'none:2ms' is not a distribution"),
        ("uniform:2ms", "'uniform:2ms' is not a distribution"),
        ("uniform:3s-1s", "'uniform:3s-1s' is not a distribution"),
        ("lognormal:2ms", "'lognormal:2ms' is not a distribution"),
        ("lognormal:2ms,x", "'lognormal:2ms,x': 'x' is not a number"),
        ("lognormal:2ms,0", "'lognormal:2ms,0': every value must be positive"),
        ("lognormal:2ms,-1", "'lognormal:2ms,-1': every value must be positive"),
        ("lognormal:0s,1", "'lognormal:0s,1': every value must be positive"),
        ("uniform:0s-1s", "'uniform:0s-1s': every value must be positive"),
        ("lognormal:2ms,inf", "'lognormal:2ms,inf': every value must be positive, and finite"),
        ("lognormal:2ms,nan", "'lognormal:2ms,nan': every value must be positive, and finite"),
        ("lognormal:2ms,1e999", "'lognormal:2ms,1e999': every value must be positive, and"),
        ("lognormal:2ms,3.1", "'lognormal:2ms,3.1': SIGMA must be at most 3"),
        ("uniform:1-3ms", "'1' has no unit"),
        ("0s", "'0s': every value must be positive"),
        ("exp:0s", "'exp:0s': every value must be positive"),
        ("exp:", "'' is not a duration"),
        ("", "'' is not a duration"),
        ("often", "'often' is not a duration"),
    ],
)
def test_what_is_no_distribution_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        distribution.parse(text, units.parse_duration, "constant")
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan, 0.0, -1.0])
@pytest.mark.parametrize(
    "text", ["x", "constant:x", "exp:x", "uniform:x-y", "uniform:y-x", "lognormal:x,1"]
)
def test_every_value_must_be_positive_and_finite_whatever_reads_it(
    text: str, number: float
) -> None:
    def value(written: str) -> float:
        return number if written == "x" else 1.0

    with pytest.raises(UsageError, match=f"'{text}': every value must be positive, and finite"):
        distribution.parse(text, value, "constant")


@pytest.mark.parametrize(
    ("each", "fixed"),
    [
        (Distribution(), True),
        (Distribution("constant", mean=2), True),
        (Distribution("uniform", mean=2, low=1, high=3), False),
        (Distribution("exp", mean=2), False),
        (Distribution("lognormal", mean=2, sigma=1), False),
    ],
)
def test_a_distribution_is_fixed_when_all_its_draws_are_equal(
    each: Distribution, fixed: bool
) -> None:
    assert each.is_fixed == fixed
    assert (len(set(each.draw(1, "size", np.arange(100)).tolist())) == 1) == fixed


@pytest.mark.parametrize(
    ("each", "mean", "deviation"),
    [
        (Distribution(), 0.0, 0.0),
        (Distribution("constant", mean=2), 2.0, 0.0),
        (Distribution("uniform", mean=2, low=1, high=3), 2.0, 2 / 12**0.5),
        (Distribution("exp", mean=2), 2.0, 2.0),
        (Distribution("lognormal", mean=2, sigma=0.5), 2.0, 2 * (np.exp(0.25) - 1) ** 0.5),
    ],
)
def test_draws_have_the_mean_and_the_deviation_of_their_distribution(
    each: Distribution, mean: float, deviation: float
) -> None:
    values = each.draw(1, "size", MANY)
    assert values.mean() == pytest.approx(mean, rel=0.02)
    assert values.std() == pytest.approx(deviation, rel=0.03)


@given(
    each=st.sampled_from(
        [
            Distribution("constant", mean=2),
            Distribution("uniform", mean=2, low=1, high=3),
            Distribution("exp", mean=2),
            Distribution("lognormal", mean=2, sigma=0.5),
        ]
    ),
    seed=st.integers(0, 2**32),
    numbers=st.lists(st.integers(0, 2**40), min_size=1, max_size=20),
)
def test_the_same_number_always_gets_the_same_positive_value(
    each: Distribution, seed: int, numbers: list[int]
) -> None:
    together = each.draw(seed, "size", np.array(numbers))
    one_by_one = [each.draw(seed, "size", np.array([number]))[0] for number in numbers]
    assert together.tolist() == pytest.approx(one_by_one, rel=1e-12)
    assert (together >= 0).all()


@given(
    low=st.floats(1e-6, 1e6),
    width=st.floats(0, 1e6),
    seed=st.integers(0, 2**32),
)
def test_uniform_draws_stay_within_their_bounds(low: float, width: float, seed: int) -> None:
    each = Distribution("uniform", mean=low + width / 2, low=low, high=low + width)
    values = each.draw(seed, "size", np.arange(200))
    assert values.min() >= low
    assert values.max() <= low + width
