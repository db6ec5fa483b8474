"""How many pairs fit, and how long each run may take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis import rule
from bench.errors import UsageError
from bench.jobs.ab_plan import (
    NOISE_PAIRS,
    SHORTEST_RUN_S,
    WANTED_PAIRS,
    PairPlan,
    after_noise,
    make_plan,
)


@pytest.mark.parametrize(
    ("budget_s", "run_s", "duration_s", "metrics", "asked", "plan"),
    [
        (300, 8.0, None, 2, None, PairPlan(3, 10, 8.0)),
        (300, 11.0, 8.5, 2, None, PairPlan(3, 10, 11.0)),
        (300, 20.5, 18.0, 2, None, PairPlan(3, 10, 11.5, 9.0)),
        (120, 20.5, 18.0, 2, None, PairPlan(3, 6, 6.5, 4.0)),
        (120, 5.0, None, 1, None, PairPlan(3, 9, 5.0)),
        (10, 20.5, 18.0, 2, 4, PairPlan(3, 4, 20.5)),
    ],
)
def test_full_runs_if_they_fit_then_shorter_ones_then_fewer(
    budget_s: float,
    run_s: float,
    duration_s: float | None,
    metrics: int,
    asked: int | None,
    plan: PairPlan,
) -> None:
    assert make_plan(budget_s, run_s, duration_s, metrics, NOISE_PAIRS, asked) == plan


def test_a_budget_that_could_prove_nothing_is_refused_with_one_that_could() -> None:
    with pytest.raises(UsageError, match=r"budget of 60\.0 s is too small: 6 pairs.*--budget 3m"):
        make_plan(60, 10.0, None, 2, NOISE_PAIRS, None)
    make_plan(180, 10.0, None, 2, NOISE_PAIRS, None)


@given(
    budget_s=st.floats(10, 3600),
    duration_s=st.floats(1, 120),
    overhead_s=st.floats(0.5, 10),
    may_be_cut=st.booleans(),
    metrics=st.integers(1, 5),
)
def test_a_plan_fits_its_budget_and_can_prove_something(
    budget_s: float, duration_s: float, overhead_s: float, may_be_cut: bool, metrics: int
) -> None:
    try:
        plan = make_plan(
            budget_s,
            duration_s + overhead_s,
            duration_s if may_be_cut else None,
            metrics,
            NOISE_PAIRS,
            None,
        )
    except UsageError:
        return
    assert plan.estimate_s <= budget_s + 1e-6
    assert rule.fewest_pairs(metrics) <= plan.pairs <= WANTED_PAIRS
    assert plan.noise_pairs == NOISE_PAIRS
    if plan.duration_s is not None:
        assert min(SHORTEST_RUN_S, duration_s) <= plan.duration_s <= duration_s


@pytest.mark.parametrize(
    ("run_s", "pairs"), [(10.0, 10), (11.5, 10), (13.0, 9), (16.0, 7), (18.0, 6), (20.8, 6)]
)
def test_runs_that_take_longer_than_planned_are_fewer(run_s: float, pairs: int) -> None:
    """They may exceed the budget by a tenth, and the fewest that prove something by a quarter."""
    plan = PairPlan(3, 10, 11.0)
    revised = after_noise(plan, 6 * run_s, 0, run_s, 300.0, 2)
    assert (revised.pairs, revised.run_s, revised.noise_pairs) == (pairs, run_s, 3)


def test_a_budget_that_turns_out_too_small_is_told_after_the_first_run() -> None:
    with pytest.raises(UsageError, match=r"a run takes 30\.0 s here, and 6 pairs .*--budget 9m"):
        after_noise(PairPlan(3, 10, 11.0), 30.0, 5, 30.0, 300.0, 2)


@given(
    run_s=st.floats(1, 60),
    budget_s=st.floats(60, 900),
    metrics=st.integers(1, 5),
    pairs=st.integers(6, 10),
)
def test_a_revised_plan_exceeds_its_budget_by_a_quarter_at_most(
    run_s: float, budget_s: float, metrics: int, pairs: int
) -> None:
    try:
        plan = after_noise(PairPlan(3, pairs, 1.0), 6 * run_s, 0, run_s, budget_s, metrics)
    except UsageError:
        return
    assert plan.estimate_s <= budget_s * 1.25 + 1e-6
    assert plan.pairs <= max(pairs, rule.fewest_pairs(metrics))
