"""What a layout promises about queues as a whole: their keys, their names, and their workers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.layouts.entry import LayoutEntry
from bench.layouts.inspected import LIST, SORTED_SET, InspectedKey, InspectedQueue
from bench.layouts.rules import Rule

KEY_TYPE = Rule(
    code="place-type",
    severity="error",
    title="key of the wrong type ({detail})",
    cause="Commands that push or pop there fail",
    cure="Rename or remove the key, and let only the queue's own commands write it",
)
NO_WORKER = Rule(
    code="no-worker",
    severity="warning",
    title="queue with pending tasks but no worker",
    cause="No worker that reports to Redis serves it",
    cure="Start a worker for it, or check whether one is registered under another name",
)


def unregistered(registry_key: str) -> Rule:
    """The rule that the set of all queue names, under this key, has every queue."""
    return Rule(
        code="unregistered-queue",
        severity="warning",
        title="queue that is missing from the set of all queues",
        cause="Tools that list the queues do not show it",
        cure=f"Add its name to {registry_key} (SADD) when first enqueueing on it",
    )


@dataclass(frozen=True)
class QueueFault:
    """A key or a queue that breaks a rule."""

    rule: Rule
    detail: str
    name: str
    """The key or the queue."""


def key_faults(keys: Sequence[InspectedKey]) -> Iterator[QueueFault]:
    """Yields the keys of the wrong type."""
    for each in keys:
        if not each.is_of_its_type:
            expected = SORTED_SET if each.queue_key.is_sorted_set else LIST
            yield QueueFault(KEY_TYPE, f"{each.kind} instead of {expected}", each.key)


def queue_faults(entry: LayoutEntry, queues: Sequence[InspectedQueue]) -> Iterator[QueueFault]:
    """Yields what is wrong with queues of a layout."""
    registry_key = entry.layout.registry()
    for queue in queues:
        for check in entry.ruleset.names:
            if check.is_wrong(queue.name):
                yield QueueFault(check.rule, "", queue.name)
                break
        if not queue.is_registered and registry_key is not None:
            yield QueueFault(unregistered(registry_key), "", queue.name)
        if queue.pending and not queue.has_worker:
            yield QueueFault(NO_WORKER, "", queue.name)
