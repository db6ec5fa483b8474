"""The faults of ``bench chaos``: their plans, and which objectives belong to which of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UsageError
from bench.workload import chaos
from bench.workload.fault_plan import resolved
from bench.workload.fault_text import parse_faults
from bench.workload.faults import FaultKind
from bench.workload.metrics import parse_objective


@pytest.mark.parametrize("name", chaos.FAULTS)
@given(
    duration_s=st.floats(5, 1000).map(lambda each: round(each, 3)),
    lasts_s=st.floats(0.05, 1).map(lambda each: round(each, 3)),
)
def test_every_plan_begins_after_a_quiet_time_and_ends_before_the_run(
    name: str, duration_s: float, lasts_s: float
) -> None:
    chaos.require_time(duration_s, lasts_s)
    plan = resolved(parse_faults(chaos.plan_of(name, duration_s, lasts_s)), 1, 2, duration_s)
    assert plan[0].kind is chaos.FAULTS[name].kind
    assert plan[0].at_s >= 0.39 * duration_s
    assert all(each.ends_s + 2 <= duration_s + 0.01 for each in plan)


def test_a_run_without_time_to_recover_is_refused_with_the_shortest_that_has_it() -> None:
    with pytest.raises(UsageError, match=r"give a --duration of 6.67 s or more, or shorten"):
        chaos.require_time(5.0, 2.0)
    chaos.require_time(6.67, 2.0)


def test_only_chooses_in_the_order_of_the_set() -> None:
    assert chaos.chosen(None) == list(chaos.FAULTS)
    assert chaos.chosen(["stall", "kill"]) == ["kill", "stall"]


@pytest.mark.parametrize(
    ("named", "line"),
    [
        (["restrat"], "--only: there is no fault 'restrat': did you mean 'restart'?"),
        (["zzz"], "--only: there is no fault 'zzz': there are kill, restart"),
        ([], "--only names no fault: there are kill, restart"),
    ],
)
def test_an_unknown_fault_is_refused(named: list[str], line: str) -> None:
    with pytest.raises(UsageError) as refused:
        chaos.chosen(named)
    assert str(refused.value).startswith(line)


@pytest.mark.parametrize(
    ("name", "written", "as_run"),
    [
        ("restart", "lost{restart} == 0", "lost{restart} == 0"),
        ("restart-empty", "lost{restart} == 0", None),
        ("restart-empty", "lost{restart-empty} < 9", "lost{restart} < 9"),
        ("restart", "lost{restart-empty} < 9", None),
        ("stall", "recovery{all}.time < 5s", "recovery{all}.time < 5s"),
        ("stall", "lost == 0", "lost == 0"),
        ("stall", "lost{inference_high} == 0", "lost{inference_high} == 0"),
        ("kill", "e2e{stall}.p99 < 50ms", "e2e{stall}.p99 < 50ms"),
    ],
)
def test_an_objective_belongs_to_the_fault_in_its_braces_and_else_to_every_run(
    name: str, written: str, as_run: str | None
) -> None:
    expected = [] if as_run is None else [(written, as_run)]
    assert chaos.objectives_of(name, [written]) == expected
    for _, expression in expected:
        parse_objective(expression)


@pytest.mark.parametrize("kind", [FaultKind.START, FaultKind.NETWORK])
def test_an_objective_on_a_kind_that_is_never_made_is_refused(kind: FaultKind) -> None:
    with pytest.raises(UsageError, match=f"there is no fault '{kind}' here: there are kill"):
        chaos.objectives_of("stall", [f"lost{{{kind}}} == 0"])


def test_what_is_no_objective_is_refused() -> None:
    with pytest.raises(UsageError, match="is not an objective"):
        chaos.objectives_of("stall", ["lost{stall}"])
