"""Whether the queues that live on a server are laid out as a run expects."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import redis

from bench.layouts import registry
from bench.redisio.registrations import has_live_worker
from bench.wire.layout_contract import Layout

_SCAN_COUNT = 1_000
_MOST_SCANS = 10


def other_layout_note(client: redis.Redis, layout: Layout) -> str:
    """A sentence where another known layout lives on a server, and not this one.

    Looks at registered workers and queues, and at the first thousands of keys; empty if nothing
    of another layout was found. Raises redis-py's connection errors.
    """
    with contextlib.suppress(redis.exceptions.ResponseError):  # keys of another type, or forbidden
        known = [entry.layout for entry in registry.loaded()]
        others = [each for each in known if each.name != layout.name]
        return next(_notes(client, layout, others), "")
    return ""


def _notes(client: redis.Redis, layout: Layout, others: Sequence[Layout]) -> Iterator[str]:
    registered = [each for each in others if _has_workers(client, each)]
    if registered and not _has_workers(client, layout):
        yield _note("workers of", layout, registered)
    if _is_in_use(client, layout):
        return
    in_use = [each for each in others if _is_in_use(client, each)]
    if in_use:
        yield _note("queues of", layout, in_use)


def _has_workers(client: redis.Redis, layout: Layout) -> bool:
    """Whether workers are registered that count as this layout's own moves do."""
    return any(
        registration.rules == layout.counter_rules and has_live_worker(client, registration)
        for registration in layout.registrations()
    )


def _is_in_use(client: redis.Redis, layout: Layout) -> bool:
    """Whether queues are registered, or have keys among the first ones of the server."""
    key = layout.registry()
    if key is not None:
        return bool(client.scard(key))
    return any(map(layout.queue_of, _first_keys(client, layout)))


def _first_keys(client: redis.Redis, layout: Layout) -> Iterator[str]:
    for pattern in layout.queue_patterns:
        cursor = 0
        for _ in range(_MOST_SCANS):
            reply: Any = client.scan(cursor, match=pattern, count=_SCAN_COUNT)
            cursor, keys = reply
            yield from (key.decode(errors="backslashreplace") for key in keys)
            if not cursor:
                break


def _note(what: str, layout: Layout, found: Sequence[Layout]) -> str:
    names = " or ".join(each.name for each in found)
    if any(each.pending("q") == layout.pending("q") for each in found):
        effect = f"in which a task costs it other commands and bytes than in layout {layout.name}"
    else:
        effect = f"and workers of that layout see no key of layout {layout.name}"
    return f"this server has {what} the layout {names}, {effect}: use --layout {names}"
