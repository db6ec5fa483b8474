"""What a run needs in a server beside its tasks, and the removal of everything that it wrote.

Nothing is flushed. Tasks are removed by id, and a key that outlives tasks only if it was not there
before the run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import redis

from bench.errors import UsageError
from bench.ipc import remote
from bench.measure.endings import CountedEnds, counted_for
from bench.measure.ledger import Counts
from bench.records.run_record import RecordWarning
from bench.redisio import task_keys
from bench.redisio.queue_keys import CHUNK, ids_from_tail, length, load_scripts, queue_keys_of
from bench.wire import ids
from bench.wire.columns import read_ids
from bench.wire.layout_contract import CounterRules, KeyRole, Layout, QueueKey


@dataclass(frozen=True)
class CleanupScope:
    """What a run may have written to its server."""

    run: int
    sent: Mapping[int, int] | None
    """Number of tasks that each producer sent; None where it is not known of all of them. The
    server is then searched for keys with the run's ids."""
    workers: int = 0
    """Number of workers of the run's own, whose heartbeats may be left."""
    counts: Mapping[str, Counts] = field(default_factory=dict)
    """What became of each queue's tasks, as far as that is known."""
    counter_rules: CounterRules | None = None
    """What workers count in the queues' counters; None for what the layout's own moves count."""


def worker_name(run: int, number: int) -> str:
    """The name of a worker that a run starts, and the id of its heartbeat."""
    return f"bench-{ids.run_text(run)}-{number}"


class Cleanup:
    """The preparation and clean-up of one run on its queues."""

    def __init__(self, client: redis.Redis, layout: Layout, queues: Sequence[str]) -> None:
        self._client = client
        self._layout = layout
        self._queues = list(queues)
        self._registered: list[str] = []
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
            self._registered = [
                queue for queue in self._queues if self._client.sadd(registry, queue)
            ]

    def clean_up(self, scope: CleanupScope, now_s: int, *, keep: bool) -> RecordWarning | None:
        """Remove what the run wrote; its tasks stay where ``keep`` is set.

        Returns a warning when the server refuses.
        """
        try:
            remote.remove(self._client, scope.run)
            if not keep:
                self.remove(scope, now_s)
        except redis.exceptions.RedisError as error:
            return RecordWarning(
                "not_removed",
                f"the run's tasks could not be removed from the server ({error}): "
                "'bench clean' with this record removes them later",
            )
        return None

    def remove(self, scope: CleanupScope, now_s: int) -> None:
        """Remove the run's tasks, and take them out of counters and registry.

        Raises redis-py's errors.
        """
        remove(self._client, self._layout, self._queues, scope)
        rules = scope.counter_rules or self._layout.counter_rules
        for queue in self._queues:
            counted = counted_for(scope.counts.get(queue, Counts()), rules)
            self._uncount(queue, now_s, counted)
        registry = self._layout.registry()
        if registry is not None and self._registered:
            self._client.srem(registry, *self._registered)

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
                self._client.unlink(key)
                continue
            grown = int(self._client.get(key) or 0) - before
            if min(count, grown) > 0:
                self._client.decrby(key, min(count, grown))


def remove(
    client: redis.Redis,
    layout: Layout,
    queues: Sequence[str],
    scope: CleanupScope,
) -> int:
    """Remove the run's ids from lists and sets, then delete its tasks and results.

    Returns the number of deleted keys. Raises redis-py's errors.
    """
    run = scope.run
    heartbeats = [layout.worker(worker_name(run, number)) for number in range(scope.workers)]
    if heartbeats:
        client.unlink(*heartbeats)
    for key in queue_keys_of(layout, queues):
        _remove_from(client, key, run)
    if scope.sent is None:
        found = task_keys.scan(client, layout, queues, run)
        return sum(int(client.unlink(*keys)) for keys in found)
    deleted = 0
    for producer, count in scope.sent.items():
        for start in range(0, count, CHUNK):
            stop = min(start + CHUNK, count)
            names = [
                ids.format_id(ids.TaskId(run, producer, sequence))
                for sequence in range(start, stop)
            ]
            deleted += _delete(client, layout, queues, names)
    return deleted


def _delete(
    client: redis.Redis, layout: Layout, queues: Sequence[str], names: Sequence[str]
) -> int:
    # A layout may keep a task under its queue's name; which queue that was is not known here.
    keys = {key for name in names for queue in queues for key in layout.keys_of(queue, name)}
    return int(client.unlink(*keys))


def _remove_from(client: redis.Redis, key: QueueKey, run: int) -> None:
    own = [
        member
        for members in ids_from_tail(client, key)
        for member, producer in zip(members, read_ids(members, run).producer, strict=True)
        if producer >= 0
    ]
    # From the tail on: LREM finds each at once where all ids at the tail are the run's.
    for start in range(0, len(own), CHUNK):
        with client.pipeline(transaction=False) as pipeline:
            for member in own[start : start + CHUNK]:
                if key.is_sorted_set:
                    pipeline.zrem(key.key, member)
                else:
                    pipeline.lrem(key.key, -1, member)  # type: ignore[arg-type]  # bytes do too
            pipeline.execute()
