"""``bench verify``: read what is in a server's queues, read again what seems wrong, and conclude.

The server is in use meanwhile. A task that is read after its id may have moved on in between, and
a worker's steps are several commands. So each id that seems wrong is searched again, its task is
read again, and the id is searched once more: only what is wrong with an id that stayed is a fault.
What a healthy worker may leave for a moment must still be wrong after a while.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import redis

from bench.errors import NothingToVerify
from bench.layouts import registry, rules
from bench.layouts.entry import LayoutEntry
from bench.layouts.inspected import InspectedKey, InspectedQueue
from bench.layouts.rules import Violation
from bench.redisio.other_layouts import other_layout_note
from bench.redisio.url import parse
from bench.verify import discovery, queue_rules, sampling
from bench.verify.discovery import DiscoveredQueues
from bench.verify.inspector import Inspector
from bench.verify.repeats import repeats
from bench.verify.sampling import Span
from bench.verify.verification import InspectionResult, Verification, conclude
from bench.wire.layout_contract import Layout

TRANSIENT_S = 0.25
"""Seconds that a healthy worker may take between two of its commands for one task."""
_REREADS = 2

Held = Mapping[InspectedKey, Sequence[bytes]]
"""Ids by the key that holds them."""


@dataclass(frozen=True)
class VerifyRequest:
    """What to inspect."""

    url: str
    layout: str
    queues: Sequence[str]
    """Names of the queues; empty for all that are found."""
    sample: int
    """Most ids of each key to read."""


def verify(
    client: redis.Redis, request: VerifyRequest, sleep: Callable[[float], None] = time.sleep
) -> Verification:
    """Inspects the queues, confirms what seems wrong, and returns the answer. Writes nothing.

    Raises NothingToVerify if no queue holds a task, and redis-py's errors.
    """
    entry = registry.get(request.layout)
    found = None if request.queues else discovery.find_queues(client, entry.layout)
    queues = list(request.queues if found is None else found.names)
    inspector = Inspector(client, entry)
    keys = inspector.keys(queues)
    inspection = _Inspection(inspector, entry, request.sample)
    held = inspection.read([key for key in keys if not inspector.is_lease(key)])
    type_faults = list(queue_rules.key_faults(keys))
    if not any(held.values()) and not type_faults:
        raise NothingToVerify(_nothing(client, request, entry.layout, found))
    suspects = inspection.suspects
    confirmed = inspection.confirm(sleep)
    inspected = _queues(client, entry.layout, queues, keys)
    return conclude(
        InspectionResult(
            layout=request.layout,
            address=parse(request.url).address,
            held=held,
            queues=len(queues),
            keys=len(keys),
            faults=confirmed,
            queue_faults=[*type_faults, *queue_rules.queue_faults(entry, inspected)],
            moved_on=len(_task_keys(suspects) - _task_keys(confirmed)),
            notes=_notes(client, entry.layout, found),
        )
    )


class _Inspection:
    """A first reading of keys, and further readings of what seemed wrong."""

    def __init__(self, inspector: Inspector, entry: LayoutEntry, sample: int) -> None:
        self._inspector = inspector
        self._entry = entry
        self._sample = sample
        self._spans: dict[InspectedKey, dict[Span, Sequence[bytes]]] = {}
        self.suspects: frozenset[Violation] = frozenset()

    def read(self, keys: Sequence[InspectedKey]) -> dict[InspectedKey, list[bytes]]:
        """Returns the ids that were read; ``suspects`` then has what seems wrong with them."""
        # A key to which a task moves is read before the one it comes from: a task that moves
        # meanwhile is seen once.
        for key in reversed(keys):
            spans = sampling.spans(key.length, self._sample) if key.is_of_its_type else []
            self._spans[key] = dict(zip(spans, self._inspector.ids(key, spans), strict=True))
        held = {
            key: [task_id for ids in self._spans[key].values() for task_id in ids] for key in keys
        }
        self.suspects = self._judge(held, held)
        return held

    def confirm(self, sleep: Callable[[float], None]) -> frozenset[Violation]:
        """Returns those suspects that are faults."""
        confirmed = self._again(self.suspects)
        for _ in range(_REREADS):
            transient = frozenset(fault for fault in confirmed if fault.rule.is_transient)
            if not transient:
                break
            sleep(TRANSIENT_S)
            confirmed = (confirmed - transient) | self._again(transient)
        return confirmed

    def _again(self, suspects: frozenset[Violation]) -> frozenset[Violation]:
        """Returns the faults that persist, of ids found both before and after their tasks were
        read."""
        if not suspects:
            return suspects
        wanted: dict[str, set[bytes]] = {}
        for fault in suspects:
            for key in fault.queue_keys:
                wanted.setdefault(key, set()).add(fault.id)
        before = self._find(wanted)
        to_read = {
            key: [each for each in ids if each in wanted[key.key]] for key, ids in before.items()
        }
        still = suspects & self._judge(before, to_read)
        after = {key.key: set(ids) for key, ids in self._find(wanted).items()}
        return frozenset(
            fault for fault in still if all(fault.id in after[key] for key in fault.queue_keys)
        )

    def _find(self, wanted: Mapping[str, set[bytes]]) -> dict[InspectedKey, list[bytes]]:
        """Returns the ids that are now near the positions of the wanted ones."""
        found = {}
        for key, spans in self._spans.items():
            if key.key in wanted:
                near = [span for span, ids in spans.items() if not wanted[key.key].isdisjoint(ids)]
                lists = self._inspector.ids(key, sampling.widened(near))
                found[key] = [task_id for ids in lists for task_id in ids]
        return found

    def _judge(self, held: Held, to_read: Held) -> frozenset[Violation]:
        found = [(key, task_id) for key, ids in to_read.items() for task_id in dict.fromkeys(ids)]
        of_tasks = (
            fault
            for task in self._inspector.tasks(found)
            for fault in rules.faults(self._entry.ruleset, task)
        )
        return frozenset((*of_tasks, *repeats(self._entry.layout, held)))


def _task_keys(faults: Iterable[Violation]) -> set[str]:
    return {fault.task_key for fault in faults}


def _queues(
    client: redis.Redis, layout: Layout, names: Sequence[str], keys: Sequence[InspectedKey]
) -> list[InspectedQueue]:
    lengths = {key.key: key.length for key in keys}
    registered = discovery.registered_queues(client, layout)
    workers = discovery.find_workers(client, layout)
    return [
        InspectedQueue(
            name=name,
            pending=lengths[layout.pending(name)],
            is_registered=registered is None or name in registered,
            has_worker=workers.serve(layout, name),
        )
        for name in names
    ]


def _nothing(
    client: redis.Redis, request: VerifyRequest, layout: Layout, found: DiscoveredQueues | None
) -> str:
    """Says why there is nothing to verify, and where there may be something."""
    known = discovery.find_queues(client, layout) if found is None else found
    if request.queues:
        queues = ", ".join(request.queues)
        what = f"no task on {queues} in the {layout.name} layout"
    else:
        what = f"no task in any queue of the {layout.name} layout at {parse(request.url).address}"
    hints = [
        f"the server has keys of the {name} layout: say --layout {name}" for name in known.others
    ]
    if not hints and (note := other_layout_note(client, layout)):
        hints.append(note)
    if found is None and known.names:
        hints.append(f"the server has queues of other names: {', '.join(known.names[:5])}")
    if not known.is_whole:
        hints.append(
            f"the search ended after {discovery.MOST_SCANNED:,} keys: name queues with --queues"
        )
    return "; ".join([what, *(hints or ["enqueue some tasks, then verify again"])])


def _notes(client: redis.Redis, layout: Layout, found: DiscoveredQueues | None) -> list[str]:
    """Says what was not inspected, and where another layout lives on the server."""
    if found is None or not found.others:
        note = other_layout_note(client, layout)
        notes = [note] if note else []
    else:
        notes = [
            f"the server also has keys of the {name} layout: verify them with --layout {name}"
            for name in found.others
        ]
    if found is not None and not found.is_whole:
        notes.append(
            "not all queues were inspected, because the search ends after "
            f"{discovery.MOST_SCANNED:,} keys or {discovery.MOST_QUEUES} queues: "
            "name the others with --queues"
        )
    return notes
