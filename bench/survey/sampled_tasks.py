"""Reads a sample of tasks: their sizes, their kind of payload, and their attempts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import redis

from bench.layouts.entry import LayoutEntry
from bench.layouts.inspected import key_of
from bench.redisio.pipelined_reads import read
from bench.survey.observed import SampledTask
from bench.verify import sampling
from bench.wire.layout_contract import STATE_COMPLETED, Layout, QueueKey

_LARGEST = 256_000
"""Bytes of a task up to which it is read; of a larger one only the size is asked for."""
_CHUNK = 20
_FEWEST_OF_KEY = 10
_SCAN_COUNT = 1_000
_MOST_SCANS = 50
"""Searches for tasks that are on no list, such as completed ones."""


@dataclass(frozen=True)
class SampleOfTasks:
    """The sample."""

    tasks: Sequence[SampledTask]
    unreadable: int
    fields_of_most: frozenset[str]
    """The fields of the layout's rules that at least half of the hashes have."""


@dataclass(frozen=True)
class _TaskPlace:
    """Where a task is; ``id`` and ``queue`` may be unknown."""

    key: bytes
    queue: str = ""
    id: str = ""


def sample(
    client: redis.Redis, entries: Sequence[LayoutEntry], queues: Sequence[str], most: int
) -> SampleOfTasks:
    """Reads up to ``most`` tasks: those on the queues' lists and in their sets, then others that a
    bounded search finds.

    ``entries`` are layouts with the same keys, whose fields are read. Raises redis-py's errors.
    """
    layout = entries[0].layout
    places = _listed(client, layout, queues, most)
    if len(places) < most:
        known = {each.key for each in places}
        others = _searched(client, layout, queues, most - len(places), known)
        places = [*places, *others]
    reader = _TaskReader(client, entries)
    for start in range(0, len(places), _CHUNK):
        reader.add(places[start : start + _CHUNK])
    half = len(reader.tasks) / 2
    return SampleOfTasks(
        tasks=reader.tasks,
        unreadable=reader.unreadable,
        fields_of_most=frozenset(name for name, count in reader.fields.items() if count >= half),
    )


def _listed(
    client: redis.Redis, layout: Layout, queues: Sequence[str], most: int
) -> list[_TaskPlace]:
    keys = [
        (queue, key)
        for queue in queues
        for key in layout.queue_keys(queue)
        if key.key != layout.leases(queue)
    ]
    lengths = read(client, [key.length for _, key in keys])
    filled = [
        (queue, key, length) for (queue, key), length in zip(keys, lengths, strict=True) if length
    ]
    share = max(most // max(len(filled), 1), _FEWEST_OF_KEY)
    found: dict[bytes, _TaskPlace] = {}
    for queue, key, length in sorted(filled, key=lambda each: -each[2]):
        if len(found) >= most:
            break
        for task_id in _ids(client, key, length, min(share, most - len(found))):
            place = key_of(layout, queue, task_id).encode(errors="surrogateescape")
            found[place] = _TaskPlace(place, queue, task_id.decode(errors="surrogateescape"))
    return list(found.values())


def _ids(client: redis.Redis, key: QueueKey, length: int, wanted: int) -> list[bytes]:
    spans = sampling.spans(length, wanted)
    replies = read(client, [key.next_popped(each.start, each.stop) for each in spans])
    return [task_id for reply in replies if reply for task_id in key.in_turn(reply)]


def _searched(
    client: redis.Redis, layout: Layout, queues: Sequence[str], most: int, known: set[bytes]
) -> list[_TaskPlace]:
    """Tasks by their keys' pattern, in the order in which SCAN finds them."""
    found: dict[bytes, _TaskPlace] = {}
    cursor = 0
    for _ in range(_MOST_SCANS):
        reply: Any = client.scan(cursor, match=layout.task("*", "*"), count=_SCAN_COUNT)
        cursor, keys = reply
        for key in keys:
            if key not in known:
                found[key] = _place_of(layout, queues, key)
        if not cursor or len(found) >= most:
            break
    return list(found.values())[:most]


def _place_of(layout: Layout, queues: Sequence[str], key: bytes) -> _TaskPlace:
    text = key.decode(errors="surrogateescape")
    for queue in queues:
        prefix = layout.task(queue, "")
        if text.startswith(prefix):
            in_every_queue = prefix == layout.task("", "")
            return _TaskPlace(key, "" if in_every_queue else queue, text.removeprefix(prefix))
    return _TaskPlace(key, "", text.removeprefix(layout.task("", "")))


class _TaskReader:
    """Reads tasks in chunks. Raises redis-py's errors."""

    def __init__(self, client: redis.Redis, entries: Sequence[LayoutEntry]) -> None:
        self._client = client
        self._layout = entries[0].layout
        rulesets = [each.ruleset for each in entries]
        self._names = list(dict.fromkeys(name for each in rulesets for name in each.fields))
        self._large = list(dict.fromkeys(name for each in rulesets for name in each.large))
        self.tasks: list[SampledTask] = []
        self.unreadable = 0
        self.fields: Counter[str] = Counter()

    def add(self, places: Sequence[_TaskPlace]) -> None:
        """Read these tasks."""
        sizes = self._sizes(places)
        readable = [each for each in places if 0 < sizes[each.key] <= _LARGEST]
        self.unreadable += sum(not sizes[each.key] for each in places)
        self.tasks += [
            SampledTask(each.queue, sizes[each.key])
            for each in places
            if sizes[each.key] > _LARGEST
        ]
        hashes = read(self._client, [("HMGET", each.key, *self._names) for each in readable])
        read_now = [self._task(*each) for each in zip(readable, hashes, strict=True)]
        self.unreadable += read_now.count(None)
        self.tasks += self._with_results(
            [(place, task) for place, task in zip(readable, read_now, strict=True) if task]
        )

    def _sizes(self, places: Sequence[_TaskPlace]) -> dict[bytes, int]:
        commands = [("HSTRLEN", each.key, name) for each in places for name in self._large]
        replies = iter(read(self._client, commands))
        return {each.key: sum(next(replies) or 0 for _ in self._large) for each in places}

    def _task(self, place: _TaskPlace, values: Sequence[bytes | None] | None) -> SampledTask | None:
        named = zip(self._names, values or (), strict=False)
        fields = {name: value for name, value in named if value is not None}
        pairs = [part for name, value in fields.items() for part in (name.encode(), value)]
        try:
            payloads, retries, limits, _ = self._layout.read([pairs])
        except ValueError:
            return None
        self.fields.update(fields.keys())
        in_fields = fields.get("queue", b"").decode(errors="replace")
        return SampledTask(
            queue=place.queue or in_fields,
            size=len(payloads[0]),
            is_json=_is_json(payloads[0]),
            retries=retries[0],
            max_retry=limits[0],
            state=fields.get("state", b"").decode(errors="replace"),
        )

    def _with_results(self, found: Sequence[tuple[_TaskPlace, SampledTask]]) -> list[SampledTask]:
        asked = [
            self._layout.has_result(task.queue, place.id)
            for place, task in found
            if self._is_asked(place, task)
        ]
        replies = iter(read(self._client, asked))
        return [
            replace(task, has_result=bool(next(replies))) if self._is_asked(place, task) else task
            for place, task in found
        ]

    def _is_asked(self, place: _TaskPlace, task: SampledTask) -> bool:
        is_completed = task.state == STATE_COMPLETED
        return is_completed and self._layout.has_results and place.id.isprintable()


def _is_json(payload: bytes) -> bool:
    try:
        msgspec.json.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True
