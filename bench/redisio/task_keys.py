"""The keys that belong to the tasks of one run, found on the server by their names."""

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
    cursor = None
    while cursor != 0:
        reply: Any = client.scan(cursor or 0, match=f"*{_any_id(run)}", count=_SCAN_COUNT)
        cursor, keys = reply
        own = [key for key in keys if key[: -ids.ID_LENGTH] in prefixes]
        if own:
            yield own


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
