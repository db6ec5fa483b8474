"""Whether a run may be quoted: one table row a rule."""

import itertools
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure import verdict
from bench.measure.leases import Leases
from bench.measure.ledger import Counts
from bench.measure.priorities import Inversion
from bench.measure.verdict import backlog_growth, judge
from bench.measure.verdict_inputs import GivenUp, Lateness, ServerChange, Verdict, VerdictInputs
from bench.workload.guards import Aborted

ORDER = list(Verdict)
GOOD = VerdictInputs(
    counts=Counts(due=1000, enqueued=1000, completed=1000),
    is_closed_loop=False,
    expects_completions=True,
    watches_backlog=True,
    lateness=Lateness(p99_s=0.001),
    asked_per_s=100.0,
    backlog=[5, 6, 5, 4, 5, 6, 5, 4],
    interruptions=[],
    negative_latencies=0,
    overflowed_latencies=0,
    missing_tasks=0,
    first_error="",
    reconnects=0,
    is_steady=True,
    most_warmup_s=5.0,
)
INVERSION = Inversion("p50", "queue_wait", "high", 0.534, "low", 0.211, 0.3)
GROWING = [100.0 * second for second in range(10)]

RULES: list[tuple[dict[str, Any], Verdict, str, str]] = [
    (
        {"interruptions": ["a worker process ended with signal 9"]},
        Verdict.INCOMPLETE,
        "incomplete",
        "a worker process ended with signal 9",
    ),
    (
        {
            "drain_waited_for": "the queues' lists to be empty",
            "counts": Counts(due=1000, enqueued=1000, completed=990, pending=7, active=3),
        },
        Verdict.INCOMPLETE,
        "drain_timed_out",
        "the drain timed out with 10 pending or active tasks left: offer less load",
    ),
    (
        {
            "drain_waited_for": "the queues' lists to be empty",
            "counts": Counts(due=1000, enqueued=1000, completed=988, active=12),
            "leases": Leases(12, 1_800_000_271.0),
            "drain_timeout_s": 30.0,
            "needed_drain_s": 241.2,
        },
        Verdict.INCOMPLETE,
        "drain_timed_out",
        "when the drain timed out, 12 tasks are leased, the last of them until 08:04:31 UTC; where "
        "a worker is gone, another one takes its tasks over within a few minutes after their "
        "lease: to wait for that, set --drain-timeout to 242s or more",
    ),
    (
        {"drain_waited_for": "workers that reported 3 tasks in flight or waiting for a retry"},
        Verdict.INCOMPLETE,
        "drain_timed_out",
        "the drain timed out waiting for workers that reported 3 tasks in flight or waiting for a "
        "retry, although every task has ended by now: check the server and the workers",
    ),
    (
        {"counts": Counts(due=1000, enqueued=1000, pending=1000)},
        Verdict.INCOMPLETE,
        "no_completions",
        "no task was finished, and no worker seems to serve these queues: check that a worker runs",
    ),
    (
        {
            "counts": Counts(due=1000, enqueued=1000, active=1000),
            "seen_by": "state",
            "unfinished": {"working": 1000},
        },
        Verdict.INCOMPLETE,
        "no_completions",
        "workers took 1,000 tasks from the queues, but no task's state shows that it was finished "
        "(states in the task hashes: working 1,000): if the worker does finish tasks, use "
        "--seen-by result",
    ),
    (
        {"counts": Counts(due=1000, enqueued=1000, active=1000), "awaits_reports": True},
        Verdict.INCOMPLETE,
        "no_completions",
        "if another program serves the queues, use --worker external",
    ),
    (
        {"counts": Counts(), "expects_completions": False},
        Verdict.INCOMPLETE,
        "nothing_enqueued",
        "no task was enqueued: check the other warnings, the rate and the duration",
    ),
    (
        {"counts": Counts(due=1000, enqueued=1000, completed=998, lost=2)},
        Verdict.LOSSY,
        "lost",
        "2 enqueued tasks disappeared (neither finished, pending nor active): look for",
    ),
    (
        {
            "counts": Counts(due=1000, enqueued=1000, completed=998, lost=2),
            "missing_tasks": 1500,
        },
        Verdict.LOSSY,
        "lost",
        "pending nor active; workers popped 1,500 ids without a task behind them): look for",
    ),
    (
        {"counts": Counts(due=1000, enqueued=1000, completed=1000, duplicated=3)},
        Verdict.LOSSY,
        "duplicated",
        "workers finished tasks again after their first completion, 3 times in total: check",
    ),
    (
        {"counts": Counts(due=1000, enqueued=999, completed=999, unknown=1)},
        Verdict.LOSSY,
        "unknown",
        "1 sent task received no reply, because the connection was lost",
    ),
    (
        {"counts": Counts(due=1000, enqueued=989, completed=989, not_sent=11)},
        Verdict.GENERATOR_LIMITED,
        "enqueued_too_few",
        "only 98.9% of the due tasks were enqueued: lower the rate",
    ),
    (
        {
            "counts": Counts(due=1000, enqueued=500, completed=500, not_sent=500, refused=500),
            "first_error": "OOM command not allowed",
        },
        Verdict.LOSSY,
        "refused",
        "the server refused 500 tasks, because the server replied 'OOM command not allowed': "
        "resolve that error",
    ),
    (
        {
            "counts": Counts(due=1000, enqueued=995, completed=995, not_sent=5),
            "lateness": Lateness(
                reached_per_s=40.0, given_up=GivenUp(tasks=5, behind_s=2.5, overrun_s=2.0)
            ),
        },
        Verdict.GENERATOR_LIMITED,
        "not_sent",
        "5 due tasks were never sent, because the generator or the server could not keep up "
        "(40.0/s of 100/s): 2.00 s after the planned end it was 2.50 s behind its schedule, and "
        "gave up: lower the rate, add --producers, or raise --overrun",
    ),
    (
        {"lateness": Lateness(p99_s=0.0101, reached_per_s=50.0)},
        Verdict.GENERATOR_LIMITED,
        "schedule_lag",
        "p99 of schedule_lag is 10.1 ms, over the limit of 10.0 ms, because the generator or the "
        "server's socket did not keep up (50.0/s of 100/s): lower the rate",
    ),
    (
        {
            "drain_waited_for": "the queues' lists to be empty",
            "drain_timeout_s": 30.0,
            "drain_takes_s": 15.0,
            "counts": Counts(due=1000, enqueued=1000, completed=990, pending=10),
        },
        Verdict.INCOMPLETE,
        "drain_timed_out",
        "the drain timed out with 10 pending or active tasks left, which would have taken about "
        "45.0 s in all at the rate of its end: offer less load",
    ),
    (
        {"lateness": Lateness(p99_s=0.0101)},
        Verdict.GENERATOR_LIMITED,
        "schedule_lag",
        "p99 of schedule_lag is 10.1 ms, over the limit of 10.0 ms, because the generator",
    ),
    (
        {"backlog": GROWING},
        Verdict.UNSTABLE,
        "backlog_grows",
        "the backlog grew by 100/s throughout the window because workers did not keep up",
    ),
    (
        {"backlog": [0.0], "waiting": [5.0 + 12 * tenth for tenth in range(9)]},
        Verdict.UNSTABLE,
        "backlog_grows",
        "the backlog grew by 120/s throughout the window",
    ),
    (
        {"backlog": GROWING[:4], "asked_per_s": 500.0},
        Verdict.UNSTABLE,
        "backlog_grows",
        "the backlog grew by 100/s throughout the window",
    ),
    (
        {"server": ServerChange(lost_data="was flushed")},
        Verdict.INCOMPLETE,
        "server_lost_data",
        "the server was flushed during the run, so the state of its tasks is unknown: repeat",
    ),
    (
        {"are_outcomes_known": False, "counts": Counts(due=1000, enqueued=1000, lost=1000)},
        Verdict.INCOMPLETE,
        "fate_unknown",
        "the ledger's counts of completed and lost tasks are unreliable: check that the server",
    ),
    (
        {"seen_by": "result", "ends_seen": 0},
        Verdict.INCOMPLETE,
        "no_end_seen",
        "no traced task's result showed its end after the warm-up, so there is no end-to-end "
        "latency: use --seen-by state",
    ),
    (
        {"ends_seen": 0},
        Verdict.INCOMPLETE,
        "no_end_seen",
        "no task that was due after the warm-up has ended, so there is no end-to-end latency: run",
    ),
    (
        {"negative_latencies": 4},
        Verdict.VALID,
        "negative_latencies",
        "4 measured latencies fell below zero, because two clocks disagree",
    ),
    (
        {"overflowed_latencies": 5},
        Verdict.VALID,
        "overflow",
        "5 latencies exceeded one hour, the histogram's range",
    ),
    (
        {"first_error": "ERR x"},
        Verdict.VALID,
        "server_errors",
        "the server replied with errors, the first being 'ERR x': check the server's configuration",
    ),
    (
        {"reconnects": 2},
        Verdict.VALID,
        "reconnected",
        "producers lost their connection 2 times: check the network",
    ),
    (
        {"is_steady": False},
        Verdict.VALID,
        "not_steady",
        "no steady state was reached within the first 5.00 s, so the warm-up may be longer",
    ),
    (
        {"inversions": [INVERSION]},
        Verdict.VALID,
        "priority_inversion",
        "high waited longer than low (queue_wait p50 534 ms against 211 ms), although the scenario "
        "lists the highest priority first: check the order in which the worker serves its queues",
    ),
    (
        {"inversions": [INVERSION], "is_drain": True},
        Verdict.VALID,
        "priority_inversion",
        "low was served before high (queue_wait p50 211 ms against 534 ms), although the scenario ",
    ),
    (
        {
            "inversions": [
                msgspec.structs.replace(INVERSION, lower=f"low{number}") for number in range(5)
            ]
        },
        Verdict.VALID,
        "priority_inversion",
        "low2 (queue_wait p50 534 ms against 211 ms); 2 more pairs are inverted, although",
    ),
]


