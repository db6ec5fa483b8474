"""What a run needs in a server beside its tasks, and taking all of it away again.

Nothing is flushed: tasks go by id, and a key that outlives tasks goes only if it was not there
before the run.
"""

from collections.abc import Mapping, Sequence

import redis

from bench.errors import UsageError
from bench.load import leftovers, remote
from bench.measure.ledger import Counts
from bench.record import Warning_
from bench.wire.layout import Layout, Place, Where


def length(client: redis.Redis, place: Place) -> int:
    """How many ids a list or a sorted set holds. Raises redis-py's errors."""
    return int(client.zcard(place.key) if place.is_sorted_set else client.llen(place.key))


def lengths(client: redis.Redis, layout: Layout, queues: Sequence[str]) -> dict[Where, int]:
    """How many ids all places of each meaning hold, at one moment. Raises redis-py's errors."""
    places = [place for queue in queues for place in layout.places(queue)]
    with client.pipeline(transaction=True) as pipeline:
        for place in places:
            if place.is_sorted_set:
                pipeline.zcard(place.key)
            else:
                pipeline.llen(place.key)
        held = pipeline.execute()
    found = dict.fromkeys((Where.PENDING, Where.ACTIVE), 0)
    for place, count in zip(places, held, strict=True):
        if place.where in found:
            found[place.where] += int(count)
    return found


def load_scripts(client: redis.Redis, layout: Layout) -> None:
    """Make the layout's commands known to the server. Raises redis-py's errors."""
    for text in layout.scripts:
        client.script_load(text)


class Footprint:
    """One run's, on its queues."""

    def __init__(self, client: redis.Redis, layout: Layout, queues: Sequence[str]) -> None:
        self._client = client
        self._layout = layout
        self._queues = list(queues)
        self._registered: list[str] = []
        """Queues that the run made known."""
        self._counted: dict[str, int | None] = {}
        """Counters as they were before the run; None for those that were not there."""

    def require_empty_queues(self) -> None:
        """Raises UsageError when any queue holds tasks that wait or are being worked on."""
        for queue in self._queues:
            for place in self._layout.places(queue):
                held = length(self._client, place) if place.where is not Where.ELSEWHERE else 0
                if held:
                    raise UsageError(
                        f"{place.key} already holds {held} tasks, and the run would mix with "
                        "them: use other --queues, or say --allow-shared"
                    )

    def lay(self, now_s: int) -> None:
        """Before anything is enqueued. Raises redis-py's errors."""
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

    def clean_up(
        self,
        run: int,
        sent: Mapping[int, int],
        now_s: int,
        counts: Mapping[str, Counts],
        *,
        keep: bool,
    ) -> Warning_ | None:
        """Remove all that the run wrote, its tasks too unless they are to be kept; a warning where
        the server does not let it. Arguments as those of ``remove``."""
        try:
            remote.remove(self._client, run)
            if not keep:
                self.remove(run, sent, now_s, counts)
        except redis.exceptions.RedisError as error:
            return Warning_(
                "not_removed",
                f"the run's tasks could not be removed from the server ({error}): "
                "'bench clean' with this record removes them later",
            )
        return None

    def remove(
        self, run: int, sent: Mapping[int, int], now_s: int, counts: Mapping[str, Counts]
    ) -> None:
        """Everything. ``sent`` is the number of tasks that each producer sent, ``counts`` what
        became of each queue's, as far as is known. Raises redis-py's errors."""
        leftovers.remove(self._client, self._layout, self._queues, run, sent)
        for queue in self._queues:
            self._uncount(queue, now_s, counts.get(queue, Counts()))
        registry = self._layout.registry()
        if registry is not None and self._registered:
            self._client.srem(registry, *self._registered)

    def _uncount(self, queue: str, now_s: int, counts: Counts) -> None:
        """Take the run's own tasks out of the counters again, and no more than they have grown."""
        counters = self._layout.counters(queue, now_s)
        failures = counts.failed + counts.retried
        own = {
            **dict.fromkeys(counters.attempts, counts.completed + failures),
            **dict.fromkeys(counters.failures, failures),
        }
        for key, count in own.items():
            before = self._counted.get(key)
            if before is None:  # it was not there: all of it is the run's
                self._client.unlink(key)
                continue
            grown = int(self._client.get(key) or 0) - before
            if min(count, grown) > 0:
                self._client.decrby(key, min(count, grown))
