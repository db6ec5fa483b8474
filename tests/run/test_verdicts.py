"""What the record of a run says about how far it can be believed."""

from collections.abc import Sequence
from typing import Any

import pytest

from bench.measure.faults import InjectedFault
from bench.measure.recorder import Interval
from bench.measure.reports import ProducerReport
from bench.measure.unserved import Unserved
from bench.measure.window import time_line
from bench.records import run_record
from bench.run.build_record import build_record
from bench.run.figures.verdict_inputs import are_explained
from bench.workload.faults import Fault, FaultKind
from tests.run.values import (
    EXTERNAL,
    START_US,
    bits,
    codes,
    collected,
    counting,
    measured,
    observer,
    packed,
    producer,
    sample,
    scenario,
    usage,
    worker,
)

# The verdict.


def slow(count: int = 100) -> ProducerReport:
    times = {Interval.SCHEDULE_LAG: 30_000, Interval.ENQUEUE: 200}
    return producer(measured=measured(times, tasks=count))


def stalled(longest_us: int) -> ProducerReport:
    """One task of five hundred was sent late."""
    lags_us = [50] * 499 + [longest_us]
    times: dict[Interval, int | Sequence[int]] = {
        Interval.SCHEDULE_LAG: lags_us,
        Interval.ENQUEUE: 200,
    }
    return producer(measured=measured(times, tasks=500, every_us=2_000))


def gave_up() -> ProducerReport:
    """The last five tasks of 105 were given up."""
    return producer(due=105, given_up=5, behind_us=2_500_000)


def one_refused() -> ProducerReport:
    """One task of a hundred was refused."""
    return producer(
        acknowledged=packed(range(99)), refused_set=packed([99]), enqueued=99, refused=1
    )


RESET = usage(commands=900, calls={"hset": 300, "config|resetstat": 1})


@pytest.mark.parametrize(
    ("fields", "changes", "verdict", "code"),
    [
        ({}, {"interruptions": ["cut short"]}, "incomplete", "incomplete"),
        ({}, {"usage_after": usage(run_id="b")}, "incomplete", "server_lost_data"),
        ({}, {"usage_after": usage(run_id="b")}, "incomplete", "costs_unknown"),
        ({}, {"has_marker": False}, "incomplete", "server_lost_data"),
        (
            {},
            {"usage_after": usage(flushes=1), "has_marker": None},
            "incomplete",
            "server_lost_data",
        ),
        ({}, {"usage_after": RESET, "has_marker": None}, "incomplete", "server_lost_data"),
        ({}, {"usage_after": RESET}, "valid", "costs_unknown"),
        ({}, {"usage_after": usage(cpu_s=None)}, "valid", "costs_unknown"),
        (
            EXTERNAL,
            {"usage_after": usage(evicted=3), "workers": [observer()]},
            "incomplete",
            "server_lost_data",
        ),
        ({}, {"others": 4}, "valid", "other_tasks"),
        ({}, {"workers": [worker(foreign=2)]}, "valid", "other_tasks"),
        ({}, {"workers": [worker(refusals={"BUSY": 3})]}, "valid", "difficulties"),
        ({}, {"workers": [worker(unserved={Unserved.UNREADABLE: 3})]}, "valid", "not_served"),
        (
            {},
            {"producers": [one_refused()], "workers": [worker({0: range(99)})]},
            "lossy",
            "refused",
        ),
        (
            {},
            {"workers": [worker({})], "producers": [producer(measured=measured({}))]},
            "incomplete",
            "nothing_measured",
        ),
        ({}, {"producers": [gave_up()]}, "generator_limited", "not_sent"),
        ({}, {"producers": [stalled(400_000)]}, "generator_limited", "generator_stalled"),
        ({}, {"producers": [stalled(40_000)]}, "valid", "generator_stalled"),
        (
            {},
            {"workers": [worker(measured=measured({Interval.E2E: -500}))]},
            "incomplete",
            "clocks_disagree",
        ),
        ({}, {"clock_error_us": 1500.0}, "incomplete", "clocks_disagree"),
        ({}, {"clock_error_us": 200.0}, "valid", "clock_error"),
        ({}, {"clock_error_us": 600.0, "clocks_apart_us": 550.0}, "incomplete", "clocks_disagree"),
        ({}, {"clock_error_us": 600.0, "clocks_apart_us": 200.0}, "valid", "clock_error"),
        ({}, {"drain_waited_for": "an answer"}, "incomplete", "drain_timed_out"),
        (
            {},
            {"workers": [worker({})], "pending": {0: bits(*range(100))}},
            "incomplete",
            "no_completions",
        ),
        ({}, {"producers": [producer(0)], "workers": []}, "incomplete", "nothing_enqueued"),
        ({}, {"producers": [slow()]}, "generator_limited", "schedule_lag"),
        ({}, {"producers": [producer(reconnects=2)]}, "valid", "reconnected"),
        ({}, {"producers": [producer(first_error="OOM")]}, "valid", "server_errors"),
        (
            {},
            {
                "workers": [worker(measured=measured({Interval.E2E: [*[300] * 99, -5]}))],
                "clock_error_us": 10.0,
            },
            "valid",
            "negative_latencies",
        ),
        ({}, {"workers": [worker(measured=measured({Interval.E2E: 10**10}))]}, "valid", "overflow"),
        (
            {"duration": 6},
            {"samples": [sample(second, (100 * second,)) for second in range(7)]},
            "unstable",
            "backlog_grows",
        ),
        (
            {**EXTERNAL},
            {"workers": [observer(are_outcomes_known=False)]},
            "incomplete",
            "fate_unknown",
        ),
        ({**EXTERNAL}, counting(processed=90), "valid", "counters_disagree"),
        ({**EXTERNAL}, counting(processed=91, gone=9), "valid", "outcome_unknown"),
    ],
)
def test_what_a_run_met_with_shows_in_its_verdict(
    fields: dict[str, object], changes: dict[str, Any], verdict: str, code: str
) -> None:
    record = build_record(collected(scenario(**fields), **changes))
    assert code in codes(record)
    assert record.verdict == verdict


