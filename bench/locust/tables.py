"""Feeds our latencies into Locust's own tables and charts.

Locust counts requests one by one, in whole milliseconds. Producers and workers report cumulative
latency counts instead. Each report adds its difference from the previous one, so a report that is
lost or arrives twice changes nothing, and rows keep fractions of a millisecond.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from locust.stats import RequestStats, StatsEntry, StatsError

from bench.measure.latency_counts import LatencyCounts
from bench.measure.recorder import Interval
from bench.measure.reports import ProducerReport, WorkerReport

ENQUEUE, E2E = "enqueue", "e2e"


@dataclass
class StatsTables:
    """Feeds Locust's statistics during one test.

    ``pause`` is called after each row: there may be thousands of values in one, and tasks that
    become due meanwhile must not wait for all rows.
    """

    stats: RequestStats
    queues: Sequence[str]
    pause: Callable[[], None] = lambda: None
    _seen: dict[tuple[str, str, int], LatencyCounts] = field(default_factory=dict)

    def feed(self, producers: Sequence[ProducerReport], workers: Sequence[WorkerReport]) -> None:
        """Adds what these reports hold beyond the earlier reports of the same processes."""
        for producer in producers:
            self._feed_rows(
                ENQUEUE,
                str(producer.number),
                producer.latency_counts.get(Interval.ENQUEUE, {}),
                producer.first_error,
            )
        for worker in workers:
            self._feed_rows(
                E2E,
                worker.name,
                worker.latency_counts.get(Interval.E2E, {}),
                "the task failed for good",
            )

    def _feed_rows(
        self, kind: str, source: str, counts: Mapping[int, LatencyCounts], error: str
    ) -> None:
        for queue, counts_now in counts.items():
            before = self._seen.get((kind, source, queue), LatencyCounts())
            if counts_now.count < before.count:
                continue  # an older report
            self._seen[kind, source, queue] = counts_now
            if counts_now.count > before.count:
                self._enter(kind, self.queues[queue], before, counts_now, error)
                self.pause()

    def _enter(
        self, kind: str, queue: str, before: LatencyCounts, counts_now: LatencyCounts, error: str
    ) -> None:
        entry = difference(self.stats, kind, queue, before, counts_now)
        self.stats.get(queue, kind).extend(entry)
        self.stats.total.extend(entry)
        if entry.num_failures:
            key = StatsError.create_key(kind, queue, error)
            known = self.stats.errors.setdefault(key, StatsError(kind, queue, error))
            known.occurrences += entry.num_failures


def difference(
    stats: RequestStats, kind: str, queue: str, before: LatencyCounts, after: LatencyCounts
) -> StatsEntry:
    """Returns the difference of two cumulative counts as a row of Locust's, in milliseconds."""
    entry: Any = StatsEntry(stats, queue, kind)  # typed for whole milliseconds
    now_s = time.time()
    measured = sum(after.values.values()) - sum(before.values.values())
    entry.num_requests = after.count - before.count
    entry.num_none_requests = entry.num_requests - measured
    entry.num_failures = after.failures - before.failures
    entry.total_response_time = (after.sum_us - before.sum_us) / 1e3
    entry.min_response_time = after.min_us / 1e3 if measured else None
    entry.max_response_time = after.max_us / 1e3 if measured else 0
    entry.last_request_timestamp = now_s
    for value_us, count in after.values.items():
        new = count - before.values.get(value_us, 0)
        if new:
            entry.response_times[value_us / 1e3] = new
    entry.num_reqs_per_sec[int(now_s)] = entry.num_requests
    if entry.num_failures:
        entry.num_fail_per_sec[int(now_s)] = entry.num_failures
    row: StatsEntry = entry
    return row
