"""What runs with a fault each say: which count as measured, what comes next, the exit code."""

from typing import Any

import msgspec
import pytest

from bench.analysis import chaos
from bench.errors import ExitCode
from bench.measure.ledger import Counts
from bench.records.chaos_record import LeftOut
from bench.records.run_record import NOT_REMOVED, RecordWarning, SloResult
from tests.records.chaos_fixtures import LEVEL, SLO, case, lossy, outcome, record, row, run_of

NO_PROGRAM = LeftOut(name="failover", reason="no program")


def test_every_fault_is_made_once_before_any_is_made_again() -> None:
    made, order = record(runs=[], repeat=2), []
    while (step := chaos.next_run(made)) is not None:
        order.append((step[0].name, step[1]))
        run = row(step[0].name, number=step[1])
        made = msgspec.structs.replace(made, runs=[*made.runs, run])
    names = ["kill", "restart", "failover", "stall"]
    assert order == [(name, number) for number in (1, 2) for name in names]
    assert chaos.runs_left(made) == 0


def test_no_run_is_made_with_a_fault_that_was_left_out() -> None:
    made = record(runs=[], left_out=(NO_PROGRAM,), repeat=3)
    assert chaos.runs_left(made) == 9
    made = msgspec.structs.replace(made, runs=[row("kill"), row("restart")])
    step = chaos.next_run(made)
    assert step is not None
    assert step[0].name == "stall"


def test_a_worker_that_is_killed_and_started_again_is_one_fault() -> None:
    """Counts are added, the longer gap counts, and a figure is back after the later of the two."""
    killed = outcome("kill", lost=1, run_again=2, recovered_s={"a": 1.0, "b": 0.0, "c": 0.5})
    started = outcome(
        "kill",
        began_s=8.0,
        run_again=1,
        completion_gap_s=None,
        completion_gap_at_least_s=3.0,
        recovered_s={"a": 0.0, "b": 0.25, "c": None},
        without_level=("c",),
    )
    both = chaos.merged([killed, started])
    assert both is not None
    assert (both.lost, both.run_again) == (1, 3)
    assert (both.completion_gap_s, both.completion_gap_at_least_s) == (None, 3.0)
    assert both.recovered_s == {"a": 1.0, "b": 2.25, "c": 0.5}


def test_a_figure_that_the_second_fault_disturbed_for_good_is_not_back() -> None:
    started = outcome("kill", began_s=8.0, recovered_s={"backlog": None})
    both = chaos.merged([outcome("kill"), started])
    assert both is not None
    assert both.recovered_s["backlog"] is None


def test_a_loss_that_the_fault_explains_is_an_answer() -> None:
    assert row("restart", outcome("restart", lost=12, unknown=3, refused=4)).problem == ""


@pytest.mark.parametrize("field", ["lost", "duplicated", "refused", "unknown"])
def test_a_loss_that_the_fault_does_not_explain_is_none(field: str) -> None:
    counts = Counts(due=9, enqueued=9, completed=8, **{field: 3})
    run = row("restart", outcome("restart", **{field: 2}), counts=counts, queues={"q": counts})
    assert run.problem.startswith("1 task ")
    assert "the fault does not explain" in run.problem


@pytest.mark.parametrize("verdict", ["unstable", "generator_limited", "incomplete", "aborted"])
def test_a_run_that_may_not_be_quoted_says_why(verdict: str) -> None:
    why = RecordWarning("drain_timed_out", "12 tasks are leased, the last until 17:04:31 UTC")
    assert row("kill", verdict=verdict, warnings=[why]).problem == why.message
    assert row("kill", verdict=verdict).problem == verdict.replace("_", " ")


def test_a_loss_hides_no_generator_that_was_late() -> None:
    late = RecordWarning("schedule_lag", "p99 of schedule_lag is 90 ms")
    assert row("restart", outcome("restart", lost=1), warnings=[late]).problem == late.message


def test_a_latency_is_met_where_it_held_again_and_missed_where_it_never_did() -> None:
    """Over the whole run it would be missed with every stall."""
    whole_run = [SloResult(each, 2.0, False) for each in case("stall").run_slo]
    run = row("stall", slo=whole_run)
    found = {each.expression: each for each in run.slo}
    assert (found[LEVEL].value, found[LEVEL].passed, found[LEVEL].is_level) == (0.9, True, True)
    assert not found[SLO[1]].passed
    for changes in (
        {"recovered_s": {LEVEL: None}},
        {"recovered_s": {LEVEL: 0.0}, "without_level": (LEVEL,)},
    ):
        missed = row("stall", outcome("stall", **changes), slo=whole_run)
        assert [each.passed for each in missed.slo if each.expression == LEVEL] == [False]


def _with(**changes: Any) -> Any:
    return lambda: record(**changes)


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (record, ExitCode.PASSED),
        (_with(slo=(), runs=[row("restart", outcome("restart", lost=9))]), ExitCode.PASSED),
        (lossy, ExitCode.SLO_MISSED),
        (_with(runs=[row("kill", verdict="unstable")]), ExitCode.INVALID),
        (_with(left_out=(NO_PROGRAM,), slo=()), ExitCode.PASSED),
        (
            _with(left_out=(msgspec.structs.replace(NO_PROGRAM, is_asked=True),)),
            ExitCode.INVALID,
        ),
        (_with(runs=[], left_out=(NO_PROGRAM,)), ExitCode.INCONCLUSIVE),
        (_with(ended="interrupted"), ExitCode.INTERRUPTED),
        (
            _with(slo=(), runs=[row("kill", warnings=[RecordWarning(NOT_REMOVED, "3 keys")])]),
            ExitCode.UNREACHABLE,
        ),
    ],
)
def test_the_exit_code(made: Any, code: ExitCode) -> None:
    assert chaos.exit_code(made()) is code


def test_an_objective_of_a_fault_that_was_never_measured_is_missed() -> None:
    made = record(runs=[row("kill")], slo=("lost{restart} == 0",))
    assert chaos.missed(made) == ["lost{restart} == 0"]
    assert chaos.exit_code(made) is ExitCode.SLO_MISSED


def test_the_figures_of_a_fault_are_those_of_its_measured_runs() -> None:
    runs = [row("kill", outcome("kill", lost=lost), number=lost) for lost in range(1, 7)]
    runs.append(row("kill", outcome("kill", lost=99), number=7, verdict="incomplete"))
    lost = next(each for each in record(runs=runs).spreads if each.figure == "lost")
    assert lost.values == [1, 2, 3, 4, 5, 6]
    assert (lost.median, lost.low, lost.high) == (4, 1, 6)


def test_tasks_that_are_left_are_counted() -> None:
    counts = Counts(due=9, enqueued=9, completed=4, active=3, pending=2)
    assert chaos.run_row(case("kill"), 1, run_of("kill", counts=counts), 1.0, "f").left == 5
