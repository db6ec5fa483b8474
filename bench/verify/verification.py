"""The answer of ``bench verify``: what was read and found, and whether it follows the layout.

History of the format:

    runqy-bench-verify/1   the first
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from bench.errors import ExitCode
from bench.layouts.inspected import InspectedKey
from bench.layouts.rules import Rule, Severity, Violation, shown
from bench.verify.queue_rules import KEY_TYPE, QueueFault

FORMAT = "runqy-bench-verify/1"
_EXAMPLES = 3


class KeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """One key of one queue."""

    queue: str
    place: str
    """``pending``, ``active``, …: what the layout calls the key."""
    ids: int
    """Number of ids that the key holds."""
    looked_at: int
    """Number of ids whose tasks were read."""
    wrong: int
    """Number of those that break a rule whose severity is error."""


class VerifyFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that is broken, and by what."""

    code: str
    severity: Severity
    title: str
    count: int
    """Number of tasks, keys or queues that break the rule."""
    looked_at: int
    """Number of tasks, keys or queues that were checked."""
    examples: list[str]
    """Up to three ids, keys or queues."""
    cause: str
    cure: str


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """The whole answer."""

    format: str = FORMAT
    layout: str
    address: str
    """Address of the server, without user, password or query."""
    follows: bool
    """Whether no finding is an error."""
    ids: int
    """Number of ids that the keys hold."""
    looked_at: int
    """Number of ids whose tasks were read."""
    wrong: int
    """Number of those that break a rule whose severity is error."""
    moved_on: int
    """Number of ids that looked wrong only at first: read again, they were right or gone."""
    places: list[KeyRow]
    findings: list[VerifyFinding]
    """Errors first, then by count."""
    notes: list[str]
    """What was not read, and why."""

    @property
    def exit_code(self) -> ExitCode:
        """PASSED if there are only warnings, else INVALID."""
        return ExitCode.PASSED if self.follows else ExitCode.INVALID


@dataclass(frozen=True)
class InspectionResult:
    """Everything that one inspection of a server found."""

    layout: str
    address: str
    """Address of the server, without user, password or query."""
    held: Mapping[InspectedKey, Sequence[bytes]]
    """The ids that were read, by key."""
    queues: int
    """Number of queues that were inspected."""
    keys: int
    """Number of keys of those queues."""
    faults: frozenset[Violation]
    """Confirmed faults of tasks."""
    queue_faults: Sequence[QueueFault]
    moved_on: int = 0
    """Number of ids that looked wrong only at first."""
    notes: Sequence[str] = ()


def conclude(inspected: InspectionResult) -> Verification:
    """Returns the answer to one inspection."""
    faults = _significant(inspected.faults)
    rows = [_row(key, ids, faults) for key, ids in inspected.held.items()]
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


def _significant(faults: Iterable[Violation]) -> list[Violation]:
    """Leaves out the faults that only say that a task under two keys disagrees with one of them."""
    every = list(faults)
    repeated = {fault.task_key for fault in every if len(fault.queue_keys) > 1}
    return [each for each in every if not each.rule.is_about_key or each.task_key not in repeated]


def _row(key: InspectedKey, ids: Sequence[bytes], faults: Sequence[Violation]) -> KeyRow:
    wrong = {
        fault.id
        for fault in faults
        if fault.rule.severity == "error" and key.key in fault.queue_keys
    }
    return KeyRow(
        queue=shown(key.queue.encode()),
        place=key.name,
        ids=key.length,
        looked_at=len(ids),
        wrong=sum(task_id in wrong for task_id in ids),
    )


def _of_tasks(faults: Sequence[Violation], rows: Sequence[KeyRow]) -> Iterable[VerifyFinding]:
    grouped: dict[tuple[Rule, str], set[Violation]] = {}
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
        checked = inspected.keys if rule is KEY_TYPE else inspected.queues
        yield _finding(rule, detail, names, len(names), checked)


def _finding(
    rule: Rule, detail: str, names: Sequence[str], count: int, checked: int
) -> VerifyFinding:
    return VerifyFinding(
        code=rule.code,
        severity=rule.severity,
        title=rule.title.format(detail=detail),
        count=count,
        looked_at=checked,
        examples=sorted(names)[:_EXAMPLES],
        cause=rule.cause,
        cure=rule.cure,
    )
