"""Which of a run's tasks are still in the server, by id."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import redis

from bench.arrays import Flags, Integers
from bench.measure.bits import Bits
from bench.wire import ids
from bench.wire.layout_contract import Layout

_CHUNK = 1_000
"""Keys in one command: the server answers nobody else meanwhile."""

QueueOf = Callable[[int, Integers], Integers]
"""The queue index (n,) of a producer's tasks (n,)."""


def without_hash(
    client: redis.Redis,
    layout: Layout,
    queues: Sequence[str],
    run: int,
    tasks: Mapping[int, Bits],
    queue_of: QueueOf,
) -> dict[int, Bits]:
    """The tasks whose hash does not exist: sequence numbers by producer, as in ``tasks``.

    A thousand tasks cost one command; only where some of them are missing, each is looked at.
    Raises redis-py's errors.
    """
    missing: dict[int, Bits] = {}
    for producer, numbers in tasks.items():
        head = ids.prefix(run, producer)
        for sequences in _chunks(numbers):
            of_queues = queue_of(producer, sequences).tolist()
            keys = [
                layout.task(queues[queue], f"{head}{sequence:012x}")
                for queue, sequence in zip(of_queues, sequences.tolist(), strict=True)
            ]
            if int(client.exists(*keys)) < len(keys):
                gone = sequences[~_exist(client, keys)]
                missing.setdefault(producer, Bits()).add(gone)
    return missing


def _chunks(numbers: Bits) -> Iterator[Integers]:
    sequences = numbers.numbers()
    for start in range(0, len(sequences), _CHUNK):
        yield sequences[start : start + _CHUNK]


def _exist(client: redis.Redis, keys: Sequence[str]) -> Flags:
    with client.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.exists(key)
        return np.array(pipeline.execute(), np.bool_)
