"""Which queues and workers a server knows of, found by reading alone and within bounds.

Keys are found by SCAN, which never holds the server up; after a million keys it is given up.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import redis

from bench.layouts.registry import LAYOUTS
from bench.wire.layout import Layout, split_queue

_SCAN_COUNT = 1000
_MOST_SCANS = 1000
MOST_SCANNED = _SCAN_COUNT * _MOST_SCANS
"""Keys that one search goes through."""
MOST_QUEUES = 500
_SERVERS = "asynq:servers"
"""Sorted set in which asynq's own servers write until when they are to be believed."""
_NO_QUEUES = ("t:", "result:", "workers:", "servers:")
"""How keys go on that are no queue's, and may end like one's: ids are anything."""


@dataclass(frozen=True)
class DiscoveredQueues:
    """The queues that were found of each layout."""

    names: Sequence[str]
    """Of the layout that was asked for; at most ``MOST_QUEUES``."""
    others: Sequence[str]
    """Layouts by name, other than that one, of which there are queues too."""
    is_whole: bool
    """Whether all keys were gone through, and all queues named."""


@dataclass(frozen=True)
class DiscoveredWorkers:
    """The workers that a server knows of."""

    serves: frozenset[str]
    """Parents, or queues, that workers say they are registered for."""
    serves_any: bool
    """Whether there is one that does not say so; or that cannot be told."""

    def serve(self, layout: Layout, queue: str) -> bool:
        """Whether one of them may serve a queue."""
        parent, _ = split_queue(queue, layout.separator)
        return self.serves_any or not self.serves.isdisjoint({queue, parent})


def find_queues(client: redis.Redis, layout: Layout) -> DiscoveredQueues:
    """Queues that hold tasks which wait or are worked on, and those that are registered.

    Raises redis-py's errors.
    """
    scans = [_Scan(client, f"asynq:*:{place}") for place in ("pending", "active")]
    found: dict[str, set[str]] = {name: set() for name in LAYOUTS}
    for scan in scans:
        for key in scan.found():
            owner, queue = _owner(key)
            if queue:
                found[owner].add(queue)
    registered = registered_queues(client, layout)
    names = sorted(found[layout.name] | (registered or frozenset()))
    return DiscoveredQueues(
        names=names[:MOST_QUEUES],
        others=[name for name, queues in found.items() if name != layout.name and queues],
        is_whole=all(scan.is_whole for scan in scans) and len(names) <= MOST_QUEUES,
    )


def registered_queues(client: redis.Redis, layout: Layout) -> frozenset[str] | None:
    """The set of all queues; None where the layout has none, or something else is in its place.

    Raises redis-py's errors.
    """
    registry = layout.registry()
    if registry is None or _text(client.type(registry)) not in ("set", "none"):
        return None
    return frozenset(_text(name) for name in client.smembers(registry))


def find_workers(client: redis.Redis, layout: Layout) -> DiscoveredWorkers:
    """Heartbeats, and asynq's own servers. Raises redis-py's errors."""
    scan = _Scan(client, layout.worker("*"))
    serves, serves_any = set(), False
    for key in scan.found():
        if _text(client.type(key)) == "hash":
            queue = client.hget(key, "queue")
            serves_any |= queue is None  # asynq's own tell of their tasks there, not of queues
            serves.add(_text(queue or ""))
    return DiscoveredWorkers(
        serves=frozenset(serves),
        serves_any=serves_any or not scan.is_whole or _has_server(client, layout),
    )


def _has_server(client: redis.Redis, layout: Layout) -> bool:
    if layout.registry() is None or _text(client.type(_SERVERS)) != "zset":
        return False
    now_s = int(client.time()[0])
    last: Any = client.zrange(_SERVERS, -1, -1, withscores=True)
    return any(until_s >= now_s for _, until_s in last)


class _Scan:
    """The keys of one pattern, up to a bound."""

    def __init__(self, client: redis.Redis, pattern: str) -> None:
        self._client = client
        self._pattern = pattern
        self.is_whole = False
        """Whether the last key has been reached."""

    def found(self) -> Iterator[str]:
        cursor = 0
        for _ in range(_MOST_SCANS):
            cursor, keys = self._client.scan(cursor, match=self._pattern, count=_SCAN_COUNT)
            yield from map(_text, keys)
            if not int(cursor):
                self.is_whole = True
                return


def _owner(key: str) -> tuple[str, str]:
    """The layout and the queue of a list's key; no queue where it is none's."""
    name = key.removeprefix("asynq:").rpartition(":")[0]
    if name.startswith(_NO_QUEUES):
        return "runqy", ""
    if name.startswith("{") and name.endswith("}"):
        return "asynq", name[1:-1]
    return "runqy", name


def _text(value: object) -> str:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