def test_a_producer_that_is_busy_and_in_time_does_not_limit_the_run() -> None:
    """It waits by polling: its CPU time is not its work."""
    record = build_record(collected(producers=[producer(busiest_second_cores=1.0)]))
    assert (record.verdict, codes(record)) == ("valid", [])


def test_a_backlog_before_the_window_or_of_workers_that_wait_for_it_is_no_growth() -> None:
    growing = [sample(second, (100 * second,)) for second in range(7)]
    chosen = scenario(duration=6, worker_start="after-fill")
    assert "backlog_grows" not in codes(build_record(collected(chosen, samples=growing)))
    late = [sample(second, (100 * second if second < 3 else 200,)) for second in range(7)]
    run = collected(scenario(duration=6, warmup=3), line=time_line(START_US, 3, 0), samples=late)
    assert "backlog_grows" not in codes(build_record(run))


def test_an_interrupted_run_keeps_what_it_measured_and_says_why_first() -> None:
    reason = "the run was interrupted before its end"
    run = collected(
        scenario(duration=60),
        producers=[producer(finished_us=START_US + 1_000_000)],
        interruptions=[reason, "worker 1 died"],
        drain_started_s=None,
    )
    record = build_record(run)
    assert record.verdict == "incomplete"
    assert [warning.message for warning in record.warnings][:2] == [reason, "worker 1 died"]
    assert record.window_s == 1.0
    assert record.counts.completed == 100


def test_a_server_that_is_gone_at_the_end_leaves_a_record_without_its_figures() -> None:
    record = build_record(collected(usage_after=None, samples=[]))
    assert record.resources.server_cpu_us_per_task is None
    assert record.resources.server_cpu_cores is None
    assert "server_lost_data" not in codes(record)


def test_ids_without_a_task_behind_them_are_told_with_the_lost_tasks() -> None:
    run = collected(workers=[worker({0: range(97)}, missing=2), worker({}, missing=1)])
    assert "popped 3 ids" in build_record(run).warnings[0].message


@pytest.mark.parametrize(
    ("has_remote_workers", "domain", "tells"),
    [
        (False, "monotonic", "no 'bench worker' reported"),
        (True, "server", "no worker seems"),
    ],
)
def test_workers_elsewhere_that_never_reported_are_asked_for(
    has_remote_workers: bool, domain: str, tells: str
) -> None:
    run = collected(
        scenario(workers=0, external_workers=True),
        workers=[],
        has_remote_workers=has_remote_workers,
        clock_error_us=250.0,
        pending={0: bits(*range(50))},
    )
    record = build_record(run)
    assert record.clock == run_record.ClockInfo(domain, 250e-6)
    assert any(tells in warning.message for warning in record.warnings)


# Observed runs.


@pytest.mark.parametrize(
    ("processed", "failed", "value", "at_most", "passed"),
    [
        (97, 3, [97, 3], [None, None], [True, True]),
        (91, 9, [91, 9], [None, None], [False, False]),
        (91, 3, [91, 3], [97, 9], [False, False]),
        (95, 3, [95, 3], [97, 5], [True, True]),
    ],
)
def test_objectives_over_ends_must_hold_at_both_bounds_of_what_is_known(
    processed: int,
    failed: int,
    value: list[int],
    at_most: list[int | None],
    passed: list[bool],
) -> None:
    chosen = scenario(**EXTERNAL, slo=["completed >= 95", "failed <= 5"])
    run = collected(chosen, **counting(processed, failed, gone=9))
    results = build_record(run).slo
    assert [each.value for each in results] == value
    assert [each.at_most for each in results] == at_most
    assert [each.passed for each in results] == passed


