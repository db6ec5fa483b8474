"""What each fault did, from runs with planted faults and known answers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from bench.measure.endings import CountedEnds, CounterReadings
from bench.measure.faults import FaultOutcome, InjectedFault
from bench.measure.fine_recorder import FineRecorder, FineRows
from bench.measure.ledger import Counts
from bench.measure.recorder import Interval
from bench.measure.reports import ObserverReport
from bench.run.build_record import build_record
from bench.run.collected import CollectedRun
from bench.run.figures.accounting import account
from bench.run.figures.fault_outcomes import Unexplained, fault_report
from bench.run.figures.rates import Window
from bench.workload.faults import Fault, FaultKind
from tests.run.values import (
    EXTERNAL,
    START_US,
    collected,
    observer,
    packed,
    producer,
    scenario,
    worker,
)

LENGTH_S = 20
RATE = 1000
TASKS = LENGTH_S * RATE
OBJECTIVE = "e2e.p99 < 50ms"
S = 1_000_000


def fault(
    kind: FaultKind, began_s: float | None, ended_s: float | None = None, **more: Any
) -> InjectedFault:
    """A fault as it happened; one that is over at once where no end is given."""
    at_s = 0.0 if began_s is None else began_s
    planned = Fault(kind=kind, at_s=at_s, text=f"{at_s:g}s {kind}", **more)
    if began_s is None:
        return InjectedFault(planned, None, problem="no such worker")
    over_s = began_s if ended_s is None else ended_s
    return InjectedFault(planned, round(began_s * S), round(over_s * S))


def due_us() -> Any:
    return np.arange(TASKS) * (S // RATE)


def held_back(at_us: Any, outages: Sequence[tuple[float, float]]) -> Any:
    """The moments, those within an outage put off until its end."""
    late = at_us.copy()
    for begin_s, end_s in outages:
        late[(late >= begin_s * S) & (late < end_s * S)] = round(end_s * S)
    return late


def producers_rows(answered_us: Any) -> FineRows:
    recorder = FineRecorder([OBJECTIVE], ["inference_default"])
    for sequence, (sent, answered) in enumerate(zip(due_us(), answered_us, strict=True)):
        recorder.happened("sent", int(sent), 1)
        recorder.happened("acknowledged", int(answered), 1)
        recorder.answered(int(answered), np.array([sequence]))
    return recorder.packed()


def workers_rows(finished_us: Any, latencies_us: Any) -> FineRows:
    recorder = FineRecorder([OBJECTIVE], ["inference_default"])
    recorder.happened_at("finished", finished_us)
    queues = np.zeros(len(finished_us), np.int64)
    recorder.latencies(Interval.E2E, queues, latencies_us, finished_us)
    return recorder.packed()


def run_of(
    faults: Sequence[InjectedFault],
    *,
    outages: Sequence[tuple[float, float]] = (),
    lost: Sequence[int] = (),
    pending: Sequence[tuple[float, float, int]] = (),
    **changes: Any,
) -> CollectedRun:
    """Twenty seconds of a thousand tasks a second; what falls into an outage comes at its end."""
    answered_us = held_back(due_us() + 300, outages)
    finished_us = held_back(answered_us + 1000, outages)
    rows = workers_rows(finished_us, finished_us - due_us())
    at_us = np.arange(0, LENGTH_S * S, 50_000)
    backlog = np.full(len(at_us), 5)
    for begin_s, end_s, length in pending:
        backlog[(at_us >= begin_s * S) & (at_us < end_s * S)] = length
    completed = sorted(set(range(TASKS)) - set(lost))
    fields: dict[str, Any] = {
        "duration_s": LENGTH_S + 0.5,
        "producers": [
            producer(
                TASKS,
                fine=producers_rows(answered_us),
                finished_us=START_US + LENGTH_S * S,
            )
        ],
        "workers": [worker({0: completed}, started=TASKS - len(lost), fine=rows)],
        "backlogs": list(zip(at_us.tolist(), backlog.tolist(), strict=True)),
        "faults": faults,
        **changes,
    }
    chosen = scenario(rate=RATE, duration=LENGTH_S, slo=[OBJECTIVE])
    return collected(chosen, **fields)


def outcomes_of(run: CollectedRun) -> Sequence[FaultOutcome]:
    return fault_report(run, Window(0.0, float(LENGTH_S)), account(run).total).outcomes


def test_a_stalled_server_is_told_with_its_gaps_and_when_each_figure_was_back() -> None:
    stall = fault(FaultKind.STALL, 8.0, 9.5)
    (found,) = outcomes_of(run_of([stall], outages=[(8.0, 9.5)], pending=[(9.5, 10.3, 900)]))
    assert (found.kind, found.fault, found.began_s, found.ended_s) == ("stall", "8s stall", 8, 9.5)
    assert found.enqueue_gap_s == pytest.approx(1.5, abs=0.02)
    assert found.completion_gap_s == pytest.approx(1.5, abs=0.02)
    assert found.enqueue_gap_at_least_s == found.enqueue_gap_s
    assert found.recovered_s == {
        "enqueue rate": pytest.approx(1.5, abs=0.1),
        "completion rate": pytest.approx(1.5, abs=0.1),
        "backlog": pytest.approx(2.3, abs=0.1),
        OBJECTIVE: pytest.approx(1.5, abs=0.1),
    }
    assert found.recovery_s == pytest.approx(2.3, abs=0.1)
    assert (found.lost, found.duplicated, found.unknown, found.refused) == (0, 0, 0, 0)


def test_a_loss_counts_under_the_first_fault_that_may_lose_and_was_not_over() -> None:
    """A stall loses nothing, so what was acknowledged before it is lost by the restart after it."""
    faults = [
        fault(FaultKind.STALL, 5.0, 6.0),
        fault(FaultKind.RESTART, 8.0, 9.0),
        fault(FaultKind.FAILOVER, 12.0, 13.0),
    ]
    run = run_of(faults, lost=[1000, 8500, 9500, 19_000])
    assert [each.lost for each in outcomes_of(run)] == [0, 2, 1]
    report = fault_report(run, Window(0.0, 20.0), account(run).total)
    assert report.unexplained == Unexplained(lost=1)
    assert [each.lost for each in build_record(run).faults] == [0, 2, 1]


def test_what_a_replaced_master_still_acknowledged_is_lost_by_the_failover() -> None:
    """Until its clients have learned of the new one; a server that is restarted does not."""
    lost = [12_900, 13_100, 15_000]
    replaced = run_of([fault(FaultKind.FAILOVER, 12.0, 13.0)], lost=lost)
    restarted = run_of([fault(FaultKind.RESTART, 12.0, 13.0)], lost=lost)
    assert [each.lost for each in outcomes_of(replaced)] == [2]
    assert [each.lost for each in outcomes_of(restarted)] == [1]


@pytest.mark.parametrize(("kind", "lost"), [(FaultKind.KILL, 1), (FaultKind.STALL, 0)])
def test_what_a_server_gave_to_a_connection_that_nobody_was_behind_is_lost_by_the_kill(
    kind: FaultKind, lost: int
) -> None:
    """It has not noticed yet that the worker which waited for a task is gone."""
    run = run_of([fault(kind, 12.0, 12.0, of_worker=True)], lost=[12_050, 12_300])
    assert [each.lost for each in outcomes_of(run)] == [lost]


@pytest.mark.parametrize("kind", [FaultKind.KILL, FaultKind.RESET, FaultKind.RESTART])
def test_a_task_whose_acknowledgement_was_read_after_the_fault_may_be_lost_by_it(
    kind: FaultKind,
) -> None:
    """A worker takes it before its producer has read the reply, and dies: the kill has lost it."""
    faults = [
        fault(kind, 8.0, 8.001, of_worker=kind is FaultKind.KILL),
        fault(FaultKind.RESTART, 15.0, 16.0),
    ]
    run = run_of(faults, outages=[(7.9, 8.05)], lost=[7990, 8200])
    assert [each.lost for each in outcomes_of(run)] == [1, 1]
    alone = run_of(faults[:1], outages=[(7.9, 8.05)], lost=[7990, 8200])
    assert fault_report(alone, Window(0.0, 20.0), account(alone).total).unexplained.lost == 1


def test_what_was_sent_while_the_network_was_away_is_not_lost_by_that() -> None:
    faults = [
        fault(FaultKind.NETWORK, 8.0, 9.0),
        fault(FaultKind.KILL, 9.5, of_worker=True),
    ]
    run = run_of(faults, outages=[(8.0, 9.1)], lost=[8500])
    assert [each.lost for each in outcomes_of(run)] == [0, 1]


def test_a_fault_that_was_not_injected_explains_nothing() -> None:
    run = run_of([fault(FaultKind.RESTART, None)], lost=[1000])
    report = fault_report(run, Window(0.0, 20.0), account(run).total)
    assert report.unexplained.lost == 1
    (found,) = report.outcomes
    assert (found.began_s, found.problem, found.lost) == (None, "no such worker", 0)
    assert (found.recovered_s, found.recovery_s, found.enqueue_gap_s) == ({}, None, None)


def test_a_fault_that_was_never_over_explains_all_that_follows() -> None:
    lasting = InjectedFault(Fault(kind=FaultKind.KILL, at_s=8.0), 8 * S, None)
    (found,) = outcomes_of(run_of([lasting], lost=[100, 19_000]))
    assert (found.lost, found.ended_s) == (2, None)


def test_without_the_rows_of_a_producer_nothing_is_explained() -> None:
    run = run_of([fault(FaultKind.RESTART, 8.0)], lost=[1000], producers=[producer(TASKS)])
    (found,) = outcomes_of(run)
    assert (found.lost, found.enqueue_gap_s, found.enqueue_gap_at_least_s) == (0, None, None)
    assert "enqueue rate" not in found.recovered_s


def test_tasks_without_a_reply_or_refused_count_under_the_fault_that_lasted_then() -> None:
    silent = [*range(8100, 8105), 3000]
    refused = [8200, 3001]
    acknowledged = sorted(set(range(TASKS)) - set(silent))
    fine = producers_rows(due_us() + 300)
    sender = producer(
        TASKS,
        enqueued=TASKS - len(silent) - len(refused),
        refused=len(refused),
        acknowledged=packed(acknowledged),
        refused_set=packed(refused),
        fine=fine,
    )
    done = sorted(set(acknowledged) - set(refused))
    run = run_of(
        [fault(FaultKind.RESTART, 8.0, 9.0)],
        producers=[sender],
        workers=[worker({0: done}, fine=workers_rows(due_us()[done] + 1000, np.array(done) * 0))],
    )
    report = fault_report(run, Window(0.0, 20.0), account(run).total)
    (found,) = report.outcomes
    assert (found.unknown, found.refused) == (5, 1)
    assert report.unexplained == Unexplained(unknown=1, refused=1)


def test_what_two_workers_completed_or_one_twice_counts_as_duplicated_by_the_fault() -> None:
    again = FineRecorder([], [])
    again.happened_at("finished", due_us() + 1000)
    again.happened("repeated", 3 * S, 1)
    again.happened("repeated", 9 * S, 2)
    first = worker({0: range(TASKS)}, fine=again.packed(), duplicated={"inference_default": 3})
    second = worker({0: [7990, 7995]}, name="w2", fine=FineRecorder([], []).packed())
    run = run_of([fault(FaultKind.RESTART, 8.0, 9.0)], workers=[first, second])
    report = fault_report(run, Window(0.0, 20.0), account(run).total)
    assert report.outcomes[0].duplicated == 4
    assert report.unexplained.duplicated == 1


def test_ends_that_only_counters_have_count_under_the_first_fault() -> None:
    """Which of several it was is not known, as a counter has no times."""
    watched = scenario(**EXTERNAL, rate=RATE, duration=LENGTH_S, slo=[OBJECTIVE])
    seen = observer(counter_rules=["tasks"])
    seen.completed_sets = {0: packed(range(TASKS))}
    counted = CountedEnds(TASKS + 2, 0)
    faults = [
        fault(FaultKind.START, 2.0),
        fault(FaultKind.RESET, 8.0),
        fault(FaultKind.RESET, 12.0),
    ]
    run = collected(
        watched,
        producers=[producer(TASKS, fine=producers_rows(due_us() + 300))],
        workers=[seen],
        duration_s=LENGTH_S + 0.5,
        faults=faults,
        counted={"inference_default": CounterReadings(counted, counted)},
    )
    report = fault_report(run, Window(0.0, 20.0), account(run).total)
    assert [each.duplicated for each in report.outcomes] == [0, 2, 0]
    assert report.unexplained.duplicated == 0


def test_tasks_that_were_taken_more_often_than_they_can_have_been_once_were_run_again() -> None:
    rows = workers_rows(due_us() + 1000, np.full(TASKS, 1000))
    run = run_of(
        [fault(FaultKind.KILL, 8.0, of_worker=True)],
        workers=[worker({0: range(TASKS)}, started=TASKS + 12, fine=rows)],
    )
    assert outcomes_of(run)[0].run_again == 12


def test_what_a_killed_worker_did_after_its_last_report_makes_its_gap_a_bound() -> None:
    """The worker was killed at 8 s, and its last report is from 7.8 s; another begins at 10 s."""
    before, after = np.arange(0, 7_800_000, 1000), np.arange(10 * S, 20 * S, 1000)
    dead = worker({}, fine=workers_rows(before, before * 0))
    dead.final, dead.made_us = False, START_US + 7_800_000
    next_one = worker({0: range(TASKS)}, name="w2", fine=workers_rows(after, after * 0))
    kill = fault(FaultKind.KILL, 8.0, of_worker=True)
    (found,) = outcomes_of(run_of([kill], workers=[dead, next_one]))
    assert found.completion_gap_s == pytest.approx(2.2, abs=0.02)
    assert found.completion_gap_at_least_s == pytest.approx(2.0, abs=0.02)


def test_completions_that_an_observer_saw_count_and_processes_of_others_say_nothing() -> None:
    finished_us = held_back(due_us() + 1000, [(8.0, 9.0)])
    seen = workers_rows(finished_us, finished_us - due_us())
    observer = worker({}, name="observer", observed=ObserverReport(method="polling"), fine=seen)
    chosen = scenario(
        rate=RATE, duration=LENGTH_S, worker="external", worker_command="their-worker"
    )
    stall = fault(FaultKind.STALL, 8.0, 9.0)
    run = run_of([stall], workers=[worker({}, name="worker command"), observer])
    (found,) = outcomes_of(collected_like(run, chosen))
    assert found.completion_gap_s == pytest.approx(1.0, abs=0.02)
    assert "completion rate" in found.recovered_s


def test_without_workers_there_are_no_figures_of_completions() -> None:
    chosen = scenario(rate=RATE, duration=LENGTH_S, workers=0)
    run = run_of([fault(FaultKind.STALL, 8.0, 9.0)], workers=[])
    (found,) = outcomes_of(collected_like(run, chosen))
    assert list(found.recovered_s) == ["enqueue rate"]
    assert found.completion_gap_s is None


def test_of_an_external_worker_the_observer_says_when_tasks_ended() -> None:
    """The worker's own report has what its process used, and no tasks."""
    answered_us = held_back(due_us() + 300, [(8.0, 9.5)])
    watching = observer()
    watching.fine = workers_rows(answered_us + 1000, answered_us + 1000 - due_us())
    command = worker({}, name="external worker")
    command.final = False
    run = run_of(
        [fault(FaultKind.STALL, 8.0, 9.5)], outages=[(8.0, 9.5)], workers=[watching, command]
    )
    chosen = scenario(rate=RATE, duration=LENGTH_S, slo=[OBJECTIVE], **EXTERNAL)
    (found,) = outcomes_of(collected_like(run, chosen))
    assert found.completion_gap_s == pytest.approx(1.5, abs=0.02)
    assert found.completion_gap_at_least_s == found.completion_gap_s
    assert {"completion rate", OBJECTIVE} <= set(found.recovered_s)


def collected_like(run: CollectedRun, chosen: Any) -> CollectedRun:
    names = ("producers", "workers", "backlogs", "faults", "duration_s")
    return collected(chosen, **{name: getattr(run, name) for name in names})


def test_without_faults_a_record_says_nothing_of_any_and_everything_is_unexplained() -> None:
    run = collected(workers=[worker({0: range(90)})])
    assert build_record(run).faults == []
    report = fault_report(run, Window(0.0, 1.0), Counts(lost=10))
    assert (report.outcomes, report.unexplained) == ((), Unexplained(lost=10))
