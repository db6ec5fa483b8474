"""Whether everything that was enqueued has ended, or never will."""

from collections.abc import Sequence
from typing import Any

import redis

from bench.clock import Clock
from bench.measure.leases import Leases
from bench.measure.reports import ProducerReport, WorkerReport
from bench.redisio.queue_keys import length
from bench.wire.layout_contract import KeyRole, Layout, QueueKey

QUIET_US = 1_000_000
"""How long the lists must have been empty before reports made after that are believed."""


class DrainMonitor:
    """Decides from a run's lists and its workers' reports whether its drain is over."""

    def __init__(
        self, client: redis.Redis, layout: Layout, queues: Sequence[str], clock: Clock
    ) -> None:
        self._client = client
        self._clock = clock
        self._places = [
            key
            for queue in queues
            for key in layout.queue_keys(queue)
            if key.role is not KeyRole.ELSEWHERE
        ]
        self._lease_keys = [key for queue in queues if (key := layout.leases(queue)) is not None]
        self._empty_since_us: int | None = None
        self.commands = 0
        """Commands sent so far that the server's statistics would take for a task's."""

    def leases(self) -> Leases | None:
        """The leases that workers hold on tasks; None without any, or without an answer."""
        try:
            held = [self._leases_in(key) for key in self._lease_keys]
        except redis.exceptions.RedisError:
            return None
        known = [each for each in held if each is not None]
        if not known:
            return None
        return Leases(sum(each.tasks for each in known), max(each.until_s for each in known))

    def _leases_in(self, key: str) -> Leases | None:
        self.commands += 2
        # Those that have ended may be left over from workers of long ago.
        count = int(self._client.zcount(key, self._clock.now_us() // 1_000_000, "+inf"))
        last: Any = self._client.zrange(key, -1, -1, withscores=True)
        # The last one may have been given back between the two commands.
        return Leases(count, float(last[0][1])) if count and last else None

    def _length(self, key: QueueKey) -> int:
        self.commands += key.is_sorted_set  # LLEN is never counted as a task's
        return length(self._client, key)

    def is_over(
        self,
        producers: Sequence[ProducerReport],
        workers: Sequence[WorkerReport],
        awaits_workers: bool,
        killed: Sequence[WorkerReport] = (),
        *,
        fails_over: bool = False,
    ) -> bool:
        """Whether nothing is left to wait for.

        ``awaits_workers`` says that remote workers are expected and none has reported yet.
        ``killed`` are the last reports of workers that a fault of the plan has ended: nobody goes
        on with the tasks that these had. ``fails_over`` says that the plan makes another server
        the master: what workers ended on the old one stays marked as active there.
        """
        enqueued = sum(report.enqueued for report in producers)
        ended = sum(report.ended for report in [*workers, *killed])
        busy = any(report.waiting_retry or report.in_flight for report in workers)
        if ended >= enqueued and not busy:
            return True
        # Tasks may be lost: then the lists are empty, and later reports hold no more of them.
        is_marked_for_good = bool(killed) or (fails_over and bool(workers))
        return (
            self.is_empty(with_active=not is_marked_for_good)
            and not busy
            and not awaits_workers
            and self._nothing_more_can_come(workers)
        )

    def is_empty(self, *, with_active: bool = True) -> bool:
        """Whether no list or set holds a task; False where the server does not answer.

        Without ``with_active``, what workers have is left out.
        """
        places = [each for each in self._places if with_active or each.role is KeyRole.PENDING]
        try:
            empty = not any(self._length(key) for key in places)
        except redis.exceptions.RedisError:
            empty = False
        if not empty:
            self._empty_since_us = None
        elif self._empty_since_us is None:
            self._empty_since_us = self._clock.now_us()
        return empty

    @property
    def was_empty(self) -> bool:
        """Whether no list or set held a task when they were last looked at."""
        return self._empty_since_us is not None

    def _nothing_more_can_come(self, workers: Sequence[WorkerReport]) -> bool:
        """Whether the lists have been empty for so long that no worker can hold an unknown task.

        A task that was popped is on no list until its worker has read it; only the worker's next
        report shows it.
        """
        since_us = self._empty_since_us
        if since_us is None or self._clock.now_us() < since_us + QUIET_US:
            return False
        return all(report.made_us > since_us + QUIET_US for report in workers)