def test_counters_of_the_user_s_choice_are_read_as_he_says_or_not_at_all() -> None:
    seen = counting(100, 9, gone=9)
    for choice, completed, unknown in (("attempts", 91, 0), ("none", 91, 9), ("tasks", 91, 9)):
        counts = build_record(collected(scenario(**EXTERNAL, counters=choice), **seen)).counts
        assert (counts.completed, counts.outcome_unknown) == (completed, unknown)


def test_an_observed_run_tells_how_its_completions_were_seen() -> None:
    earliest = measured({Interval.E2E: 1000, Interval.E2E_EARLIEST: 900})
    seen = observer(traced=50, commands=1000)
    seen.measured = earliest
    record = build_record(collected(scenario(**EXTERNAL), workers=[seen]))
    assert record.verdict == "valid"
    assert record.observation is not None
    assert (record.observation.method, record.observation.traced_share) == ("polling", 0.5)
    assert record.latency["e2e_earliest"]["all"].max_s == pytest.approx(900e-6, rel=0.01)
    assert record.latency["service"]["all"].count == 0


@pytest.mark.parametrize(
    ("unfinished", "pending", "said"),
    [
        ({"active": 60}, 40, "active 60"),
        ({"pending": 40, "active": 60}, 40, "active 60"),
        ({"pending": 41, "active": 59}, 40, "pending 41, active 59"),
        ({}, 40, None),
    ],
)
def test_states_of_tasks_on_no_list_are_told_where_none_was_seen_to_end(
    unfinished: dict[str, int], pending: int, said: str | None
) -> None:
    seen = observer(unfinished=unfinished)
    seen.completed, seen.completed_sets = 0, {}
    run = collected(scenario(**EXTERNAL), workers=[seen], pending={0: bits(*range(pending))})
    (message,) = [
        warning.message
        for warning in build_record(run).warnings
        if warning.code == "no_completions"
    ]
    assert ("states in the task hashes" in message) == (said is not None)
    assert said is None or f"hashes: {said})" in message
    assert "use --seen-by result" in message


@pytest.mark.parametrize(
    "changes",
    [
        {"usage_after": usage(flushes=1)},
        {"usage_after": usage(evicted=3)},
        {"usage_after": usage(evicted=3), "has_marker": False},
    ],
)
def test_what_befalls_the_keys_of_others_leaves_a_run_valid(changes: dict[str, Any]) -> None:
    """A flush of another database, evicted keys that were none of the run's tasks."""
    assert build_record(collected(**changes)).verdict == "valid"


@pytest.mark.parametrize(("evicted", "is_lost"), [(3, False), (0, True)])
def test_a_marker_that_a_planned_full_memory_evicted_says_nothing_of_a_flush(
    evicted: int, is_lost: bool
) -> None:
    """It is the first to go where only keys that expire are evicted."""
    full = InjectedFault(Fault(kind=FaultKind.FILL, at_s=0.3, text="300ms fill memory"), 300_000)
    record = build_record(
        collected(usage_after=usage(evicted=evicted), has_marker=False, faults=[full])
    )
    assert ("server_lost_data" in codes(record)) is is_lost


def test_a_lost_task_is_told_with_all_that_may_have_taken_it() -> None:
    record = build_record(
        collected(
            workers=[worker({0: range(99)})],
            usage_after=usage(evicted=3),
            others=2,
            other_poppers=["10.0.0.9:4711 (importer)"],
        )
    )
    assert record.verdict == "lossy"
    (message,) = [each.message for each in record.warnings if each.code == "lost"]
    assert message == (
        "1 enqueued task disappeared (neither finished, pending nor active; the server evicted 3 "
        "keys because its memory was full; another client takes ids from lists of this server: "
        "10.0.0.9:4711 (importer); others use these queues, too: 2 ids that the run did not "
        "enqueue): look for evicted keys, other consumers of these queues, and workers that drop "
        "tasks"
    )


def test_tasks_that_a_restart_has_taken_after_they_completed_are_counted_and_told() -> None:
    record = build_record(
        collected(usage_after=usage(run_id="b"), has_marker=False, completed_gone=43)
    )
    assert record.counts.completed == 100
    assert record.warnings[0].message == (
        "the server was restarted and lost its data during the run, so the state of its tasks is "
        "unknown (43 tasks that completed are not there): repeat the run on a server that keeps "
        "its data"
    )


