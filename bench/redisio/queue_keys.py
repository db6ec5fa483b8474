"""Reads a queue's lists and sorted sets in bulk: their lengths, and the ids of a run's tasks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import redis

from bench.measure.bits import Bits
from bench.wire.columns import read_ids
from bench.wire.layout_contract import KeyRole, Layout, QueueKey

CHUNK = 5000
_MOST_EMPTY = 100
"""Ranges that may be empty where the key's length says otherwise, as ids come and go."""


@dataclass
class ListedTasks:
    """The ids in some lists and sorted sets."""

    own: dict[int, Bits] = field(default_factory=dict)
    """The run's tasks: sequence numbers by producer."""
    others: int = 0
    """Number of ids that are not of the run."""


def find(
    client: redis.Redis, layout: Layout, queues: Sequence[str], role: KeyRole, run: int
) -> ListedTasks:
    """The tasks in all keys of one role. Raises redis-py's errors."""
    found = ListedTasks()
    for key in queue_keys_of(layout, queues):
        if key.role is not role:
            continue
        for members in ids_from_tail(client, key):
            columns = read_ids(members, run)
            found.others += int(np.count_nonzero(columns.producer < 0))
            for producer in np.unique(columns.producer[columns.producer >= 0]).tolist():
                sequences = columns.sequence[columns.producer == producer]
                found.own.setdefault(producer, Bits()).add(sequences)
    return found


def queue_keys_of(layout: Layout, queues: Sequence[str]) -> list[QueueKey]:
    """The lists and sorted sets of all queues, queue by queue."""
    return [key for queue in queues for key in layout.queue_keys(queue)]


def ids_from_tail(client: redis.Redis, key: QueueKey) -> Iterator[list[bytes]]:
    """The ids in a key from its end, in batches of at most ``CHUNK``.

    Ids may be taken away meanwhile. Raises redis-py's errors, among them ResponseError for a server
    that counts ids that it does not return.
    """
    end, empty = length(client, key), 0
    while end > 0:
        start = max(end - CHUNK, 0)
        members: Sequence[object] = client.execute_command(*key.range(start, end))  # type: ignore[no-untyped-call]
        yield [bytes(member) for member in reversed(members) if isinstance(member, bytes)]
        end = start
        if not members:
            held = length(client, key)
            empty += held > start
            end = min(start, held)
        if empty > _MOST_EMPTY:
            raise redis.exceptions.ResponseError(f"{key.key} has {held} ids, and returns none")


def length(client: redis.Redis, key: QueueKey) -> int:
    """Number of ids in a list or a sorted set. Raises redis-py's errors."""
    held: int = client.execute_command(*key.length)  # type: ignore[no-untyped-call]
    return held


def lengths(client: redis.Redis, layout: Layout, queues: Sequence[str]) -> dict[KeyRole, int]:
    """Numbers of pending and active ids in all queues at one moment. Raises redis-py's errors."""
    queue_keys = queue_keys_of(layout, queues)
    with client.pipeline(transaction=True) as pipeline:
        for key in queue_keys:
            pipeline.execute_command(*key.length)  # type: ignore[no-untyped-call]
        held = pipeline.execute()
    found = dict.fromkeys((KeyRole.PENDING, KeyRole.ACTIVE), 0)
    for key, count in zip(queue_keys, held, strict=True):
        if key.role in found:
            found[key.role] += int(count)
    return found


def load_scripts(client: redis.Redis, layout: Layout) -> None:
    """Load the layout's Lua scripts into the server. Raises redis-py's errors."""
    for text in layout.scripts:
        client.script_load(text)
