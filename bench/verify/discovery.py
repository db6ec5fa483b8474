"""Finds the queues and workers that a server knows of, by bounded reading.

Keys are found by SCAN, which never blocks the server; the search ends after a million keys.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import redis

from bench.layouts import registry
from bench.wire.layout_contract import Layout, split_queue

_SCAN_COUNT = 1000
_MOST_SCANS = 1000
MOST_SCANNED = _SCAN_COUNT * _MOST_SCANS
"""The number of keys after which one search ends."""
MOST_QUEUES = 500


@dataclass(frozen=True)
class DiscoveredQueues:
    """The queues that were found, of each layout."""

    names: Sequence[str]
    """Queues of the requested layout; at most ``MOST_QUEUES``."""
    others: Sequence[str]
    """Names of the other layouts that have queues on the server."""
    is_whole: bool
    """Whether the search reached the last key, and ``names`` has all queues."""


@dataclass(frozen=True)
class DiscoveredWorkers:
    """The workers that a server knows of."""

    serves: frozenset[str]
    """Parents, or queues, for which workers say they are registered."""
    serves_any: bool
    """Whether there is a worker that does not say what it serves, or this is unknown."""

    def serve(self, layout: Layout, queue: str) -> bool:
        """Whether one of the workers may serve a queue."""
        parent, _ = split_queue(queue, layout.separator)
        return self.serves_any or not self.serves.isdisjoint({queue, parent})


def find_queues(client: redis.Redis, layout: Layout) -> DiscoveredQueues:
    """Finds queues with pending or active tasks, and those that are registered.

    Layouts may share their keys: a queue is the requested layout's if that knows its key, else that
    of the first one that does. Raises redis-py's errors.
    """
    layouts = [layout, *(each.layout for each in registry.loaded() if each.layout != layout)]
    found, is_whole = queues_with_tasks(client, layouts)
    registered = registered_queues(client, layout)
    names = sorted(found[layout.name] | (registered or frozenset()))
    return DiscoveredQueues(
        names=names[:MOST_QUEUES],
        others=[name for name, queues in found.items() if name != layout.name and queues],
        is_whole=is_whole and len(names) <= MOST_QUEUES,
    )


def queues_with_tasks(
    client: redis.Redis, layouts: Sequence[Layout]
) -> tuple[dict[str, set[str]], bool]:
    """Finds queues that have pending or active tasks, by the name of the first of the layouts that
    knows their keys, and whether the search reached the last key.

    Raises redis-py's errors.
    """
    found: dict[str, set[str]] = {each.name: set() for each in layouts}
    patterns = dict.fromkeys(pattern for each in layouts for pattern in each.queue_patterns)
    scans = [_Scan(client, pattern) for pattern in patterns]
    for scan in scans:
        for key in scan.found():
            for each in layouts:
                queue = each.queue_of(key)
                if queue:
                    found[each.name].add(queue)
                    break
    return found, all(scan.is_whole for scan in scans)


def registered_queues(client: redis.Redis, layout: Layout) -> frozenset[str] | None:
    """Returns the set of all queue names; None if the layout has none, or its key is of another
    type.

    Raises redis-py's errors.
    """
    key = layout.registry()
    if key is None or _text(client.type(key)) not in ("set", "none"):
        return None
    return frozenset(_text(name) for name in client.smembers(key))


def find_workers(client: redis.Redis, layout: Layout) -> DiscoveredWorkers:
    """Finds workers by their heartbeats, and servers that registered themselves.

    Raises redis-py's errors.
    """
    scan = _Scan(client, layout.worker("*"))
    serves, serves_any = set(), False
    for key in scan.found():
        if _text(client.type(key)) == "hash":
            queue = client.hget(key, "queue")
            serves_any |= queue is None  # other software may keep its tasks there, not its queues
            serves.add(_text(queue or ""))
    return DiscoveredWorkers(
        serves=frozenset(serves),
        serves_any=serves_any or not scan.is_whole or _has_server(client, layout),
    )


def _has_server(client: redis.Redis, layout: Layout) -> bool:
    key = layout.servers()
    if key is None or _text(client.type(key)) != "zset":
        return False
    now_s = int(client.time()[0])
    last: Any = client.zrange(key, -1, -1, withscores=True)
    return any(until_s >= now_s for _, until_s in last)


class _Scan:
    """A bounded search for the keys that match one pattern."""

    def __init__(self, client: redis.Redis, pattern: str) -> None:
        self._client = client
        self._pattern = pattern
        self.is_whole = False
        """Whether the search has reached the last key."""

    def found(self) -> Iterator[str]:
        cursor = 0
        for _ in range(_MOST_SCANS):
            cursor, keys = self._client.scan(cursor, match=self._pattern, count=_SCAN_COUNT)
            yield from map(_text, keys)
            if not int(cursor):
                self.is_whole = True
                return


def _text(value: object) -> str:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
