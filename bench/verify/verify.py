"""``bench verify``: look at what is in a server's queues, again at what seems wrong, and conclude.

The server is at work meanwhile. A task that is read after its id may have moved on in between, and
a worker's steps are not all one. So each id that seems wrong is looked for again, read again, and
looked for once more: only what is wrong of an id that stayed is a fault. What a healthy worker may
leave so for a moment must be so again after a while.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import redis

from bench.errors import NothingToVerify
from bench.layouts import rules
from bench.layouts.inspected import InspectedKey, InspectedQueue
from bench.layouts.rules import Fault, Ruleset
from bench.layouts.rulesets import RULESETS
from bench.redisio.connection import address
from bench.verify import discovery, queue_rules, sampling
from bench.verify.discovery import DiscoveredQueues
from bench.verify.inspector import LEASE, Inspector
from bench.verify.repeats import repeats
from bench.verify.sampling import Span
from bench.verify.verification import InspectionResult, Verification, conclude
from bench.wire.layout import Layout

PASSING_S = 0.25
"""How long a worker may take between two of its commands for one task, and pass for healthy."""
_REREADS = 2

Held = Mapping[InspectedKey, Sequence[bytes]]


@dataclass(frozen=True)
class VerifyRequest:
    """What is to be looked at."""

    url: str
    layout: str
    queues: Sequence[str]
    """Empty for all that are found."""
    sample: int
    """How many ids of each place, at most."""


def verify(
    client: redis.Redis, request: VerifyRequest, sleep: Callable[[float], None] = time.sleep
) -> Verification:
    """Look, confirm and conclude. Nothing is written.

    Raises NothingToVerify where no queue holds a task, and redis-py's errors.
    """
    ruleset = RULESETS[request.layout]
    found = None if request.queues else discovery.find_queues(client, ruleset.layout)
    queues = list(request.queues if found is None else found.names)
    inspector = Inspector(client, ruleset)
    every = inspector.places(queues)
    look = _Inspection(inspector, ruleset, request.sample)
    held = look.at([place for place in every if place.name != LEASE])
    type_faults = list(queue_rules.place_faults(every))
    if not any(held.values()) and not type_faults:
        raise NothingToVerify(_nothing(client, request, ruleset.layout, found))
    suspects = look.suspects
    confirmed = look.confirm(sleep)
    seen = _queues(client, ruleset.layout, queues, every)
    return conclude(
        InspectionResult(
            layout=request.layout,
            address=address(request.url),
            places=held,
            queues=len(queues),
            keys=len(every),
            faults=confirmed,
            queue_faults=[*type_faults, *queue_rules.queue_faults(ruleset.layout, seen)],
            moved_on=len(_keys(suspects) - _keys(confirmed)),
            notes=_notes(request, found),
        )
    )


class _Inspection:
    """A first look at places, and further ones at what seemed wrong."""

    def __init__(self, inspector: Inspector, ruleset: Ruleset, sample: int) -> None:
        self._inspector = inspector
        self._ruleset = ruleset
        self._sample = sample
        self._spans: dict[InspectedKey, dict[Span, Sequence[bytes]]] = {}
        self.suspects: frozenset[Fault] = frozenset()

    def at(self, places: Sequence[InspectedKey]) -> dict[InspectedKey, list[bytes]]:
        """The ids that were looked at; what seems wrong of them is in ``suspects`` then."""
        # Where a task goes is read before where it comes from: one that moves is seen once.
        for place in reversed(places):
            spans = sampling.spans(place.length, self._sample) if place.is_of_its_type else []
            self._spans[place] = dict(zip(spans, self._inspector.ids(place, spans), strict=True))
        held = {
            place: [task_id for ids in self._spans[place].values() for task_id in ids]
            for place in places
        }
        self.suspects = self._judge(held, held)
        return held

    def confirm(self, sleep: Callable[[float], None]) -> frozenset[Fault]:
        """Those suspects that are faults."""
        confirmed = self._again(self.suspects)
        for _ in range(_REREADS):
            passing = frozenset(fault for fault in confirmed if fault.rule.in_passing)
            if not passing:
                break
            sleep(PASSING_S)
            confirmed = (confirmed - passing) | self._again(passing)
        return confirmed

    def _again(self, suspects: frozenset[Fault]) -> frozenset[Fault]:
        """Those that are so still, of ids that were there before and after they were read."""
        if not suspects:
            return suspects
        wanted: dict[str, set[bytes]] = {}
        for fault in suspects:
            for key in fault.place_keys:
                wanted.setdefault(key, set()).add(fault.id)
        before = self._find(wanted)
        to_read = {
            place: [each for each in ids if each in wanted[place.key]]
            for place, ids in before.items()
        }
        still = suspects & self._judge(before, to_read)
        after = {place.key: set(ids) for place, ids in self._find(wanted).items()}
        return frozenset(
            fault for fault in still if all(fault.id in after[key] for key in fault.place_keys)
        )

    def _find(self, wanted: Mapping[str, set[bytes]]) -> dict[InspectedKey, list[bytes]]:
        """The ids that are now about where the wanted ones were."""
        found = {}
        for place, spans in self._spans.items():
            if place.key in wanted:
                near = [
                    span for span, ids in spans.items() if not wanted[place.key].isdisjoint(ids)
                ]
                lists = self._inspector.ids(place, sampling.widened(near))
                found[place] = [task_id for ids in lists for task_id in ids]
        return found

    def _judge(self, held: Held, to_read: Held) -> frozenset[Fault]:
        seen = [
            (place, task_id) for place, ids in to_read.items() for task_id in dict.fromkeys(ids)
        ]
        of_tasks = (
            fault
            for task in self._inspector.tasks(seen)
            for fault in rules.faults(self._ruleset, task)
        )
        return frozenset((*of_tasks, *repeats(self._ruleset.layout, held)))


def _keys(faults: Iterable[Fault]) -> set[str]:
    return {fault.task_key for fault in faults}


def _queues(
    client: redis.Redis, layout: Layout, names: Sequence[str], places: Sequence[InspectedKey]
) -> list[InspectedQueue]:
    pending = {place.queue: place.length for place in places if place.name == "pending"}
    registered = discovery.registered_queues(client, layout)
    workers = discovery.find_workers(client, layout)
    return [
        InspectedQueue(
            name=name,
            pending=pending[name],
            is_registered=registered is None or name in registered,
            has_worker=workers.serve(layout, name),
        )
        for name in names
    ]


def _nothing(
    client: redis.Redis, request: VerifyRequest, layout: Layout, found: DiscoveredQueues | None
) -> str:
    """Why there is nothing to look at, and where there might be."""
    known = discovery.find_queues(client, layout) if found is None else found
    if request.queues:
        here = ", ".join(request.queues)
        what = f"no task on {here} in the {layout.name} layout"
    else:
        what = f"no task in any queue of the {layout.name} layout at {address(request.url)}"
    hints = [f"there are {name}-layout keys here: say --layout {name}" for name in known.others]
    if found is None and known.names:
        hints.append(f"there are queues of other names: {', '.join(known.names[:5])}")
    if not known.is_whole:
        hints.append(f"only {discovery.MOST_SCANNED:,} keys were searched: say --queues")
    return "; ".join([what, *(hints or ["enqueue some, then verify again"])])


def _notes(request: VerifyRequest, found: DiscoveredQueues | None) -> list[str]:
    """What was not looked at."""
    if found is None:
        return []
    notes = [
        f"there are {name}-layout keys here as well: say --layout {name} to look at them"
        for name in found.others
    ]
    if not found.is_whole:
        notes.append(
            "not all queues were looked at: the search ends after "
            f"{discovery.MOST_SCANNED:,} keys or {discovery.MOST_QUEUES} queues: "
            "name the others with --queues"
        )
    return notes
