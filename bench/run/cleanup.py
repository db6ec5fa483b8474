"""What a run needs in a server beside its tasks, and the removal of everything that it wrote.

Nothing is flushed. Tasks are removed by id, and a key that outlives tasks only if it was not there
before the run.
"""

import functools
from collections.abc import Sequence

import redis

from bench.errors import UsageError
from bench.measure.endings import CountedEnds, counted_for
from bench.measure.ledger import Counts
from bench.records.run_record import NOT_REMOVED, RecordWarning
from bench.redisio.queue_keys import length, load_scripts
from bench.run.removal import CleanupScope, Removal, delete, remove, remove_notes
from bench.wire.layout_contract import KeyRole, Layout


class Cleanup:
    """The preparation and clean-up of one run on its queues."""

    def __init__(self, client: redis.Redis, layout: Layout, queues: Sequence[str]) -> None:
        self._client = client
        self._layout = layout
        self._queues = list(queues)
        self.registered: list[str] = []
        """Queues whose names the run added to the registry."""
        self._counted: dict[str, int | None] = {}
        """The values of counters before the run; None for a counter that was not there."""

    def require_empty_queues(self) -> None:
        """Raises UsageError when any queue holds pending, active or waiting tasks."""
        for queue in self._queues:
            for key in self._layout.queue_keys(queue):
                held = length(self._client, key) if key.role is not KeyRole.ELSEWHERE else 0
                if held:
                    raise UsageError(
                        f"{key.key} already holds {held} tasks, which the run would mix with: "
                        "use other --queues, or --allow-shared"
                    )

    def prepare(self, now_s: int) -> None:
        """Load scripts, note the counters, and register the queues, before anything is enqueued.

        Raises redis-py's errors.
        """
        load_scripts(self._client, self._layout)
        for queue in self._queues:
            for key in self._layout.counters(queue, now_s).keys:
                value = self._client.get(key)
                self._counted[key] = None if value is None else int(value)
        registry = self._layout.registry()
        if registry is not None:
            self.registered = [
                queue for queue in self._queues if self._client.sadd(registry, queue)
            ]

    @property
    def new_counters(self) -> list[str]:
        """Keys of the queues' counters that were not there before the run."""
        return [key for key, value in self._counted.items() if value is None]

    def clean_up(self, scope: CleanupScope, now_s: int, *, keep: bool) -> RecordWarning | None:
        """Remove what the run wrote; its tasks stay where ``keep`` is set.

        Returns a warning when anything else is left: the server refused, or Ctrl-C.
        """
        removal = Removal()
        why = ""
        try:
            if not keep:
                self.remove(scope, now_s, removal)
            remove_notes(self._client, scope.run, removal)
        except redis.exceptions.RedisError as error:
            why = str(error)
        except KeyboardInterrupt:
            self._client.connection_pool.disconnect()  # a reply may be half read
            why = "interrupted"
        why = "; ".join([*removal.refusals, *([why] if why else [])])
        if not why:
            return None
        left = removal.tasks_left
        tasks = f" (up to {left:,} tasks are left)" if left else ""
        return RecordWarning(
            NOT_REMOVED,
            f"not everything that the run wrote could be removed from the server: {why}{tasks}: "
            "'bench clean' with this record removes the rest",
        )

    def remove(self, scope: CleanupScope, now_s: int, removal: Removal) -> None:
        """Remove the run's tasks, and take them out of counters and registry.

        ``removal`` always shows how far that has come. Raises redis-py's errors of the connection.
        """
        remove(self._client, self._layout, self._queues, scope, removal)
        rules = scope.counter_rules or self._layout.counter_rules
        for queue in self._queues:
            counted = counted_for(scope.counts.get(queue, Counts()), rules)
            removal.attempt(functools.partial(self._uncount, queue, now_s, counted))
        registry = self._layout.registry()
        if registry is not None and self.registered:
            removal.attempt(functools.partial(self._client.srem, registry, *self.registered))

    def _uncount(self, queue: str, now_s: int, counted: CountedEnds) -> None:
        """Subtract the run's own tasks from the counters, and never more than these have grown."""
        counters = self._layout.counters(queue, now_s)
        own = {
            **dict.fromkeys(counters.attempts, counted.processed),
            **dict.fromkeys(counters.failures, counted.failed),
        }
        for key, count in own.items():
            before = self._counted.get(key)
            if before is None:  # the counter was not there: all of it is the run's
                delete(self._client, [key])
                continue
            grown = int(self._client.get(key) or 0) - before
            if min(count, grown) > 0:
                self._client.decrby(key, min(count, grown))