@pytest.mark.parametrize(("changes", "expected", "code", "message"), RULES)
def test_each_rule_alone_gives_its_verdict_and_one_warning_with_its_reason(
    changes: dict[str, Any], expected: Verdict, code: str, message: str
) -> None:
    found, findings = judge(replace(GOOD, **changes))
    assert found == expected
    assert [each.code for each in findings] == [code]
    assert message in findings[0].message


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"counts": Counts(due=1000, enqueued=990, completed=990, not_sent=10)},
        {"counts": Counts(due=1000, enqueued=1000, completed=998, failed=2, retried=9)},
        {"counts": Counts(due=1000, enqueued=1000, failed=1000)},
        {"counts": Counts(due=1000, enqueued=1000, pending=1000), "expects_completions": False},
        {"lateness": Lateness(p99_s=verdict.LAG_LIMIT_S)},
        {"lateness": Lateness(p99_s=None)},
        {"backlog": GROWING, "watches_backlog": False},
        {"backlog": GROWING, "asked_per_s": None},
        {"backlog": GROWING[:1]},
        {"backlog": [0.0, 90.0, 10.0, 25.0]},  # less than a tenth of the rate a second
        {"backlog": []},
        {"backlog": [5.0], "waiting": [0.0, 2.0, 4.0, 6.0, 8.0, 9.0]},  # a handful of tasks
        {
            "backlog": [5.0],
            "waiting": [0.0, 90.0, 60.0, 50.0, 30.0, 20.0, 10.0],
        },  # worked off again
        {"backlog": [5.0], "waiting": [10.0 + each for each in range(20)]},  # slowly
        {"backlog": GROWING[::-1]},
        {"backlog": [1.0 * second for second in range(10)]},  # a hundredth of the rate
        {"inversions": [], "is_drain": True},
    ],
)
def test_a_run_that_no_rule_objects_to_is_valid(changes: dict[str, Any]) -> None:
    assert judge(replace(GOOD, **changes)) == (Verdict.VALID, [])


