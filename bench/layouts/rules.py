"""What a rule is, and the rules that hold in every layout.

A check looks at one task. It returns None if the task keeps the rule, else a few words that go
into the rule's title. Checks are grouped into steps: a task that fails one step is not checked by
the next, because nothing more can be said of a task that does not exist.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from bench import inert
from bench.layouts.inspected import HASH, NOTHING, InspectedTask

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Rule:
    """One thing that a layout promises, and what to say when it does not hold."""

    code: str
    severity: Severity
    title: str
    """A noun phrase for what breaks the rule; ``{detail}`` stands for what the check returned."""
    cause: str
    """The consequence: a sentence without its full stop."""
    cure: str
    """What to do: a sentence without its full stop."""
    is_transient: bool = False
    """Whether a healthy worker may break the rule for a moment: it must then stay broken."""
    is_about_key: bool = False
    """Whether the rule compares a task with the key that holds its id. For a task that is under
    two keys it says nothing."""


@dataclass(frozen=True)
class Check:
    """A rule about single tasks."""

    rule: Rule
    wrong: Callable[[InspectedTask], str | None]


CheckGroup = Sequence[Check]


@dataclass(frozen=True)
class NameCheck:
    """A rule about the names of queues."""

    rule: Rule
    is_wrong: Callable[[str], bool]


@dataclass(frozen=True)
class Ruleset:
    """Everything that one layout promises about its tasks and the names of its queues."""

    fields: tuple[str, ...]
    """The fields of a task's hash that the checks read."""
    large: tuple[str, ...]
    """Those of them that may be of any length."""
    steps: Sequence[CheckGroup]
    names: Sequence[NameCheck] = ()
    """Of these only the first that finds something wrong with a name is reported."""


@dataclass(frozen=True)
class Violation:
    """A task that breaks a rule, or seemed to when it was read."""

    rule: Rule
    detail: str
    id: bytes
    task_key: str
    queue_keys: tuple[str, ...]
    """The keys under which the id was found."""


def faults(ruleset: Ruleset, task: InspectedTask) -> Iterator[Violation]:
    """Yields what is wrong with a task as it was read."""
    for step in ruleset.steps:
        found = [
            Violation(check.rule, detail, task.id, task.key, (task.found_under.key,))
            for check in step
            if (detail := check.wrong(task)) is not None
        ]
        if found:
            yield from found
            return


def unusable_id(task: InspectedTask) -> str | None:
    """An id that is empty or not text."""
    if not task.id:
        return "empty"
    try:
        task.id.decode()
    except UnicodeDecodeError:
        return "not UTF-8"
    return None


def task_for_id(task: InspectedTask) -> str | None:
    """A task where its id should be."""
    return "" if task.kind == NOTHING and task.id.lstrip()[:1] in (b"{", b"[") else None


def missing_hash(task: InspectedTask) -> str | None:
    """An id whose task does not exist."""
    return "" if task.kind == NOTHING and not task.found_under.may_expire else None


def no_hash(task: InspectedTask) -> str | None:
    """A task's key that holds another type; returns that type."""
    return task.kind if task.kind not in (HASH, NOTHING) else None


def missing_from(task: InspectedTask, names: Sequence[str]) -> str | None:
    """Returns those of the named fields that a task's hash lacks."""
    missing = [name for name in names if name not in task.fields]
    return ", ".join(missing) if missing and task.kind == HASH else None


def shown(text: bytes, most: int = 60) -> str:
    """Returns text that is safe to print: one line, no control characters, at most ``most``
    characters and an ellipsis."""
    return inert.excerpt(text.decode(errors="backslashreplace"), most) or "(empty)"


EVERYWHERE: Sequence[CheckGroup] = (
    (
        Check(
            Rule(
                code="unusable-id",
                severity="error",
                title="id that is {detail}",
                cause="No worker can build a task's key from it",
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
                title="task in place of its id",
                cause="Workers take the text for an id and find no task under it",
                cure="Write the task's fields into its hash and push only the id",
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
                cause="A worker that pops the id finds no task, so the task is lost",
                cure="Write the hash (HSET) before pushing the id, do not let it expire or be "
                "deleted while the id is queued, and make sure that producers and workers use the "
                "same key names",
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
                cause="Workers read tasks with HGETALL, which fails on any other type",
                cure="Write the task with HSET",
            ),
            no_hash,
        ),
    ),
)
"""The first steps of every layout's ruleset."""

MISSING_FIELD = Rule(
    code="missing-field",
    severity="error",
    title="task without {detail}",
    cause="Workers need every field of the layout",
    cure="Write all fields in one HSET before pushing the id",
)
NOT_A_NUMBER = Rule(
    code="not-a-number",
    severity="error",
    title="task with a non-numeric {detail}",
    cause="Workers cannot tell whether to retry the task",
    cure="Write decimal digits only, for example 0 or 3",
)
EMPTY_QUEUE_FIELD = Rule(
    code="empty-queue-field",
    severity="error",
    title="task with an empty queue",
    cause="The task does not say on which queue to put its next attempt",
    cure="Write the full name of the queue, as in the list's key",
)
OTHER_QUEUE = Rule(
    code="other-queue",
    severity="error",
    title="task that names a different queue from the one it is on",
    cause="Its next attempt goes to a queue on which it was not enqueued",
    cure="Use the same queue name, including the sub-queue, in the task and in the list's key",
    is_about_key=True,
)
STATE = Rule(
    code="state",
    severity="error",
    title="task whose state is {detail}",
    cause="A worker died between two commands, or something moves ids without changing the state: "
    "the task is reported wrongly and may run twice",
    cure="Change the state and move the id together, in the layout's order",
    is_transient=True,
    is_about_key=True,
)
TOO_MANY_RETRIES = Rule(
    code="too-many-retries",
    severity="warning",
    title="task with more retries than its limit allows",
    cause="Workers ignored the limit, or the two numbers are swapped",
    cure="Count retries from 0, and archive a task once it has reached its limit",
)


def wrong_state(task: InspectedTask, right: Sequence[str]) -> str | None:
    """A state other than the right ones; a missing state counts as empty."""
    state = task.fields.get("state", b"")
    if state.decode(errors="replace") in right:
        return None
    return f"{shown(state, 20) if state else 'not set'} on {task.under}"
