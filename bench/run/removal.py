"""Removes what a run wrote to its server, by id. Nothing is flushed.

One command that the server refuses does not keep the rest from being removed.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import redis

from bench.ipc import remote
from bench.measure.ledger import Counts
from bench.redisio import marker, task_keys
from bench.redisio.queue_keys import CHUNK, ids_from_tail, queue_keys_of
from bench.wire import ids
from bench.wire.columns import read_ids
from bench.wire.layout_contract import CounterRules, Layout, QueueKey


@dataclass(frozen=True)
class CleanupScope:
    """What a run may have written to its server."""

    run: int
    sent: Mapping[int, int] | None
    """Number of tasks that each producer sent; None where it is not known of all of them. The
    server is then searched for keys with the run's ids."""
    workers: int = 0
    """Number of workers of the run's own, whose heartbeats may be left; where ``sent`` is None, the
    server is searched for these, too."""
    counts: Mapping[str, Counts] = field(default_factory=dict)
    """What became of each queue's tasks, as far as that is known."""
    counter_rules: CounterRules | None = None
    """What workers count in the queues' counters; None for what the layout's own moves count."""


@dataclass
class Removal:
    """How far a removal has come."""

    deleted: int = 0
    """Keys that were deleted."""
    tasks_left: int | None = None
    """Tasks that have not been deleted yet; None where their number is not known."""
    refusals: list[str] = field(default_factory=list)
    """What the server said to commands that it refused, each once."""

    def delete(self, client: redis.Redis, keys: Sequence[str] | Sequence[bytes]) -> None:
        """Delete keys, and count them. Raises redis-py's errors."""
        self.deleted += delete(client, keys)

    def attempt(self, step: Callable[[], object]) -> None:
        """Carry out a step, and note a refusal. Raises redis-py's errors of the connection."""
        try:
            step()
        except redis.exceptions.ConnectionError:
            raise
        except redis.exceptions.ResponseError as error:
            if str(error) not in self.refusals:
                self.refusals.append(str(error))


def worker_name(run: int, number: int) -> str:
    """The name of a worker that a run starts, and the id of its heartbeat."""
    return f"bench-{ids.run_text(run)}-{number}"


def remove(
    client: redis.Redis,
    layout: Layout,
    queues: Sequence[str],
    scope: CleanupScope,
    removal: Removal,
) -> None:
    """Remove the run's ids from lists and sets, then delete its tasks, results and heartbeats.

    ``removal`` always shows how far that has come. Raises redis-py's errors of the connection.
    """
    for key in queue_keys_of(layout, queues):
        removal.attempt(functools.partial(_remove_from, client, key, scope.run))
    removal.attempt(functools.partial(_remove_heartbeats, client, layout, scope))
    removal.attempt(functools.partial(_remove_tasks, client, layout, queues, scope, removal))


def remove_notes(client: redis.Redis, run: int, removal: Removal) -> None:
    """Remove what a run wrote for itself: its marker, and what it told workers of other hosts.

    Raises redis-py's errors of the connection.
    """
    removal.attempt(lambda: delete(client, [marker.marker_key(run)]))
    removal.attempt(lambda: remote.remove(client, run))


def delete(client: redis.Redis, keys: Sequence[str] | Sequence[bytes]) -> int:
    """Delete keys, and return how many of them there were. Raises redis-py's errors."""
    if not keys:
        return 0
    try:
        return int(client.unlink(*keys))
    except redis.exceptions.NoPermissionError:
        return int(client.delete(*keys))  # a user may have been given this one only


def _remove_heartbeats(client: redis.Redis, layout: Layout, scope: CleanupScope) -> None:
    if scope.sent is None:
        names = worker_name(scope.run, 0).removesuffix("0")
        for heartbeats in task_keys.scan_heartbeats(client, layout, names):
            delete(client, heartbeats)
        return
    delete(client, [layout.worker(worker_name(scope.run, each)) for each in range(scope.workers)])


def _remove_tasks(
    client: redis.Redis,
    layout: Layout,
    queues: Sequence[str],
    scope: CleanupScope,
    removal: Removal,
) -> None:
    if scope.sent is None:
        for keys in task_keys.scan(client, layout, queues, scope.run):
            removal.delete(client, keys)
        return
    removal.tasks_left = sum(scope.sent.values())
    for producer, count in scope.sent.items():
        head = ids.prefix(scope.run, producer)
        for start in range(0, count, CHUNK):
            stop = min(start + CHUNK, count)
            names = [f"{head}{sequence:012x}" for sequence in range(start, stop)]
            # A layout may keep a task under its queue's name, and which queue that was is not
            # known here.
            found = {key for name in names for each in queues for key in layout.keys_of(each, name)}
            removal.delete(client, sorted(found))
            removal.tasks_left -= stop - start


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