def test_a_drain_that_waited_for_a_lost_task_says_so() -> None:
    counts = Counts(due=1000, enqueued=1000, completed=999, lost=1)
    lost = replace(GOOD, drain_waited_for="an answer", counts=counts, unfinished={"pending": 1})
    messages = {each.code: each.message for each in judge(lost)[1]}
    assert list(messages) == ["drain_timed_out", "lost"]
    assert (
        "waiting for 1 task that no list holds (states in the task hashes: pending 1)"
        in messages["drain_timed_out"]
    )


def test_verdicts_stand_from_good_to_worst() -> None:
    assert [str(each) for each in ORDER] == [
        "valid",
        "unstable",
        "generator_limited",
        "lossy",
        "incomplete",
        "aborted",
    ]


COMPATIBLE: list[dict[str, Any]] = [
    {"aborted": Aborted(guard="backlog > 5", value=6.0, at_s=1.0, reason="the guard held")},
    {"interruptions": ["cut short"]},
    {"counts": Counts(due=1000, enqueued=1000, completed=999, lost=1)},
    {"lateness": Lateness(p99_s=1.0)},
    {"backlog": GROWING},
    {"reconnects": 1},
]
VERDICTS = ORDER[::-1]


@pytest.mark.parametrize(
    "chosen",
    [each for size in range(7) for each in itertools.combinations(range(6), size)],
    ids=str,
)
def test_the_worst_verdict_wins_and_every_warning_is_there_gravest_first(
    chosen: tuple[int, ...],
) -> None:
    changes: dict[str, Any] = {}
    for each in chosen:
        changes |= COMPATIBLE[each]
    found, findings = judge(replace(GOOD, **changes))
    assert found == (VERDICTS[chosen[0]] if chosen else Verdict.VALID)
    assert [each.verdict or Verdict.VALID for each in findings] == [
        VERDICTS[each] for each in chosen
    ]