@pytest.mark.parametrize(
    ("kind", "written", "is_known"),
    [(FaultKind.FAILOVER, "failover", False), (FaultKind.STALL, "stall server 100ms", True)],
)
def test_tasks_that_are_gone_after_a_failover_have_ended_or_are_lost_which_is_told(
    kind: FaultKind, written: str, is_known: bool
) -> None:
    """Where workers do not report: an objective on what was lost does not hold."""
    fault = InjectedFault(Fault(kind=kind, at_s=0.5, text=f"500ms {written}"), 500_000, 600_000)
    chosen = scenario(
        **EXTERNAL, slo=["lost == 0", f"lost{{{kind}}} == 0"], faults=[f"500ms {written}"]
    )
    gone = {**counting(0, gone=9), "counted": {}}
    record = build_record(collected(chosen, faults=[fault], **gone))
    told = {each.code: each.message for each in record.warnings}
    assert [each.passed for each in record.slo] == [is_known, is_known]
    assert ("ended_or_lost" in told, record.verdict == "incomplete") == (not is_known,) * 2
    if not is_known:
        assert "between 0 and 9 were lost" in told["ended_or_lost"]


@pytest.mark.parametrize("least_us", [-100_000_000, 100])
def test_no_objective_over_a_latency_holds_where_the_clocks_disagree(least_us: int) -> None:
    record = build_record(
        collected(
            scenario(slo=["e2e.p50 < 1h", "completed == 100"]),
            workers=[worker(measured=measured({Interval.E2E: least_us}))],
            clock_error_us=2000.0,
        )
    )
    assert [(each.value, each.passed) for each in record.slo] == [(None, False), (100, True)]


def test_tasks_that_were_not_served_are_no_part_of_what_passed() -> None:
    """Each kind of difficulty is told once, and where it belongs."""
    reports = [
        worker(unserved={Unserved.UNREADABLE: 2, Unserved.NO_HASH: 1}, refusals={"BUSY": 3}),
        worker({}, unserved={Unserved.UNREADABLE: 1}),
    ]
    record = build_record(collected(workers=reports))
    messages = {each.code: each.message for each in record.warnings}
    assert (
        "(1 task whose key holds no hash; 3 tasks whose hashes cannot be read)"
        in (messages["not_served"])
    )
    assert "(commands refused with BUSY: 3)" in messages["difficulties"]


RESTARTED = InjectedFault(
    Fault(kind=FaultKind.RESTART, at_s=0.5, text="restart server"), 500_000, 700_000
)


@pytest.mark.parametrize(
    ("held", "faults", "expected"),
    [
        ([(510_000, 800_000)], [RESTARTED], True),
        ([(900_000, 950_000)], [RESTARTED], True),  # a lost connection is noticed a little later
        ([(510_000, 800_000), (100_000, 200_000)], [RESTARTED], False),  # one is before any fault
        ([(1_300_000, 1_400_000)], [RESTARTED], False),
        ([(510_000, 800_000)], [], False),
        ([], [RESTARTED], False),
    ],
)
def test_only_a_fault_of_that_moment_explains_that_a_server_took_nothing(
    held: list[tuple[int, int]], faults: list[InjectedFault], expected: bool
) -> None:
    assert are_explained([producer(held_us=held)], faults) is expected


def test_a_planned_restart_is_no_loss_of_data_where_workers_report() -> None:
    after = usage(run_id="b")
    unplanned = build_record(collected(usage_after=after))
    planned = build_record(collected(usage_after=after, faults=[RESTARTED]))
    assert "server_lost_data" in codes(unplanned)
    assert "server_lost_data" not in codes(planned)
    assert planned.verdict == "valid"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (FaultKind.RESTART, "it was restarted as planned, so that its counters began at zero"),
        (FaultKind.FAILOVER, "another server took over as planned, so that its counters began"),
    ],
)
def test_costs_that_are_not_known_name_what_the_plan_did(kind: FaultKind, said: str) -> None:
    fault = InjectedFault(Fault(kind=kind, at_s=0.5), 500_000, 700_000)
    record = build_record(collected(usage_after=usage(run_id="b"), faults=[fault]))
    messages = [each.message for each in record.warnings if each.code == "costs_unknown"]
    assert [said in each for each in messages] == [True]


def test_a_planned_loss_that_cannot_be_told_from_ended_tasks_makes_a_run_incomplete() -> None:
    changes: dict[str, Any] = {"usage_after": usage(run_id="b"), "faults": [RESTARTED]}
    chosen = scenario(worker="external")
    kept = build_record(collected(chosen, workers=[observer()], **changes))
    gone = build_record(collected(chosen, workers=[observer()], has_marker=False, **changes))
    assert "server_lost_data" not in codes(kept)
    assert "server_lost_data" in codes(gone)
    assert gone.verdict == "incomplete"
