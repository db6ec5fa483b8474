"""What a user should know about a run while it lasts, and the verdict so far."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from bench import units
from bench.measure.progress import BEHIND_S, Behind, Progress
from bench.measure.verdict_inputs import Verdict
from bench.workload.faults import Fault
from bench.workload.faults_at import faults_at
from bench.workload.scenario import Scenario


class NoteKind(Enum):
    """What a note on a run's progress is about."""

    UNSERVED = auto()
    BEHIND = auto()
    DRAIN_TAKES_LONG = auto()
    LEASES = auto()
    BACKLOG_GROWS = auto()


@dataclass(frozen=True)
class Note:
    """What a user should know about a run while it lasts."""

    kind: NoteKind
    text: str


def note_of(progress: Progress) -> Note | None:
    """Returns that nobody serves the queues, that the run cannot keep up, how long its drain will
    take where that is too long, which leases it waits for, or that its backlog grows; None where
    all is well."""
    if progress.unserved:
        return Note(NoteKind.UNSERVED, progress.unserved)
    if progress.behind is not None and progress.phase == "enqueueing":
        return Note(NoteKind.BEHIND, _cannot_keep_up(progress, progress.behind))
    takes_s, left_s = progress.drain_takes_s, progress.drain_left_s
    if takes_s is not None and left_s is not None and takes_s > left_s:
        return Note(
            NoteKind.DRAIN_TAKES_LONG,
            f"{progress.left:,} tasks left at {progress.finished_per_s:,}/s: about "
            f"{units.format_duration(takes_s)}, and --drain-timeout ends it in "
            f"{units.format_duration(left_s)}",
        )
    if progress.leases is not None and not any(progress.backlog.values()):
        return Note(NoteKind.LEASES, progress.leases.sentence)
    if progress.grows_per_s is not None and progress.phase == "enqueueing":
        return Note(
            NoteKind.BACKLOG_GROWS,
            f"the backlog grows by {units.format_rate(progress.grows_per_s)}: workers do not keep "
            "up",
        )
    return None


def faults_now(plan: Sequence[Fault], elapsed_s: float) -> str:
    """Returns which faults are under way, for how long, and when the next one begins, by the plan;
    empty where there is none of either."""
    at = faults_at(plan, elapsed_s)
    parts = [
        f"{each.text or each.kind}: since {elapsed_s - each.at_s:.1f} s" for each in at.under_way
    ]
    if at.next is not None:
        left_s = math.ceil(at.next.at_s - elapsed_s)
        parts.append(f"next fault in {left_s} s: {at.next.text or at.next.kind}")
    return "; ".join(parts)


def _cannot_keep_up(progress: Progress, behind: Behind) -> str:
    until = (
        ""
        if behind.until_s is None
        else f"; gives up {units.format_duration(behind.until_s)} after its start (--overrun)"
    )
    return (
        f"cannot keep up: {units.format_duration(behind.by_s)} behind the schedule, "
        f"{progress.enqueued_per_s:,}/s of {units.format_rate(behind.asked_per_s)}{until}"
    )


_VERDICTS = {
    NoteKind.UNSERVED: Verdict.INCOMPLETE,
    NoteKind.BEHIND: Verdict.GENERATOR_LIMITED,
    NoteKind.DRAIN_TAKES_LONG: Verdict.INCOMPLETE,
    NoteKind.BACKLOG_GROWS: Verdict.UNSTABLE,
}
"""What a run would be judged as if it went on like this."""


@dataclass(frozen=True)
class VerdictSoFar:
    """What a run would be judged as if it ended like this."""

    verdict: Verdict | None
    """None where that is not known yet."""
    reason: str = ""
    note: str = ""
    """What else is to be known; empty where that is the reason, or nothing is."""


def verdict_so_far(scenario: Scenario, progress: Progress) -> VerdictSoFar:
    """Returns the verdict that a run is heading for, with its reason.

    Nothing is valid before something was measured after the warm-up.
    """
    note = note_of(progress)
    if note is not None and note.kind in _VERDICTS:
        return VerdictSoFar(_VERDICTS[note.kind], note.text)
    also = "" if note is None else note.text
    if progress.was_behind:
        late = f"producers were more than {units.format_duration(BEHIND_S)} behind the schedule"
        return VerdictSoFar(Verdict.GENERATOR_LIMITED, late, also)
    if progress.grows_per_s is not None:
        grew = f"the backlog grew by {units.format_rate(progress.grows_per_s)} while tasks were due"
        return VerdictSoFar(Verdict.UNSTABLE, grew, also)
    is_measured = progress.finished if scenario.has_workers else progress.enqueued
    if not is_measured or progress.elapsed_s < progress.warmup_until_s:
        return VerdictSoFar(None, note=also)
    return VerdictSoFar(Verdict.VALID, note=also)
