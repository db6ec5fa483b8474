"""What a standalone worker has served in all, for monitoring: tasks of runs and of anybody else."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.measure.histogram import Histogram
from bench.measure.latency_buckets import BucketCounts, Buckets, added_buckets
from bench.measure.recorder import Interval
from bench.worker.recorder import AttemptBatch, AttemptOutcome

ByName = Mapping[Interval, Mapping[str, BucketCounts]]
"""Latencies by interval and queue."""


@dataclass(frozen=True, kw_only=True)
class ServedState:
    """The state of a standalone worker. Counts are since its start."""

    name: str
    ended: Mapping[tuple[str, AttemptOutcome], int]
    """Attempts by queue and outcome."""
    latencies: ByName
    """Latencies: service of all attempts, the others of the tasks of runs."""
    in_flight: int
    waiting_retry: int
    reconnects: int
    cpu_s: float


class ServedTotals:
    """Counts attempts by queue and outcome, and how long they took."""

    def __init__(self, bounds_us: tuple[int, ...]) -> None:
        self.bounds_us = bounds_us
        self.ended: Counter[tuple[str, AttemptOutcome]] = Counter()
        self._services: dict[str, Histogram] = {}
        self._of_runs: list[tuple[Sequence[str], Buckets]] = []
        """Latencies of runs that are over."""

    def count(
        self, queue: str, attempts: AttemptBatch, outcome: AttemptOutcome, finished_us: int
    ) -> None:
        """Count attempts that have ended. Times are on the worker's own clock."""
        self.ended[queue, outcome] += len(attempts)
        service = self._services.setdefault(queue, Histogram())
        for started_us in attempts.started_us:
            service.record(finished_us - started_us)

    def keep(self, queues: Sequence[str], buckets: Buckets) -> None:
        """Keep the latencies of a run that is over; ``queues`` are those of the run."""
        self._of_runs.append((queues, _without_service(buckets)))
        together = self._by_name(self._of_runs)
        names = sorted({queue for by_queue in together.values() for queue in by_queue})
        self._of_runs = [
            (
                names,
                {
                    interval: {names.index(queue): each for queue, each in by_queue.items()}
                    for interval, by_queue in together.items()
                },
            )
        ]

    def latencies(self, current: Iterable[tuple[Sequence[str], Buckets]]) -> ByName:
        """Returns all latencies; ``current`` are the queues and the latencies of the runs that are
        not over."""
        of_runs = [(queues, _without_service(buckets)) for queues, buckets in current]
        services = {
            queue: BucketCounts(counts=each.bucket_counts(self.bounds_us), sum_us=each.sum_us)
            for queue, each in self._services.items()
        }
        return {**self._by_name([*self._of_runs, *of_runs]), Interval.SERVICE: services}

    def _by_name(self, of_runs: Iterable[tuple[Sequence[str], Buckets]]) -> ByName:
        found: dict[Interval, dict[str, list[BucketCounts]]] = {}
        for queues, buckets in of_runs:
            for interval, by_queue in buckets.items():
                for index, counted in by_queue.items():
                    found.setdefault(interval, {}).setdefault(queues[index], []).append(counted)
        return {
            interval: {
                queue: added_buckets(each, len(self.bounds_us)) for queue, each in by_queue.items()
            }
            for interval, by_queue in found.items()
        }


def _without_service(buckets: Buckets) -> Buckets:
    return {each: by_queue for each, by_queue in buckets.items() if each is not Interval.SERVICE}


class ServedMonitor:
    """Passes on the state of a standalone worker a few times a second."""

    def __init__(self, take: Callable[[ServedState], None], bounds_us: tuple[int, ...]) -> None:
        self.take = take
        self.totals = ServedTotals(bounds_us)