@pytest.mark.parametrize(
    ("backlog", "growth"),
    [
        ([0, 1, 2, 3], None),
        ([0, 0, 0, 0, 0], 0.0),
        ([0, 10, 20, 30, 40], 10.0),
        ([40, 30, 20, 10, 0], -10.0),
        ([5, 5, 5, 900, 700, 500, 300, 100, 5, 5, 5, 5, 5, 5], 0.0),  # a burst, worked off
        ([0, 0, 0, 0, 0, 0, 0, 0, 0, 900], 0.0),  # a burst at the very end
        ([900, 0, 0, 0, 0, 0, 0, 0, 0, 0], 0.0),
        ([0, 10, 20, 900, 40, 50, 60, 70, 80, 90], 10.0),
    ],
)
def test_growth_is_the_slope_that_a_burst_does_not_move(
    backlog: list[float], growth: float | None
) -> None:
    assert backlog_growth(backlog) == growth


@given(
    slope=st.integers(-100, 100),
    start=st.integers(0, 10_000),
    length=st.integers(15, 40),
    at=st.integers(0, 39),
    height=st.integers(-(10**6), 10**6),
)
def test_one_row_that_is_off_does_not_change_the_growth(
    slope: int, start: int, length: int, at: int, height: int
) -> None:
    backlog = [float(start + slope * second) for second in range(length)]
    backlog[at % length] += height
    assert backlog_growth(backlog) == slope


def test_growth_is_the_same_however_long_one_looks() -> None:
    """A day has three billion pairs of seconds: they are thinned, and the slope stays."""
    assert backlog_growth([3.0 * second for second in range(86_400)]) == pytest.approx(3.0)


def test_what_was_given_up_is_told_once() -> None:
    """Not again as a share of the due tasks."""
    counts = Counts(due=1000, enqueued=500, completed=500, not_sent=500)
    late = Lateness(given_up=GivenUp(tasks=500, overrun_s=10.0))
    found = judge(replace(GOOD, counts=counts, lateness=late))
    assert [reason.code for reason in found[1]] == ["not_sent"]
    assert found[0] is Verdict.GENERATOR_LIMITED
