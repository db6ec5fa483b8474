"""The search, on systems whose capacity is known."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.capacity.search import (
    BoundKind,
    Bounds,
    Goal,
    Trial,
    WantedTrial,
    bounds,
    classify,
    closing_step,
    next_step,
)

GOAL = Goal(initial_s=5.0, final_s=10.0, sum_s=40.0)
"""Bounds that rest on four trials."""
THOROUGH = Goal(initial_s=5.0, final_s=10.0, sum_s=70.0)
"""On seven: more of them may be spoilt."""
SEEDS = 100
MOST_TRIALS = 200
System = Callable[[float, np.random.Generator], bool]
"""Whether a load holds in one trial."""


def searched(
    system: System, seed: int, first: float = 600.0, goal: Goal = GOAL, highest: float = 1e5
) -> tuple[Bounds, list[Trial]]:
    generator = np.random.default_rng(seed)
    trials: list[Trial] = []
    for _ in range(MOST_TRIALS):
        step = next_step(trials, goal, first, 1.0, highest)
        if isinstance(step, Bounds):
            return step, trials
        trials.append(Trial(step.load, step.duration_s, system(step.load, generator)))
    raise AssertionError(f"no end after {MOST_TRIALS} trials")


def steady(capacity: float) -> System:
    return lambda load, _: load <= capacity


def disturbed(capacity: float, chance: float) -> System:
    """Now and then something else spoils a trial that would have been good."""
    return lambda load, generator: load <= capacity and generator.random() >= chance


def with_a_window(capacity: float, low: float, high: float, chance: float) -> System:
    """Not monotone: beyond its capacity there is a stretch of loads that hold again."""

    def system(load: float, generator: np.random.Generator) -> bool:
        holds = load <= capacity or low * capacity <= load <= high * capacity
        return holds and generator.random() >= chance

    return system


def worse_when_idle(capacity: float) -> System:
    """Not monotone: the lower the load, the likelier a trial is spoilt, as where cores sleep."""

    def system(load: float, generator: np.random.Generator) -> bool:
        chance = 0.12 * (1 - min(load / capacity, 1.0))
        return load <= capacity and generator.random() >= chance

    return system


def capacities() -> list[float]:
    """One for each seed, far from and near to where the search begins."""
    return [float(each) for each in np.random.default_rng(1).uniform(40, 9000, SEEDS)]


@pytest.mark.parametrize(
    ("make", "goal"),
    [
        (steady, GOAL),
        (lambda capacity: disturbed(capacity, 0.03), GOAL),
        (lambda capacity: disturbed(capacity, 0.06), THOROUGH),
        (worse_when_idle, THOROUGH),
        (lambda capacity: with_a_window(capacity, 1.5, 2.2, 0.02), GOAL),
        (lambda capacity: with_a_window(capacity, 1.8, 2.6, 0.0), GOAL),
    ],
    ids=["steady", "disturbed", "much disturbed", "worse when idle", "window", "far window"],
)
def test_the_bound_is_within_the_width_in_95_of_100_and_never_above_the_capacity(
    make: Callable[[float], System], goal: Goal
) -> None:
    within = 0
    for seed, capacity in enumerate(capacities()):
        found, _ = searched(make(capacity), seed, goal=goal)
        assert found.is_settled
        if found.lower is not None:
            assert found.lower <= capacity, f"seed {seed}: {found} is above {capacity}"
            within += found.lower >= capacity * (1 - GOAL.width)
    assert within >= 95


def test_both_bounds_are_proven_by_full_trials() -> None:
    found, trials = searched(disturbed(1234.0, 0.05), 3)
    assert found.lower is not None
    assert found.upper is not None
    assert (found.upper - found.lower) / found.upper <= GOAL.width
    for load, kind in ((found.lower, BoundKind.LOWER), (found.upper, BoundKind.UPPER)):
        assert classify([trial for trial in trials if trial.load == load], GOAL) is kind


@pytest.mark.parametrize("seed", range(10))
def test_a_search_takes_few_trials(seed: int) -> None:
    _, trials = searched(disturbed(capacities()[seed], 0.03), seed, capacities()[seed] * 0.6)
    assert len(trials) <= 25


def test_a_load_that_nothing_holds_has_no_lower_bound() -> None:
    found, trials = searched(steady(0.0), 1)
    assert found == Bounds(None, 1.0, is_settled=True)
    assert min(trial.load for trial in trials) == 1.0


def test_a_system_without_a_limit_in_reach_has_no_upper_bound() -> None:
    found, trials = searched(steady(1e9), 1, highest=5000.0)
    assert (found.lower, found.upper, found.is_settled) == (5000.0, None, True)
    assert max(trial.load for trial in trials) == 5000.0


def test_no_two_loads_below_the_bound_lie_further_apart_than_the_gap() -> None:
    found, trials = searched(steady(4000.0), 1, first=600.0)
    assert found.lower is not None
    loads = sorted({trial.load for trial in trials if trial.load <= found.lower}, reverse=True)
    for high, low in itertools.pairwise(loads):
        if high > found.lower / GOAL.reach:
            assert high / low <= GOAL.gap * 1.01
    assert loads[-1] <= found.lower / GOAL.reach


@pytest.mark.parametrize(
    ("trials", "kind"),
    [
        ([], BoundKind.OPEN),
        ([(10, True)], BoundKind.OPEN),
        ([(10, True)] * 2, BoundKind.OPEN),
        ([(10, True)] * 3, BoundKind.LOWER),
        ([(10, False)], BoundKind.OPEN),
        ([(10, False)] * 2, BoundKind.UPPER),
        ([(10, False)] + [(10, True)] * 3, BoundKind.LOWER),
        ([(10, False)] * 2 + [(10, True)] * 9, BoundKind.LOWER),
        ([(5, True)] * 9, BoundKind.OPEN),
        ([(5, False)], BoundKind.OPEN),
        ([(5, False)] * 3, BoundKind.UPPER),
    ],
)
def test_what_trials_prove(trials: list[tuple[float, bool]], kind: BoundKind) -> None:
    """Three good of four full ones, or two bad; short ones warn and prove nothing good."""
    made = [Trial(100.0, duration_s, good) for duration_s, good in trials]
    assert classify(made, GOAL) is kind


@given(
    outcomes=st.lists(st.tuples(st.sampled_from([5.0, 10.0]), st.booleans()), max_size=12),
    more=st.integers(1, 4),
)
def test_more_good_trials_never_make_a_load_worse(
    outcomes: list[tuple[float, bool]], more: int
) -> None:
    order = {BoundKind.UPPER: 0, BoundKind.OPEN: 1, BoundKind.LOWER: 2}
    made = [Trial(1.0, duration_s, good) for duration_s, good in outcomes]
    better = [*made, *[Trial(1.0, 10.0, True)] * more]
    assert order[classify(better, GOAL)] >= order[classify(made, GOAL)]


def test_a_search_that_was_cut_short_calls_safe_only_what_is_proven() -> None:
    system, goal = steady(1000.0), GOAL
    generator = np.random.default_rng(1)
    trials: list[Trial] = []
    for _ in range(40):
        now = bounds(trials, goal)
        assert not now.is_settled
        if now.lower is not None:
            assert classify([t for t in trials if t.load == now.lower], goal) is BoundKind.LOWER
        step = next_step(trials, goal, 600.0, 1.0, 1e5)
        if isinstance(step, Bounds):
            assert (step.lower, step.upper) == (now.lower, now.upper)
            return
        trials.append(Trial(step.load, step.duration_s, system(step.load, generator)))
    raise AssertionError("no end")


def test_a_search_whose_time_is_over_proves_what_it_has_and_looks_for_no_more() -> None:
    """A load that held once is tried until it is proven; one that turns bad is dropped."""
    trials = [Trial(500.0, 5.0, True), Trial(1000.0, 5.0, False), Trial(700.0, 5.0, True)]
    for load, good in ((700, True), (700, False), (500, True), (500, True), (500, True)):
        step = closing_step(trials, GOAL)
        assert step is not None
        assert step == WantedTrial(load, GOAL.final_s)
        trials.append(Trial(step.load, step.duration_s, good))
    assert closing_step(trials, GOAL) is None
    assert bounds(trials, GOAL).lower == 500.0
    assert closing_step([], GOAL) is None
    assert closing_step([Trial(500.0, 5.0, False)], GOAL) is None


def test_one_bad_trial_far_below_takes_nothing_from_a_proven_bound_and_is_looked_into() -> None:
    trials = [Trial(1000.0, 10.0, True)] * 3 + [Trial(1050.0, 10.0, False)] * 2
    trials += [Trial(500.0, 5.0, True), Trial(400.0, 5.0, False)]
    assert bounds(trials, GOAL) == Bounds(1000.0, 1050.0, is_settled=False)
    assert next_step(trials, GOAL, 600.0, 1.0, 1e5) == WantedTrial(400.0, GOAL.final_s)
    trials += [Trial(400.0, 10.0, False)] * 2
    assert bounds(trials, GOAL).lower is None  # twice is no chance any more
