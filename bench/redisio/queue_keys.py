"""A run's own tasks in a server's lists and sets: finding them, and removing all that it wrote.

Everything goes by id. Nothing is flushed, no list is deleted whole, and no key is touched that
the run did not write.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import redis

from bench.measure.bits import Bits
from bench.wire.columns import read_ids
from bench.wire.layout import KeyRole, Layout, QueueKey

CHUNK = 5000


def find(
    client: redis.Redis, layout: Layout, queues: Sequence[str], role: KeyRole, run: int
) -> dict[int, Bits]:
    """The run's ids in all places of one meaning, as sequence numbers by producer.

    Raises redis-py's errors.
    """
    found: dict[int, Bits] = {}
    for key in queue_keys_of(layout, queues):
        if key.role is not role:
            continue
        for members in ids_from_tail(client, key):
            columns = read_ids(members, run)
            for producer in np.unique(columns.producer[columns.producer >= 0]).tolist():
                sequences = columns.sequence[columns.producer == producer]
                found.setdefault(producer, Bits()).add(sequences)
    return found


def queue_keys_of(layout: Layout, queues: Sequence[str]) -> list[QueueKey]:
    return [key for queue in queues for key in layout.queue_keys(queue)]


def ids_from_tail(client: redis.Redis, key: QueueKey) -> Iterator[list[bytes]]:
    held = length(client, key)
    for end in range(held, 0, -CHUNK):
        start = max(end - CHUNK, 0)
        members: Sequence[object] = client.execute_command(*key.range(start, end))  # type: ignore[no-untyped-call]
        yield [bytes(member) for member in reversed(members) if isinstance(member, bytes)]


def length(client: redis.Redis, key: QueueKey) -> int:
    """How many ids a list or a sorted set holds. Raises redis-py's errors."""
    return int(client.execute_command(*key.length))  # type: ignore[no-untyped-call]


def lengths(client: redis.Redis, layout: Layout, queues: Sequence[str]) -> dict[KeyRole, int]:
    """How many ids all places of each meaning hold, at one moment. Raises redis-py's errors."""
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
    """Make the layout's commands known to the server. Raises redis-py's errors."""
    for text in layout.scripts:
        client.script_load(text)
