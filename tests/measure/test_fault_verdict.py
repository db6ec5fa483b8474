"""What the verdict says of a run with faults: what they explain, and what stays as grave."""

from typing import Any

import msgspec
import pytest

from bench.measure import verdict
from bench.measure.faults import FaultOutcome, InjectedFault
from bench.measure.leases import Leases
from bench.measure.ledger import Counts
from bench.measure.verdict_inputs import FaultInputs, Lateness, Verdict, VerdictInputs
from bench.workload.faults import Fault, FaultKind

RESTART = Fault(kind=FaultKind.RESTART, at_s=30, text="30s restart server")
FAILOVER = Fault(kind=FaultKind.FAILOVER, at_s=30, text="30s failover")
KILL = Fault(kind=FaultKind.KILL, at_s=2, of_worker=True, worker=1, text="2s kill worker 1")


def injected(fault: Fault, **changes: Any) -> InjectedFault:
    at_us = round(fault.at_s * 1e6)
    return InjectedFault(fault, **{"began_us": at_us, "ended_us": at_us + 1000, **changes})


def outcome(**counts: Any) -> FaultOutcome:
    return FaultOutcome(kind="restart", fault="30s restart server", planned_s=30, **counts)


def inputs(faults: FaultInputs, counts: Counts | None = None, **changes: Any) -> VerdictInputs:
    fields: dict[str, Any] = {
        "is_closed_loop": False,
        "expects_completions": True,
        "watches_backlog": True,
        "asked_per_s": 100.0,
        "backlog": (),
        "interruptions": (),
        "negative_latencies": 0,
        "overflowed_latencies": 0,
        "missing_tasks": 0,
        "first_error": "",
        "reconnects": 0,
        "is_steady": True,
        "most_warmup_s": 1.0,
        **changes,
    }
    whole = counts or Counts(due=1000, enqueued=1000, completed=1000)
    return VerdictInputs(counts=whole, faults=faults, **fields)


def judged(*arguments: Any, **changes: Any) -> tuple[Verdict, dict[str, list[str]]]:
    found, reasons = verdict.judge(inputs(*arguments, **changes))
    by_code: dict[str, list[str]] = {}
    for reason in reasons:
        by_code.setdefault(reason.code, []).append(reason.message)
    return found, by_code


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        (1, "1 task was sent, got no reply and appeared nowhere, with '30s restart server'"),
        (2, "2 tasks were sent, got no reply and appeared nowhere, with '30s restart server'"),
    ],
)
def test_a_warning_about_one_task_is_in_the_singular(tasks: int, said: str) -> None:
    counts = Counts(due=1000, enqueued=1000 - tasks, completed=1000 - tasks, unknown=tasks)
    _, reasons = judged(FaultInputs([injected(RESTART)], [outcome(unknown=tasks)]), counts)
    assert reasons["unknown"] == [said]


def test_faults_that_cost_nothing_leave_a_run_valid() -> None:
    found, reasons = judged(FaultInputs([injected(RESTART)], [outcome()]))
    assert (found, reasons) == (Verdict.VALID, {})


@pytest.mark.parametrize("name", ["lost", "duplicated", "refused", "unknown"])
def test_what_a_fault_explains_is_told_under_it_and_the_rest_as_ever(name: str) -> None:
    enqueued = 1000 - (3 if name in ("refused", "unknown") else 0)
    lost = 3 if name == "lost" else 0
    counts = Counts(due=1000, enqueued=enqueued, completed=enqueued - lost, **{name: 3})
    plan = [injected(RESTART)]
    alone = judged(FaultInputs(), msgspec.structs.replace(counts, **{name: 1}))[1][name]
    partly = judged(FaultInputs(plan, [outcome(**{name: 2})]), counts)
    wholly = judged(FaultInputs(plan, [outcome(**{name: 3})]), counts)
    assert partly[0] == wholly[0] == Verdict.LOSSY
    explained, rest = partly[1][name]
    assert explained.startswith("2 tasks ")
    assert explained.endswith("with '30s restart server'")
    assert [rest] == alone
    assert len(wholly[1][name]) == 1


def test_a_fault_that_did_not_happen_makes_a_run_incomplete() -> None:
    failed = injected(RESTART, began_us=None, ended_us=None, problem="there is no server")
    found, reasons = judged(FaultInputs([failed]))
    assert found == Verdict.INCOMPLETE
    assert reasons["fault_failed"] == [
        "'30s restart server' did not happen as planned: there is no server; change the plan, and "
        "repeat the run"
    ]


LEFT = Counts(due=1000, enqueued=1000, completed=995, active=5)
DRAIN = {"drain_waited_for": "the queues' lists to be empty"}


