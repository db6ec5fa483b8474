"""How many pairs fit, and how long each run may take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis import rule
from bench.errors import UsageError
from bench.jobs.ab_plan import NOISE_PAIRS, SHORTEST_RUN_S, WANTED_PAIRS, PairPlan, make_plan


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
