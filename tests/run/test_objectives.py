"""Objectives about the faults of a run: met by what they did, never by what is not known."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure.faults import FaultOutcome
from bench.run.figures import objectives
from bench.workload.metrics import Metric


def outcome(
    kind: str,
    recovered_s: Mapping[str, float | None] | None = None,
    *,
    began_s: float | None = 10.0,
    lost: int = 0,
    duplicated: int = 0,
    run_again: int = 0,
) -> FaultOutcome:
    return FaultOutcome(
        kind=kind,
        fault=f"10s {kind}",
        planned_s=10.0,
        began_s=began_s,
        lost=lost,
        duplicated=duplicated,
        run_again=run_again,
        recovered_s={"rate": 1.0} if recovered_s is None else recovered_s,
    )


def evaluated(slo: str, outcomes: Sequence[FaultOutcome]) -> tuple[float | None, bool]:
    def nothing(_: Metric) -> None:
        return None

    (result,) = objectives.evaluated([slo], nothing, nothing, outcomes)
    assert result.at_most is None
    return result.value, result.passed


RESTARTS = [
    outcome("restart", {"rate": 0.5, "backlog": 2.5}, lost=3, duplicated=1, run_again=2),
    outcome("kill", {"rate": 0.2}, lost=0, run_again=5),
    outcome("restart", {"rate": 4.0, "backlog": 1.0}, lost=4),
]


@pytest.mark.parametrize(
    ("slo", "value", "passed"),
    [
        ("recovery{restart}.time < 5s", 4.0, True),
        ("recovery{restart}.time < 4s", 4.0, False),
        ("recovery{kill}.time < 500ms", 0.2, True),
        ("recovery{all}.time < 500ms", 4.0, False),
        ("lost{restart} == 7", 7.0, True),
        ("lost{restart} == 0", 7.0, False),
        ("lost{kill} == 0", 0.0, True),
        ("duplicated{restart} == 0", 1.0, False),
        ("run_again{all} <= 7", 7.0, True),
        ("unknown{restart} == 0", 0.0, True),
    ],
)
def test_counts_are_added_and_the_longest_recovery_counts(
    slo: str, value: float, passed: bool
) -> None:
    assert evaluated(slo, RESTARTS) == (value, passed)


@pytest.mark.parametrize(
    ("slo", "outcomes"),
    [
        ("recovery{restart}.time < 1h", []),
        ("lost{restart} == 0", [outcome("kill")]),
        ("lost{restart} == 0", [outcome("restart"), outcome("restart", began_s=None)]),
        ("lost{restart} >= 0", [outcome("restart", began_s=None)]),
        ("recovery{restart}.time < 1h", [outcome("restart", began_s=None)]),
        ("recovery{restart}.time < 1h", [outcome("restart", {"rate": 1.0, "backlog": None})]),
        ("recovery{all}.time < 1h", [outcome("restart"), outcome("kill", {"rate": None})]),
        ("recovery{restart}.time < 1h", [outcome("restart", {})]),
        ("recovery{restart}.time > 1s", [outcome("restart", {"rate": None})]),
    ],
)
def test_what_did_not_happen_or_did_not_recover_meets_no_objective(
    slo: str, outcomes: Sequence[FaultOutcome]
) -> None:
    assert evaluated(slo, outcomes) == (None, False)


@pytest.mark.parametrize(
    ("slo", "perhaps_lost", "at_most", "passed"),
    [
        ("lost{restart} == 0", 0, None, True),
        ("lost{restart} == 0", 9, 9.0, False),
        ("lost{restart} < 10", 9, 9.0, True),
        ("duplicated{restart} == 0", 9, None, True),
    ],
)
def test_tasks_of_which_it_is_not_known_whether_they_were_lost_may_all_be(
    slo: str, perhaps_lost: int, at_most: float | None, passed: bool
) -> None:
    (result,) = objectives.evaluated(
        [slo], lambda _: None, lambda _: None, [outcome("restart")], perhaps_lost
    )
    assert (result.value, result.at_most, result.passed) == (0.0, at_most, passed)


@given(
    st.lists(st.dictionaries(st.sampled_from("abc"), st.none() | st.floats(0, 60)), max_size=4),
    st.integers(1, 100),
)
def test_a_recovery_within_a_limit_is_one_of_every_figure_of_every_fault(
    recoveries: Sequence[Mapping[str, float | None]], limit_s: int
) -> None:
    outcomes = [outcome("restart", each) for each in recoveries]
    passed = evaluated(f"recovery{{restart}}.time < {limit_s}s", outcomes)[1]
    times = [time_s for each in recoveries for time_s in each.values()]
    is_measured = bool(recoveries) and all(recoveries)
    assert passed == (
        is_measured and all(time_s is not None and time_s < limit_s for time_s in times)
    )