@pytest.mark.parametrize(
    ("faults", "counts", "changes", "expected"),
    [
        ([KILL], LEFT, {}, (Verdict.LOSSY, "stranded")),
        ([KILL], LEFT, DRAIN, (Verdict.LOSSY, "stranded")),
        ([FAILOVER], LEFT, {}, (Verdict.LOSSY, "stranded")),
        # Somebody still worked on them, or will.
        ([KILL], LEFT, {**DRAIN, "drain_takes_s": 3.0}, (Verdict.INCOMPLETE, "drain_timed_out")),
        (
            [KILL],
            LEFT,
            {**DRAIN, "leases": Leases(5, 1.8e9), "needed_drain_s": 99.0},
            (Verdict.INCOMPLETE, "drain_timed_out"),
        ),
        # No fault explains it.
        ([], LEFT, DRAIN, (Verdict.INCOMPLETE, "drain_timed_out")),
        ([RESTART], LEFT, DRAIN, (Verdict.INCOMPLETE, "drain_timed_out")),
        (
            [KILL],
            Counts(due=1000, enqueued=1000, completed=995, active=4, pending=1),
            DRAIN,
            (Verdict.INCOMPLETE, "drain_timed_out"),
        ),
    ],
)
def test_tasks_of_a_killed_worker_are_stranded_and_others_are_unfinished(
    faults: list[Fault], counts: Counts, changes: dict[str, Any], expected: tuple[Verdict, str]
) -> None:
    found, reasons = judged(FaultInputs([injected(each) for each in faults]), counts, **changes)
    assert found == expected[0]
    assert expected[1] in reasons


GROWING = [0.0, 0, 0, *(50.0 * each for each in range(1, 11))]


@pytest.mark.parametrize(
    ("faults", "before", "expected"),
    [
        ([KILL], GROWING[:3], Verdict.VALID),
        ([KILL], [0.0, 50.0, 100.0], Verdict.UNSTABLE),  # it grew before as well
        ([KILL], [0.0], Verdict.UNSTABLE),  # what was before is not known
        ([], (), Verdict.UNSTABLE),
    ],
)
def test_a_backlog_that_grows_with_a_fault_is_a_note_where_it_did_not_before(
    faults: list[Fault], before: list[float], expected: Verdict
) -> None:
    plan = FaultInputs([injected(each) for each in faults], backlog_before=before)
    found, reasons = judged(plan, backlog=GROWING)
    assert found == expected
    assert ("'2s kill worker 1'" in reasons["backlog_grows"][0]) is (expected == Verdict.VALID)


def test_a_generator_that_a_fault_held_back_is_a_note() -> None:
    late = Lateness(p99_s=0.0001, share=0.0, longest_s=0.001, held_s=0.8)
    found, reasons = judged(FaultInputs([injected(RESTART)]), lateness=late)
    assert found == Verdict.VALID
    assert "'30s restart server'" in reasons["held_back"][0]


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (1, "1 task was acknowledged and disappeared with '30s restart server'"),
        (2, "2 tasks were acknowledged and disappeared with '30s restart server'"),
    ],
)
def test_a_single_task_is_told_in_the_singular(count: int, message: str) -> None:
    counts = Counts(due=1000, enqueued=1000, completed=1000 - count, lost=count)
    found = judged(FaultInputs([injected(RESTART)], [outcome(lost=count)]), counts)
    assert found[1]["lost"] == [message]


def test_tasks_without_a_reply_in_an_outage_do_not_say_that_the_generator_was_slow() -> None:
    counts = Counts(due=1000, enqueued=900, completed=900, unknown=100)
    assert "enqueued_too_few" not in judged(FaultInputs([injected(RESTART)]), counts)[1]
    assert "enqueued_too_few" in judged(FaultInputs(), counts)[1]


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ([RESTART], "'30s restart server' may have done that"),
        ([KILL], "check the network"),
        ([], "check the network"),
    ],
)
def test_a_lost_connection_is_put_down_to_faults_of_the_server_alone(
    faults: list[Fault], expected: str
) -> None:
    plan = FaultInputs([injected(each) for each in faults])
    assert expected in judged(plan, reconnects=1)[1]["reconnected"][0]


@pytest.mark.parametrize(
    ("faults", "cure"),
    [
        ([RESTART], "'30s restart server' may have done that"),
        ([KILL], "check the server's log"),
        ([], "check the server's log"),
    ],
)
def test_difficulties_of_workers_are_put_down_to_faults_of_the_server_alone(
    faults: list[Fault], cure: str
) -> None:
    plan = FaultInputs([injected(each) for each in faults])
    (message,) = judged(plan, difficulties=["connections lost and replaced: 4"])[1]["difficulties"]
    assert message.endswith(f"which latencies include: {cure}")


@pytest.mark.parametrize(
    ("changes", "cure"),
    [
        ({}, "; change the plan, and repeat the run"),
        ({"interruptions": ["the run was interrupted before its end"]}, "; repeat the run"),
    ],
)
@pytest.mark.parametrize("problem", ["the proxy ended", "the proxy ended; repeat the run"])
def test_a_plan_is_not_to_be_changed_because_its_run_was_interrupted(
    changes: dict[str, Any], cure: str, problem: str
) -> None:
    late = InjectedFault(RESTART, None, problem=problem)
    (message,) = judged(FaultInputs([late]), **changes)[1]["fault_failed"]
    assert message.endswith(f"the proxy ended{cure}")
