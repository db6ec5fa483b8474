"""The line that shows how far a job with two arms is."""

import pytest

from bench.cli.ab_view import state_line
from bench.jobs.ab_job import AbProgress, AbStep
from bench.jobs.ab_plan import PairPlan
from tests.jobs.test_ab_job import job


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (AbStep("noise", 1, 0, "A"), "noise pair 1 of 3, first run (A)"),
        (AbStep("noise", 4, 1, "A"), "noise pair 4 (replacement), second run (A)"),
        (AbStep("pair", 6, 0, "B"), "pair 6 of 6, first run (B)"),
        (AbStep("pair", 8, 1, "A"), "pair 8 (replacement), second run (A)"),
    ],
)
def test_a_pair_is_never_beyond_their_number(step: AbStep, said: str) -> None:
    state = job(PairPlan(3, 6, 2.0))
    assert state_line(AbProgress(state, step, None, True, None)) == said
