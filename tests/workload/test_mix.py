"""Which sub-queue a task goes to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.workload.mix import Mix

WEIGHTS = st.lists(st.floats(0.01, 100), min_size=1, max_size=6)


@pytest.mark.parametrize(
    "weights", [[1.0], [1.0, 1.0], [1.0, 2.0, 1.0], [0.1, 0.9], [50.0, 30.0, 15.0, 5.0]]
)
def test_each_queue_gets_its_share_of_the_tasks(weights: list[float]) -> None:
    chosen = Mix(weights, seed=1).queue_of(np.arange(100_000))
    shares = np.bincount(chosen, minlength=len(weights)) / len(chosen)
    assert shares == pytest.approx(np.array(weights) / sum(weights), abs=0.005)


@given(weights=WEIGHTS, seed=st.integers(0, 2**32), numbers=st.lists(st.integers(0, 2**40)))
def test_a_task_goes_to_the_same_queue_whoever_asks(
    weights: list[float], seed: int, numbers: list[int]
) -> None:
    mix = Mix(weights, seed)
    together = mix.queue_of(np.array(numbers, np.int64))
    assert together.dtype == np.int64
    assert together.tolist() == [
        int(Mix(weights, seed).queue_of(np.array([number]))[0]) for number in numbers
    ]
    assert all(0 <= queue < len(weights) for queue in together.tolist())


@given(weights=WEIGHTS, factor=st.sampled_from([0.25, 2.0, 1024.0]))
def test_only_the_ratio_of_the_weights_counts(weights: list[float], factor: float) -> None:
    numbers = np.arange(1000)
    scaled = [weight * factor for weight in weights]
    assert (Mix(weights, 1).queue_of(numbers) == Mix(scaled, 1).queue_of(numbers)).all()


def test_another_seed_deals_the_tasks_differently() -> None:
    numbers = np.arange(1000)
    assert (Mix([1, 1], 1).queue_of(numbers) != Mix([1, 1], 2).queue_of(numbers)).any()


def test_tasks_of_one_queue_come_in_no_pattern() -> None:
    """Being in a queue says nothing about the next task."""
    chosen = Mix([1, 1], 1).queue_of(np.arange(100_000))
    assert (chosen[:-1] == chosen[1:]).mean() == pytest.approx(0.5, abs=0.01)
