"""What a rule is, and those that hold in every layout.

A check looks at one task and answers with what is wrong, in a word or two that stand in the
rule's title, or with None. Checks stand in steps: a task that fails one step is not held to the
next, since nothing more can be said of a task that is not there.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.layouts.inspected import HASH, NOTHING, InspectedTask
from bench.wire.layout import Layout

Severity = Literal["error", "warning"]
_EXPIRING = ("completed",)
"""Places whose tasks may expire before their ids are cleared away."""


@dataclass(frozen=True)
class Rule:
    """One thing that a layout promises, and what to say when it does not hold."""

    code: str
    severity: Severity
    title: str
    """A noun for what breaks it; ``{detail}`` is what the check answered."""
    cause: str
    """What comes of it: a sentence without its point."""
    cure: str
    """What to do: the same."""
    in_passing: bool = False
    """Whether a healthy worker may break it for a moment: then it must be broken for longer."""
    by_place: bool = False
    """Whether it holds a task against its place: of a task in two places that says nothing."""


@dataclass(frozen=True)
class Check:
    """A rule about single tasks."""

    rule: Rule
    wrong: Callable[[InspectedTask], str | None]


CheckGroup = Sequence[Check]


@dataclass(frozen=True)
class Ruleset:
    """All that one layout promises about a task."""

    layout: Layout
    fields: tuple[str, ...]
    """Fields of a task's hash that its checks ask for."""
    large: tuple[str, ...]
    """Those of them that may be of any length."""
    steps: Sequence[CheckGroup]


@dataclass(frozen=True)
class Fault:
    """A task that breaks a rule, or seemed to when it was looked at."""

    rule: Rule
    detail: str
    id: bytes
    task_key: str
    place_keys: tuple[str, ...]
    """Where the id was seen."""


def faults(ruleset: Ruleset, task: InspectedTask) -> Iterator[Fault]:
    """What is wrong with a task, as it was seen."""
    for step in ruleset.steps:
        found = [
            Fault(check.rule, detail, task.id, task.key, (task.place_key,))
            for check in step
            if (detail := check.wrong(task)) is not None
        ]
        if found:
            yield from found
            return


def unusable_id(task: InspectedTask) -> str | None:
    """Empty, or no text."""
    if not task.id:
        return "empty"
    try:
        task.id.decode()
    except UnicodeDecodeError:
        return "not UTF-8"
    return None


def task_for_id(task: InspectedTask) -> str | None:
    """The task itself where its id should be."""
    return "" if task.kind == NOTHING and task.id.lstrip()[:1] in (b"{", b"[") else None


def missing_hash(task: InspectedTask) -> str | None:
    """No key at all."""
    return "" if task.kind == NOTHING and task.place not in _EXPIRING else None


def no_hash(task: InspectedTask) -> str | None:
    """A key of another type."""
    return task.kind if task.kind not in (HASH, NOTHING) else None


def missing_from(task: InspectedTask, names: Sequence[str]) -> str | None:
    """Those fields that a task has not, where it has a hash."""
    missing = [name for name in names if name not in task.fields]
    return ", ".join(missing) if missing and task.kind == HASH else None


def not_whole(task: InspectedTask, names: Sequence[str]) -> str | None:
    """Those fields that should be whole numbers and are not."""
    wrong = [name for name in names if not task.fields.get(name, b"0").isdigit()]
    return " and ".join(wrong) if wrong else None


def shown(text: bytes, most: int = 60) -> str:
    """As one may print it: one line, no control characters, not endless."""
    decoded = text.decode(errors="backslashreplace")
    plain = "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in decoded
    )
    return (f"{plain[:most]}…" if len(plain) > most else plain) or "(empty)"


EVERYWHERE: Sequence[CheckGroup] = (
    (
        Check(
            Rule(
                code="unusable-id",
                severity="error",
                title="id that is {detail}",
                cause="No worker can make a task's key of it",
                cure="Push the id under which the task's hash was written, as UTF-8 text",
            ),
            unusable_id,
        ),
    ),
    (
        Check(
            Rule(
                code="task-for-id",
                severity="error",
                title="task itself in place of its id",
                cause="Workers take it for an id, and find no task under it",
                cure="Write the task's fields into its hash, and push the id alone",
            ),
            task_for_id,
        ),
    ),
    (
        Check(
            Rule(
                code="missing-hash",
                severity="error",
                title="id without a hash",
                cause="A worker that pops it has lost the task",
                cure="Write the hash (HSET) before the id is pushed, let nothing expire or "
                "delete it while the id is queued, and see that both use the same key names",
            ),
            missing_hash,
        ),
    ),
    (
        Check(
            Rule(
                code="task-type",
                severity="error",
                title="task that is a {detail}, not a hash",
                cause="Workers read it with HGETALL, and are refused",
                cure="Write the task with HSET",
            ),
            no_hash,
        ),
    ),
)
"""Steps that come first in every layout."""

MISSING_FIELD = Rule(
    code="missing-field",
    severity="error",
    title="task without {detail}",
    cause="Workers rely on it",
    cure="Write all of the layout's fields in one HSET, before the id is pushed",
)
NOT_A_NUMBER = Rule(
    code="not-a-number",
    severity="error",
    title="task whose {detail} is not a whole number",
    cause="Workers cannot tell whether to try again",
    cure="Write digits alone, as 0 or 3",
)
EMPTY_QUEUE_FIELD = Rule(
    code="empty-queue-field",
    severity="error",
    title="task whose queue is empty",
    cause="It does not say where to put it for its next attempt",
    cure="Write the full name of the queue, as in the list's key",
)
OTHER_QUEUE = Rule(
    code="other-queue",
    severity="error",
    title="task that names another queue than it is on",
    cause="Its next attempt goes to a queue that it was not enqueued on",
    cure="Give the task and the list's key the same name of the queue, sub-queue included",
    by_place=True,
)
STATE = Rule(
    code="state",
    severity="error",
    title="task whose state is {detail}",
    cause="A worker died in between, or somebody moves ids without their state: the task is "
    "shown as what it is not, and may run twice",
    cure="Change the state and the place together, in the layout's order",
    in_passing=True,
    by_place=True,
)
TOO_MANY_RETRIES = Rule(
    code="too-many-retries",
    severity="warning",
    title="task with more retries than it may have",
    cause="It was tried more often than its limit, or the two numbers are swapped",
    cure="Count retries from 0, and archive a task once it has reached its limit",
)


def wrong_state(task: InspectedTask, right: Sequence[str]) -> str | None:
    """A state that is none of those; what is absent counts as empty."""
    state = task.fields.get("state", b"")
    if state.decode(errors="replace") in right:
        return None
    return f"{shown(state, 20) if state else 'not set'} on {task.place}"


def other_queue(task: InspectedTask) -> str | None:
    """A field ``queue`` that names another one."""
    return "" if task.fields.get("queue") not in (None, b"", task.queue.encode()) else None


def empty_queue(task: InspectedTask) -> str | None:
    """A field ``queue`` with nothing in it."""
    return "" if task.fields.get("queue") == b"" else None
