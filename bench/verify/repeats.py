"""Ids that are where they should be once, and are there more often."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from bench.layouts.inspected import InspectedKey, key_of
from bench.layouts.rules import Fault, Rule
from bench.wire.layout import Layout

TWICE = Rule(
    code="twice-on-a-list",
    severity="error",
    title="id that is twice on one list",
    cause="The task runs twice",
    cure="Push an id once, and after a lost reply look before pushing again",
    in_passing=True,
)
TWO_PLACES = Rule(
    code="in-two-places",
    severity="error",
    title="task that is in several places ({detail})",
    cause="It runs again although another worker has it, or has done it",
    cure="Take the id off the place that it leaves before, or as, it is put where it goes",
    in_passing=True,
)


def repeats(layout: Layout, held: Mapping[InspectedKey, Sequence[bytes]]) -> Iterator[Fault]:
    """From the ids that were seen in each place."""
    where: dict[str, list[tuple[InspectedKey, bytes]]] = {}
    for place, ids in held.items():
        for task_id, times in Counter(ids).items():
            # By the task's key: in some layouts two queues may have tasks of the same id.
            key = key_of(layout, place.queue, task_id)
            where.setdefault(key, []).append((place, task_id))
            if times > 1:
                yield Fault(TWICE, "", task_id, key, (place.key,))
    for key, seen in where.items():
        if len(seen) > 1:
            places = [place for place, _ in seen]
            keys = tuple(sorted(place.key for place in places))
            yield Fault(TWO_PLACES, _named(places), seen[0][1], key, keys)


def _named(places: Sequence[InspectedKey]) -> str:
    names = sorted({place.name for place in places})
    if len({place.queue for place in places}) == 1:
        return " and ".join(names)
    return f"{' and '.join(names)}, of {len({place.queue for place in places})} queues"
