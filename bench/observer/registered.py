"""By whose rules the counters of a run's queues are kept, while their workers are there."""

import contextlib
from collections.abc import Sequence

import redis

from bench.redisio.registrations import registered_rules
from bench.wire.layout_contract import CounterRules, Layout

_LOOK_EVERY_US = 1_000_000


class RegisteredWorkers:
    """Notes which kinds of worker are registered: at the end of the run they may be gone."""

    def __init__(self, client: redis.Redis, layout: Layout, queues: Sequence[str]) -> None:
        self._client = client
        self._layout = layout
        self._queues = list(queues)
        self._next_look_us = 0
        self.rules: set[CounterRules] = set()
        """The rules of the workers that were seen registered for the queues."""
        self.commands = 0
        """Commands sent so far that the server's statistics would take for a task's."""

    def look(self, now_us: int) -> None:
        """Look, once a second at most. Raises redis-py's errors."""
        if not self._layout.registrations() or now_us < self._next_look_us:
            return
        self._next_look_us = now_us + _LOOK_EVERY_US
        with contextlib.suppress(redis.exceptions.ResponseError):  # keys of another type
            found = registered_rules(self._client, self._layout, self._queues)
            self.rules |= found.rules
            self.commands += found.commands
