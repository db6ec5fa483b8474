"""Which faults are under way, and which one comes next."""

import pytest

from bench.reports.run_notes import faults_now
from bench.workload.faults import Fault, FaultKind
from bench.workload.faults_at import faults_at

STALL = Fault(kind=FaultKind.STALL, at_s=4.0, lasts_s=3.0, text="4s stall server 3s")
KILL = Fault(kind=FaultKind.KILL, at_s=6.0, text="6s kill worker 1")
RESTART = Fault(kind=FaultKind.RESTART, at_s=12.0, text="12s restart server")
PLAN = (STALL, KILL, RESTART)


@pytest.mark.parametrize(
    ("elapsed_s", "under_way", "following"),
    [
        (0.0, [], STALL),
        (4.0, [STALL], KILL),
        (6.5, [STALL, KILL], RESTART),
        (7.0, [], RESTART),
        (12.9, [RESTART], None),
        (13.0, [], None),
    ],
)
def test_a_plan_has_a_state_at_each_moment(
    elapsed_s: float, under_way: list[Fault], following: Fault | None
) -> None:
    found = faults_at(PLAN, elapsed_s)
    assert (list(found.under_way), found.next) == (under_way, following)


def test_the_state_as_a_sentence() -> None:
    assert faults_now(PLAN, 0.4) == "next fault in 4 s: 4s stall server 3s"
    assert faults_now(PLAN, 5.2) == (
        "4s stall server 3s: since 1.2 s; next fault in 1 s: 6s kill worker 1"
    )
    assert faults_now(PLAN, 20.0) == ""
    assert faults_now((), 1.0) == ""
