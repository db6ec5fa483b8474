"""A run's own tasks in a server's lists: finding them, and removing all that the run wrote.

Everything goes by id. Nothing is flushed, no list is deleted whole, and no key is touched that
the run did not write.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import redis

from bench.measure.bits import Bits
from bench.wire import ids
from bench.wire.columns import read_ids
from bench.wire.layout import Layout

_CHUNK = 5000


def find(client: redis.Redis, key: str, run: int) -> dict[int, Bits]:
    """The run's ids in a list, as sequence numbers by producer. Raises redis-py's errors."""
    found: dict[int, Bits] = {}
    for members in _chunks_from_tail(client, key):
        columns = read_ids(members, run)
        for producer in np.unique(columns.producer[columns.producer >= 0]).tolist():
            sequences = columns.sequence[columns.producer == producer]
            found.setdefault(producer, Bits()).add(sequences)
    return found


def remove(
    client: redis.Redis,
    layout: Layout,
    queues: Sequence[str],
    run: int,
    sent: Mapping[int, int],
) -> int:
    """Take the run's ids off the lists, then delete its tasks and results.

    ``sent`` is the number of tasks that each producer sent. Returns how many keys were deleted.
    Raises redis-py's errors.
    """
    for queue in queues:
        for key in (layout.pending(queue), layout.active(queue)):
            _remove_from_list(client, key, run)
    deleted = 0
    for producer, count in sent.items():
        for start in range(0, count, _CHUNK):
            stop = min(start + _CHUNK, count)
            names = [
                ids.format_id(ids.TaskId(run, producer, sequence))
                for sequence in range(start, stop)
            ]
            deleted += _delete(client, layout, queues, names)
    return deleted


def _delete(
    client: redis.Redis, layout: Layout, queues: Sequence[str], names: Sequence[str]
) -> int:
    # A layout may keep a task under its queue's name; which one that was is not known here.
    keys = {layout.task(queue, name) for name in names for queue in queues}
    keys.update(layout.result(name) for name in names)
    return int(client.unlink(*keys))


def _remove_from_list(client: redis.Redis, key: str, run: int) -> None:
    own = [
        member
        for members in _chunks_from_tail(client, key)
        for member, producer in zip(members, read_ids(members, run).producer, strict=True)
        if producer >= 0
    ]
    # From the tail on, in the order of the tail: each is found at once where all are the run's.
    for start in range(0, len(own), _CHUNK):
        with client.pipeline(transaction=False) as pipeline:
            for member in own[start : start + _CHUNK]:
                pipeline.lrem(key, -1, member)  # type: ignore[arg-type]  # bytes are as good as text
            pipeline.execute()


def _chunks_from_tail(client: redis.Redis, key: str) -> Iterator[list[bytes]]:
    length = int(client.llen(key))
    for end in range(length, 0, -_CHUNK):
        members = client.lrange(key, max(end - _CHUNK, 0), end - 1)
        yield [bytes(member) for member in reversed(members) if isinstance(member, bytes)]
