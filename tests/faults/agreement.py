"""Whether the ledger of a run agrees with what was found out by id without it."""

from collections import Counter
from dataclasses import dataclass

from bench.measure.faults import FaultOutcome
from bench.measure.ledger import Counts
from bench.records.run_record import RunRecord
from tests.faults.counting import HeldTasks, TapTraffic, WorkerLog

_EXPLAINED = ("lost", "duplicated", "unknown", "refused")


@dataclass(frozen=True)
class CountedById:
    """The ids of a run's tasks by what became of them."""

    sent_twice: frozenset[str]
    enqueued: frozenset[str]
    ended: frozenset[str]
    failed: frozenset[str]
    """Those among them that were archived."""
    ended_unseen: frozenset[str]
    """Active, on no list: a worker was about to end them, and nothing says that it did."""
    pending: frozenset[str]
    active: frozenset[str]
    lost: frozenset[str]
    refused: frozenset[str]
    unheard: frozenset[str]
    """Begun to be sent, neither answered nor seen anywhere."""
    repeats: int
    """Ends beyond the first of the same task."""
    taken_again: int
    """Pops beyond the first of the same task."""


def count(traffic: TapTraffic, held: HeldTasks, log: WorkerLog | None) -> CountedById:
    """Puts together what is known of each id."""
    ends, taken = Counter(traffic.ended), Counter(traffic.taken)
    if log is not None:
        ends.update(log.finished)
        taken.update(log.taken)
    failed = {each for each, state in held.states.items() if state == "archived"}
    ended = set(ends) | {each for each, state in held.states.items() if state == "completed"}
    failed |= held.archived
    ended |= failed
    there = set(held.states)
    active = (set(held.active) & there) - ended
    pending = (set(held.pending) & there) - ended - active
    refused = traffic.refused - ended - active
    pending -= refused
    unseen = {each for each, state in held.states.items() if state == "active"}
    unseen -= ended | active | pending
    if log is not None:  # which says that they have not ended
        unseen = set()
    seen = ended | active | pending | unseen
    enqueued = seen | (set(traffic.answered) - refused)
    return CountedById(
        sent_twice=frozenset(each for each, times in traffic.sent.items() if times > 1),
        enqueued=frozenset(enqueued),
        ended=frozenset(ended),
        failed=frozenset(failed),
        ended_unseen=frozenset(unseen),
        pending=frozenset(pending),
        active=frozenset(active),
        lost=frozenset(enqueued - seen),
        refused=frozenset(refused),
        unheard=frozenset(traffic.begun - enqueued - refused),
        repeats=sum(times - 1 for times in ends.values()),
        taken_again=sum(times - 1 for times in taken.values()),
    )


def disagreements(record: RunRecord, found: CountedById, *, reports_ends: bool) -> list[str]:
    """What the record says otherwise than the count by id, a clause each.

    ``reports_ends``: workers report what they ended, so that the run can know of repeats.
    """
    counts, faults = record.counts, record.faults
    ended = len(found.ended) + len(found.ended_unseen)
    pairs = {
        "enqueued": (counts.enqueued, len(found.enqueued)),
        "pending": (counts.pending, len(found.pending)),
        "active": (counts.active, len(found.active)),
        "refused": (counts.refused, len(found.refused)),
        "failed": (counts.failed, len(found.failed)),
        "ended or lost": (counts.ended + counts.lost, ended + len(found.lost)),
    }
    told = []
    if any(each.code == "ended_or_lost" for each in record.warnings):
        told += _out_of_bounds(counts, len(found.ended), len(found.lost))
    else:
        pairs["ended"] = (counts.ended, ended)
        pairs["lost"] = (counts.lost, len(found.lost))
    if reports_ends:
        pairs["duplicated"] = (counts.duplicated, found.repeats)
    told += [
        f"{name} {recorded}, by id {counted}"
        for name, (recorded, counted) in pairs.items()
        if recorded != counted
    ]
    if found.sent_twice:
        told.append(f"{len(found.sent_twice)} sent twice")
    if counts.unknown < len(found.unheard):
        told.append(f"unknown {counts.unknown}, by id {len(found.unheard)} at least")
    again = sum(each.run_again for each in faults)
    if again > found.taken_again:
        told.append(f"run again {again}, by id {found.taken_again}")
    told += [
        f"{left} {name} that no fault explains"
        for name in _EXPLAINED
        if (left := getattr(counts, name) - sum(getattr(each, name) for each in faults))
    ]
    ends_in_order = any("kill -TERM worker" in each.fault for each in faults)
    told += [
        f"{each.fault}: {each.problem}"
        for each in faults
        if each.problem and not (ends_in_order and _is_not_gone(each))
    ]
    return told


def _is_not_gone(fault: FaultOutcome) -> bool:
    """Whether a worker was not started again as it was there: on a busy machine, it may take longer
    to end in order than the moments that were drawn leave it."""
    return "start worker" in fault.fault and "is running" in (fault.problem or "")


def _out_of_bounds(counts: Counts, ended: int, lost: int) -> list[str]:
    """Where a record says that tasks have ended or were lost: its bounds hold."""
    unknown = counts.outcome_unknown
    bounds = {
        "ended": (ended, counts.completed + counts.failed, counts.ended),
        "lost": (lost, counts.lost, counts.lost + unknown),
    }
    return [
        f"{name} between {least} and {most}, by id {counted}"
        for name, (counted, least, most) in bounds.items()
        if not least <= counted <= most
    ]
