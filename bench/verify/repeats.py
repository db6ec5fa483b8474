"""Ids that occur more often than they should."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from bench.layouts.inspected import InspectedKey, key_of
from bench.layouts.rules import Rule, Violation
from bench.wire.layout_contract import Layout

TWICE = Rule(
    code="twice-on-a-list",
    severity="error",
    title="id that occurs twice on one list",
    cause="The task runs twice",
    cure="Push an id only once, and after a lost reply check for it before pushing again",
    is_transient=True,
)
SEVERAL_KEYS = Rule(
    code="in-two-places",
    severity="error",
    title="task under several keys ({detail})",
    cause="The task runs again although another worker has it or has completed it",
    cure="Remove the id from its old key before adding it to the new one, or in the same step",
    is_transient=True,
)


def repeats(layout: Layout, held: Mapping[InspectedKey, Sequence[bytes]]) -> Iterator[Violation]:
    """Yields the repeated ids among those that were read from each key."""
    found: dict[str, list[tuple[InspectedKey, bytes]]] = {}
    for key, ids in held.items():
        for task_id, times in Counter(ids).items():
            # By the task's key: in some layouts two queues may have tasks of the same id.
            task_key = key_of(layout, key.queue, task_id)
            found.setdefault(task_key, []).append((key, task_id))
            if times > 1:
                yield Violation(TWICE, "", task_id, task_key, (key.key,))
    for task_key, repeated in found.items():
        if len(repeated) > 1:
            keys = [key for key, _ in repeated]
            names = tuple(sorted(key.key for key in keys))
            yield Violation(SEVERAL_KEYS, _text(keys), repeated[0][1], task_key, names)


def _text(keys: Sequence[InspectedKey]) -> str:
    names = " and ".join(sorted({key.name for key in keys}))
    queues = len({key.queue for key in keys})
    return names if queues == 1 else f"{names} of {queues} queues"
