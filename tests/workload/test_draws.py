"""Random numbers that depend on a task's number alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.arrays import Integers
from bench.workload import draws

SEEDS = st.integers(0, 2**64)
STREAMS = st.sampled_from(["queue", "size", "content", "service"])
NUMBERS = st.lists(st.integers(0, 2**62), max_size=30).map(lambda each: np.array(each, np.int64))
MANY = np.arange(100_000)
UNIFORM_PINNED = [0.6319958236453117, 0.3264839931688608, 0.9740735945421936, 0.18397091329151738]
NORMAL_PINNED = [-0.2434176457060188, -1.4273574001327962, -2.4641012028213094]


@given(seed=SEEDS, stream=STREAMS, numbers=NUMBERS)
def test_the_same_number_always_gets_the_same_draw(
    seed: int, stream: str, numbers: Integers
) -> None:
    """Whatever else is drawn with it, and in whatever order."""
    together = draws.uniform(seed, stream, numbers)
    one_by_one = [
        draws.uniform(seed, stream, numbers[at : at + 1])[0] for at in range(len(numbers))
    ]
    assert together.tolist() == one_by_one
    assert draws.uniform(seed, stream, numbers[::-1]).tolist() == together[::-1].tolist()


@given(seed=SEEDS, stream=STREAMS, numbers=NUMBERS)
def test_normal_draws_do_not_depend_on_order_either(
    seed: int, stream: str, numbers: Integers
) -> None:
    together = draws.normal(seed, stream, numbers)
    backwards = draws.normal(seed, stream, numbers[::-1])
    assert together.tolist() == pytest.approx(backwards[::-1].tolist(), rel=1e-12, abs=1e-12)


@given(seed=SEEDS, stream=STREAMS, numbers=NUMBERS)
def test_uniform_draws_are_from_zero_to_below_one(
    seed: int, stream: str, numbers: Integers
) -> None:
    values = draws.uniform(seed, stream, numbers)
    assert values.dtype == np.float64
    assert values.shape == numbers.shape
    assert ((values >= 0) & (values < 1)).all()


def test_a_workload_of_an_earlier_version_can_be_made_again() -> None:
    """These numbers may change only together with the format of the run record."""
    assert draws.uniform(1, "queue", np.arange(4)).tolist() == UNIFORM_PINNED
    assert draws.normal(1, "size", np.arange(3)).tolist() == pytest.approx(NORMAL_PINNED, rel=1e-12)


@pytest.mark.parametrize("seed", [0, 1, 2**63])
def test_uniform_draws_are_even(seed: int) -> None:
    """Chi-squared over 100 bins, 99 degrees of freedom: below 160 but once in ten thousand."""
    counts, _ = np.histogram(draws.uniform(seed, "queue", MANY), bins=100, range=(0, 1))
    expected = len(MANY) / 100
    assert ((counts - expected) ** 2 / expected).sum() < 160


@pytest.mark.parametrize("lag", [1, 2, 3, 64])
def test_neighbours_are_not_correlated(lag: int) -> None:
    values = draws.uniform(1, "queue", MANY)
    assert abs(np.corrcoef(values[:-lag], values[lag:])[0, 1]) < 0.02


@pytest.mark.parametrize(
    ("other_seed", "other_stream"), [(2, "queue"), (1, "size"), (2, "size"), (0, "queue")]
)
def test_streams_and_seeds_have_nothing_in_common(other_seed: int, other_stream: str) -> None:
    ours = draws.uniform(1, "queue", MANY)
    others = draws.uniform(other_seed, other_stream, MANY)
    assert not (ours == others).any()
    assert abs(np.corrcoef(ours, others)[0, 1]) < 0.02


def test_normal_draws_are_standard_normal() -> None:
    values = draws.normal(1, "size", MANY)
    assert values.mean() == pytest.approx(0, abs=0.02)
    assert values.std() == pytest.approx(1, abs=0.02)
    assert (abs(values) < 1.959964).mean() == pytest.approx(0.95, abs=0.005)
    assert (values**3).mean() == pytest.approx(0, abs=0.06)
