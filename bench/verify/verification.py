"""The answer: what was looked at, what was found, and whether that follows the layout.

History of the format:

    runqy-bench-verify/1   the first
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from bench.errors import ExitCode
from bench.layouts.inspected import InspectedKey
from bench.layouts.rules import Fault, Rule, Severity, shown
from bench.verify.queue_rules import PLACE_TYPE, QueueFault

FORMAT = "runqy-bench-verify/1"
_EXAMPLES = 3


class KeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """One place of one queue."""

    queue: str
    place: str
    ids: int
    """How many it holds."""
    looked_at: int
    wrong: int
    """Of those that were looked at, how many break a rule that makes an error."""


class VerifyFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that is broken, and by what."""

    code: str
    severity: Severity
    title: str
    count: int
    looked_at: int
    """Out of how many; for faults of queues and keys, how many of those."""
    examples: list[str]
    """Up to three ids, keys or queues."""
    cause: str
    cure: str


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What ``bench verify`` says."""

    format: str = FORMAT
    layout: str
    address: str
    """Of the server, without secrets."""
    follows: bool
    """Whether no finding is an error."""
    ids: int
    """How many the places hold."""
    looked_at: int
    wrong: int
    moved_on: int
    """Ids that looked wrong, and right or gone when they were looked at again."""
    places: list[KeyRow]
    findings: list[VerifyFinding]
    """The worst first."""
    notes: list[str]
    """What was not looked at, and why."""

    @property
    def exit_code(self) -> ExitCode:
        """Warnings alone pass."""
        return ExitCode.PASSED if self.follows else ExitCode.INVALID


@dataclass(frozen=True)
class InspectionResult:
    """All that one look at a server brought."""

    layout: str
    address: str
    places: Mapping[InspectedKey, Sequence[bytes]]
    """The ids that were looked at, by place."""
    queues: int
    """How many queues there were to look at."""
    keys: int
    """How many places they have."""
    faults: frozenset[Fault]
    """Of tasks, confirmed."""
    queue_faults: Sequence[QueueFault]
    moved_on: int = 0
    notes: Sequence[str] = ()


def conclude(inspected: InspectionResult) -> Verification:
    """The answer to one look."""
    faults = _telling(inspected.faults)
    rows = [_row(place, ids, faults) for place, ids in inspected.places.items()]
    found = [*_of_tasks(faults, rows), *_of_queues(inspected)]
    found.sort(key=lambda each: (each.severity != "error", -each.count, each.code, each.title))
    return Verification(
        layout=inspected.layout,
        address=inspected.address,
        follows=all(each.severity != "error" for each in found),
        ids=sum(row.ids for row in rows),
        looked_at=sum(row.looked_at for row in rows),
        wrong=sum(row.wrong for row in rows),
        moved_on=inspected.moved_on,
        places=rows,
        findings=found,
        notes=list(inspected.notes),
    )


def _telling(faults: Iterable[Fault]) -> list[Fault]:
    """Without those that only say that a task in two places disagrees with one of them."""
    every = list(faults)
    scattered = {fault.task_key for fault in every if len(fault.place_keys) > 1}
    return [each for each in every if not each.rule.by_place or each.task_key not in scattered]


def _row(place: InspectedKey, ids: Sequence[bytes], faults: Sequence[Fault]) -> KeyRow:
    wrong = {
        fault.id
        for fault in faults
        if fault.rule.severity == "error" and place.key in fault.place_keys
    }
    return KeyRow(
        queue=shown(place.queue.encode()),
        place=place.name,
        ids=place.length,
        looked_at=len(ids),
        wrong=sum(task_id in wrong for task_id in ids),
    )


def _of_tasks(faults: Sequence[Fault], rows: Sequence[KeyRow]) -> Iterable[VerifyFinding]:
    grouped: dict[tuple[Rule, str], set[Fault]] = {}
    for fault in faults:
        grouped.setdefault((fault.rule, fault.detail), set()).add(fault)
    looked_at = sum(row.looked_at for row in rows)
    for (rule, detail), members in grouped.items():
        names = [shown(fault.id) for fault in members]
        yield _finding(rule, detail, names, len(members), looked_at)


def _of_queues(inspected: InspectionResult) -> Iterable[VerifyFinding]:
    grouped: dict[tuple[Rule, str], list[str]] = {}
    for fault in inspected.queue_faults:
        grouped.setdefault((fault.rule, fault.detail), []).append(shown(fault.name.encode()))
    for (rule, detail), names in grouped.items():
        of = inspected.keys if rule is PLACE_TYPE else inspected.queues
        yield _finding(rule, detail, names, len(names), of)


def _finding(rule: Rule, detail: str, names: Sequence[str], count: int, of: int) -> VerifyFinding:
    return VerifyFinding(
        code=rule.code,
        severity=rule.severity,
        title=rule.title.format(detail=detail),
        count=count,
        looked_at=of,
        examples=sorted(names)[:_EXAMPLES],
        cause=rule.cause,
        cure=rule.cure,
    )
