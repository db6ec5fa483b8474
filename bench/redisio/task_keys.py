"""The keys that belong to tasks, found on the server by their names."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import redis

from bench.wire import ids
from bench.wire.layout_contract import Layout

_MARK = "\x00"
_SPECIAL = re.compile(r"([\\*?\[\]^])")
_SCAN_COUNT = 5_000


def key_patterns(layout: Layout, queues: Sequence[str], run: int) -> list[str]:
    """Glob-style patterns that match every key of the run's tasks, and no other key."""
    return sorted(_literal(prefix) + _any_id(run) for prefix in _prefixes(layout, queues))


def scan(
    client: redis.Redis, layout: Layout, queues: Sequence[str], run: int
) -> Iterator[list[bytes]]:
    """The keys of the run's tasks that are on the server, in batches.

    Goes once through all keys of the server, some thousands at a time. Raises redis-py's errors.
    """
    prefixes = {prefix.encode() for prefix in _prefixes(layout, queues)}
    for keys in _scan(client, f"*{_any_id(run)}"):
        own = [key for key in keys if key[: -ids.ID_LENGTH] in prefixes]
        if own:
            yield own


def scan_heartbeats(client: redis.Redis, layout: Layout, name: str) -> Iterator[list[bytes]]:
    """The heartbeats that are on the server of workers whose names are ``name`` and a number.

    Goes once through all keys of the server. Raises redis-py's errors.
    """
    prefix = layout.worker(name).encode()
    for keys in _scan(client, f"{_literal(prefix.decode())}*"):
        own = [key for key in keys if key[len(prefix) :].isdigit()]
        if own:
            yield own


def scan_ids(client: redis.Redis, layout: Layout, queue: str) -> Iterator[list[str]]:
    """The ids of all tasks that are on the server, in batches. In a layout that does not keep tasks
    under their queues' names, they are those of all queues.

    Goes once through all keys of the server. Raises redis-py's errors.
    """
    prefix = layout.task(queue, "").encode()
    for keys in _scan(client, f"{_literal(prefix.decode())}*"):
        own = [key[len(prefix) :].decode(errors="replace") for key in keys]
        if own:
            yield own


def _scan(client: redis.Redis, pattern: str) -> Iterator[list[bytes]]:
    """The keys that match a pattern. Raises ResponseError where the server would never end."""
    cursor = 0
    while True:
        reply: Any = client.scan(cursor, match=pattern, count=_SCAN_COUNT)
        following, keys = reply
        yield keys
        if following == 0:
            return
        if following == cursor:
            raise redis.exceptions.ResponseError(f"SCAN stays at cursor {cursor}")
        cursor = following


def _prefixes(layout: Layout, queues: Sequence[str]) -> set[str]:
    """What stands before the id in the keys of a task."""
    return {key.removesuffix(_MARK) for queue in queues for key in layout.keys_of(queue, _MARK)}


def _any_id(run: int) -> str:
    """A pattern that matches the ids of a run."""
    text = ids.run_text(run)
    return f"{text[:8]}-{text[8:12]}-8???-8{text[12:]}-????????????"


def _literal(text: str) -> str:
    """A text as a pattern that matches it alone."""
    return _SPECIAL.sub(r"\\\1", text)
