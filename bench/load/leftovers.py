"""A run's own tasks in a server's lists and sets: finding them, and removing all that it wrote.

Everything goes by id. Nothing is flushed, no list is deleted whole, and no key is touched that
the run did not write.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import redis

from bench.measure.bits import Bits
from bench.wire import ids
from bench.wire.columns import read_ids
from bench.wire.layout import Layout, Place, Where

_CHUNK = 5000


def find(
    client: redis.Redis, layout: Layout, queues: Sequence[str], where: Where, run: int
) -> dict[int, Bits]:
    """The run's ids in all places of one meaning, as sequence numbers by producer.

    Raises redis-py's errors.
    """
    found: dict[int, Bits] = {}
    for place in _places(layout, queues):
        if place.where is not where:
            continue
        for members in _chunks_from_tail(client, place):
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
    """Take the run's ids off the lists and sets, then delete its tasks and results.

    ``sent`` is the number of tasks that each producer sent. Returns how many keys were deleted.
    Raises redis-py's errors.
    """
    for place in _places(layout, queues):
        _remove_from(client, place, run)
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


def _places(layout: Layout, queues: Sequence[str]) -> list[Place]:
    return [place for queue in queues for place in layout.places(queue)]


def _delete(
    client: redis.Redis, layout: Layout, queues: Sequence[str], names: Sequence[str]
) -> int:
    # A layout may keep a task under its queue's name; which one that was is not known here.
    keys = {key for name in names for queue in queues for key in layout.keys_of(queue, name)}
    return int(client.unlink(*keys))


def _remove_from(client: redis.Redis, place: Place, run: int) -> None:
    own = [
        member
        for members in _chunks_from_tail(client, place)
        for member, producer in zip(members, read_ids(members, run).producer, strict=True)
        if producer >= 0
    ]
    # From the tail on, in the order of the tail: each is found at once where all are the run's.
    for start in range(0, len(own), _CHUNK):
        with client.pipeline(transaction=False) as pipeline:
            for member in own[start : start + _CHUNK]:
                if place.is_sorted_set:
                    pipeline.zrem(place.key, member)
                else:
                    pipeline.lrem(place.key, -1, member)  # type: ignore[arg-type]  # bytes do too
            pipeline.execute()


def _chunks_from_tail(client: redis.Redis, place: Place) -> Iterator[list[bytes]]:
    key = place.key
    length = int(client.zcard(key) if place.is_sorted_set else client.llen(key))
    for end in range(length, 0, -_CHUNK):
        start, last = max(end - _CHUNK, 0), end - 1
        members: Sequence[object] = (
            client.zrange(key, start, last)
            if place.is_sorted_set
            else client.lrange(key, start, last)
        )
        yield [bytes(member) for member in reversed(members) if isinstance(member, bytes)]
