"""How long a self-test plans to take, and what is left out where the machine is slower."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench.records.run_record import RunRecord
from bench.selftest import steps
from bench.selftest.plan import FEWEST_REPEATS, FULL, QUICK, SelftestPlan
from bench.selftest.steps import Setting
from tests.records.fixtures import example_record


@pytest.mark.parametrize(("plan", "at_most_s"), [(FULL, 120.0), (QUICK, 30.0)])
def test_a_plan_fits_into_the_time_that_the_help_names(
    plan: SelftestPlan, at_most_s: float
) -> None:
    assert 0.8 * at_most_s < plan.planned_s <= at_most_s


def test_each_further_run_is_planned_for() -> None:
    more = replace(FULL, repeats=FULL.repeats + 1)
    assert more.runs == FULL.runs + 2
    assert more.planned_s > FULL.planned_s + FULL.repeat_duration_s


@pytest.mark.parametrize(("has_time", "made"), [(True, FULL.repeats), (False, FEWEST_REPEATS)])
def test_once_the_planned_time_is_over_only_the_fewest_identical_runs_are_made(
    tmp_path: Path, has_time: bool, made: int
) -> None:
    """The runs are replaced by a record: only how many are asked for matters here."""
    asked: list[Sequence[str]] = []

    def make(arguments: Sequence[str], _: str) -> RunRecord:
        asked.append(arguments)
        return example_record()

    setting = Setting("redis://h", 1, tmp_path, make, FULL, has_time=lambda: has_time)
    found = steps.repeats(setting)
    assert len(asked) == 2 * made
    assert {len(each.values) for each in found.noise} == {made}
