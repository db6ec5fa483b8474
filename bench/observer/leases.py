"""Tasks whose lease ended while a worker had them: another worker may run them again."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import redis

from bench.measure.bits import Bits
from bench.wire.columns import read_ids
from bench.wire.layout_contract import Layout

_LOOK_EVERY_US = 1_000_000

ByProducer = dict[int, Bits]
"""Sequence numbers of tasks, by producer."""


class LeaseWatch:
    """Notes which of a run's tasks were seen with a lease that had ended."""

    def __init__(
        self, client: redis.Redis, layout: Layout, queues: Sequence[str], run: int
    ) -> None:
        self._client = client
        self._run = run
        self._keys = {queue: key for queue in queues if (key := layout.leases(queue))}
        self._next_look_us = 0
        self._expired: dict[str, ByProducer] = {queue: {} for queue in self._keys}
        self.commands = 0
        """Commands sent so far that the server's statistics would take for a task's."""

    @property
    def expired(self) -> Mapping[str, ByProducer]:
        """The tasks of each queue whose lease has been seen to end."""
        return self._expired

    def look(self, now_us: int) -> None:
        """Look for leases that have ended, once a second at most. Raises redis-py's errors."""
        if not self._keys or now_us < self._next_look_us:
            return
        self._next_look_us = now_us + _LOOK_EVERY_US
        now_s = int(self._client.time()[0])
        for queue, key in self._keys.items():
            self.commands += 1
            members: Any = self._client.zrangebyscore(key, "-inf", now_s)
            columns = read_ids(members, self._run)
            for producer in np.unique(columns.producer[columns.producer >= 0]).tolist():
                sequences = columns.sequence[columns.producer == producer]
                self._expired[queue].setdefault(producer, Bits()).add(sequences)
