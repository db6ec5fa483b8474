"""What a layout promises about queues as a whole: their keys, their names, and who serves them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.layouts.inspected import LIST, SORTED_SET, InspectedKey, InspectedQueue
from bench.layouts.rules import Rule
from bench.wire.layout import Layout, split_queue

_OF_OTHER_LAYOUTS = re.compile(r"[{}.:]")

PLACE_TYPE = Rule(
    code="place-type",
    severity="error",
    title="key that is no {detail}",
    cause="Whoever pushes or pops there is refused",
    cure="Rename or remove what is there, and let only the queue's own commands write this key",
)
NO_PARENT = Rule(
    code="no-parent",
    severity="warning",
    title="queue whose name has no parent",
    cause="Workers register for a parent, and find no sub-queue of this name",
    cure="Call it PARENT_NAME, for example inference_default",
)
OTHER_SEPARATOR = Rule(
    code="other-separator",
    severity="warning",
    title="queue whose name has the marks of another layout",
    cause="This looks like the asynq layout, or like another version's separator",
    cure="Write parent and sub-queue with an underscore, or look with --layout asynq",
)
UNREGISTERED = Rule(
    code="unregistered-queue",
    severity="warning",
    title="queue that the set of all queues does not name",
    cause="asynq's tools and inspectors do not show it",
    cure="Add its name to asynq:queues (SADD) when first enqueueing on it",
)
NO_WORKER = Rule(
    code="no-worker",
    severity="warning",
    title="queue with pending tasks and without a worker",
    cause="No worker that says so in Redis serves it",
    cure="Start one for it; or see whether it is registered for another name",
)


@dataclass(frozen=True)
class QueueFault:
    """A key or a queue that breaks a rule."""

    rule: Rule
    detail: str
    name: str
    """Of the key or the queue."""


def place_faults(places: Sequence[InspectedKey]) -> Iterator[QueueFault]:
    """Keys of the wrong type."""
    for place in places:
        if not place.is_of_its_type:
            expected = SORTED_SET if place.is_sorted_set else LIST
            yield QueueFault(PLACE_TYPE, f"{expected}, but a {place.kind}", place.key)


def queue_faults(layout: Layout, queues: Sequence[InspectedQueue]) -> Iterator[QueueFault]:
    """What is wrong with queues, as they were seen."""
    for queue in queues:
        if layout.needs_parent:
            yield from _name_faults(layout, queue.name)
        if not queue.is_registered:
            yield QueueFault(UNREGISTERED, "", queue.name)
        if queue.pending and not queue.has_worker:
            yield QueueFault(NO_WORKER, "", queue.name)


def _name_faults(layout: Layout, name: str) -> Iterator[QueueFault]:
    parent, sub_queue = split_queue(name, layout.separator)
    if _OF_OTHER_LAYOUTS.search(name):
        yield QueueFault(OTHER_SEPARATOR, "", name)
    elif not parent or not sub_queue:
        yield QueueFault(NO_PARENT, "", name)
