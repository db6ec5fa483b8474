"""What each fault of a run did to its tasks, and until when."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.arrays import Integers
from bench.measure import ledger
from bench.measure.fault_attribution import (
    NOTHING,
    TaskMoments,
    earlier_faults,
    losing_faults,
    repeating_faults,
    silencing_faults,
)
from bench.measure.faults import FaultOutcome, InjectedFault
from bench.measure.fine_rows import ROW_US, rows_of, unpacked_rows
from bench.measure.ledger import Counts
from bench.measure.reports import ProducerReport
from bench.run.collected import CollectedRun
from bench.run.figures.accounting import evidence_of
from bench.run.figures.fault_times import FaultTimes, times_of
from bench.run.figures.rates import Window
from bench.workload.faults import FaultKind


@dataclass(frozen=True)
class Unexplained:
    """Number of tasks that no fault explains, by what became of them."""

    lost: int = 0
    duplicated: int = 0
    unknown: int = 0
    refused: int = 0


@dataclass(frozen=True)
class FaultReport:
    """What the faults of a run did."""

    outcomes: Sequence[FaultOutcome] = ()
    """One for each fault of the plan, in the order of their moments."""
    unexplained: Unexplained = field(default_factory=Unexplained)


def fault_report(run: CollectedRun, window: Window, counts: Counts) -> FaultReport:
    """What each fault did; ``window`` is the steady part of enqueueing, ``counts`` of all tasks.

    Where no fault began, nothing is explained.
    """
    if not run.faults:
        return FaultReport(
            unexplained=Unexplained(counts.lost, counts.duplicated, counts.unknown, counts.refused)
        )
    explained, again = _explained(run), _run_again(run, counts)
    times = times_of(run, window)
    first_again = next(
        (number for number, each in enumerate(run.faults) if _may_cut_off(each)), NOTHING
    )
    _add(explained["duplicated"], first_again, _ends_beyond_reports(run, counts))
    outcomes = [
        _outcome(
            fault,
            times[number],
            run_again=again if number == first_again else 0,
            **{name: tasks.get(number, 0) for name, tasks in explained.items()},
        )
        for number, fault in enumerate(run.faults)
    ]
    left = {
        name: max(getattr(counts, name) - sum(by_fault.values()), 0)
        for name, by_fault in explained.items()
    }
    return FaultReport(outcomes, Unexplained(**left))


def _outcome(fault: InjectedFault, times: FaultTimes, run_again: int, **tasks: int) -> FaultOutcome:
    enqueued, completed = times.enqueue_gap, times.completion_gap
    return FaultOutcome(
        kind=str(fault.fault.kind),
        fault=fault.fault.text,
        planned_s=fault.fault.at_s,
        began_s=_seconds(fault.began_us),
        ended_s=_seconds(fault.ended_us),
        problem=fault.problem,
        run_again=run_again,
        enqueue_gap_s=None if enqueued is None else _seconds(enqueued.length_us),
        enqueue_gap_at_least_s=None if enqueued is None else _seconds(enqueued.at_least_us),
        completion_gap_s=None if completed is None else _seconds(completed.length_us),
        completion_gap_at_least_s=None if completed is None else _seconds(completed.at_least_us),
        recovered_s={name: _seconds(each.after_us) for name, each in times.recovered.items()},
        without_level=tuple(name for name, each in times.recovered.items() if not each.has_level),
        **tasks,
    )


def _seconds(value_us: int | None) -> float | None:
    return None if value_us is None else value_us / 1e6


def _explained(run: CollectedRun) -> dict[str, dict[int, int]]:
    """Number of tasks by what became of them, and by the index of the fault that explains it."""
    kinds: dict[str, Callable[[TaskMoments], Integers]] = {
        "lost": lambda tasks: losing_faults(run.faults, tasks),
        "duplicated": lambda tasks: repeating_faults(run.faults, tasks),
        "unknown": lambda tasks: silencing_faults(run.faults, tasks.sent_us),
        "refused": lambda tasks: silencing_faults(run.faults, tasks.answered_us),
    }
    found: dict[str, dict[int, int]] = {name: {} for name in kinds}
    sequences = ledger.sequences_by_outcome(evidence_of(run), [*kinds])
    producers = {report.number: report for report in run.producers}
    for name, explaining in kinds.items():
        for number, tasks in sequences[name].items():
            sender = producers[number]
            moments = TaskMoments(_sent_us(sender, tasks), _answered_us(sender, tasks))
            _count(found[name], explaining(moments))
    for moments_us in _repeats_us(run):
        _count(found["duplicated"], earlier_faults(run.faults, moments_us))
    return found


def _count(by_fault: dict[int, int], explained: Integers) -> None:
    for index, tasks in zip(*np.unique(explained, return_counts=True), strict=True):
        _add(by_fault, int(index), int(tasks))


def _add(by_fault: dict[int, int], index: int, tasks: int) -> None:
    if index != NOTHING and tasks:
        by_fault[index] = by_fault.get(index, 0) + tasks


def _answered_us(producer: ProducerReport, sequences: Integers) -> Integers:
    """When each task (n,) was answered at the latest, to within a row; -1 where not known."""
    if producer.fine is None:
        return np.full(len(sequences), -1)
    rows = producer.fine.answers.latest_row_of(sequences)
    return np.where(rows < 0, -1, rows * ROW_US)


def _sent_us(producer: ProducerReport, sequences: Integers) -> Integers:
    """When each task (n,) was sent, to within a row; -1 where that is not known.

    A producer sends its tasks in the order of their sequence numbers.
    """
    if producer.fine is None or "sent" not in producer.fine.events:
        return np.full(len(sequences), -1)
    packed = producer.fine.events["sent"]
    sent = np.cumsum(unpacked_rows(packed, rows_of(packed)))
    found = np.searchsorted(sent, sequences, side="right")
    return np.where(found < len(sent), found * ROW_US, -1)


def _repeats_us(run: CollectedRun) -> list[Integers]:
    """The moments (n,) at which each worker completed tasks that it had completed before."""
    found = []
    rows = int(run.duration_s * 1e6) // ROW_US + 1
    for report in run.workers:
        packed = {} if report.fine is None else report.fine.events.get("repeated", {})
        counts = unpacked_rows(packed, rows)
        found.append(np.repeat(np.arange(rows) * ROW_US, counts))
    return found


def _may_cut_off(fault: InjectedFault) -> bool:
    """Whether a fault can have cut off attempts at tasks."""
    return fault.began_us is not None and fault.fault.kind is not FaultKind.START


def _ends_beyond_reports(run: CollectedRun, counts: Counts) -> int:
    """How many ends the queues' own counters have beyond those that were seen. They say neither
    which tasks these were nor when; a count may be repeated as its reply was lost."""
    if not run.counted:
        return 0
    seen = ledger.total(ledger.account(evidence_of(run)).values()).duplicated
    return max(counts.duplicated - seen, 0)


def _run_again(run: CollectedRun, counts: Counts) -> int:
    """How many tasks were taken again after an attempt that had no end, at least.

    From outside, tasks count that ended after their lease had. Workers of the run's own say how
    many tasks they took: what is beyond one for each task that a worker had, and one for each
    retry, was taken again. What a killed worker took since its last report is missing from that.
    """
    if run.observed is not None:
        return sum(run.observed.ended_after_lease.values())
    taken = sum(report.started for report in run.workers)
    had = counts.ended + counts.active + counts.lost + counts.pending
    return max(taken - counts.retried - had, 0)
