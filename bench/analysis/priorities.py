"""Priority inversions between sub-queues, and the longest wait for a worker."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from bench.records.run_record import RunRecord

_STATISTICS = {"p50": "p50_s", "p99": "p99_s"}


@dataclass(frozen=True)
class Inversion:
    """A sub-queue whose tasks waited longer than those of lower priority, by one statistic.

    Waits are in seconds.
    """

    statistic: str
    higher: str
    higher_s: float
    lower: str
    lower_s: float


@dataclass(frozen=True)
class Starvation:
    """The longest wait of any task for a worker, in seconds, and the task's sub-queue."""

    queue: str
    wait_s: float


def inversions(record: RunRecord) -> list[Inversion]:
    """Returns every pair of sub-queues whose queue_wait is not in the order of their priority.

    The scenario lists sub-queues highest priority first. Sub-queues without samples are ignored.
    """
    return [each for name in _STATISTICS for each in _inverted_by(record, name)]


def _inverted_by(record: RunRecord, statistic: str) -> Iterator[Inversion]:
    waits = _waits(record, _STATISTICS[statistic])
    for (higher, higher_s), (lower, lower_s) in combinations(waits.items(), 2):
        if higher_s > lower_s:
            yield Inversion(statistic, higher, higher_s, lower, lower_s)


def starvation(record: RunRecord) -> Starvation | None:
    """Returns the longest queue_wait of any sub-queue; None where no task was served."""
    waits = _waits(record, "max_s")
    if not waits:
        return None
    queue = max(waits, key=waits.__getitem__)
    return Starvation(queue, waits[queue])


def _waits(record: RunRecord, field: str) -> dict[str, float]:
    """Returns one statistic of each sub-queue's queue_wait, in order of priority."""
    summaries = record.latency.get("queue_wait", {})
    found = {
        queue: getattr(summaries[queue], field)
        for queue in record.scenario.queues
        if queue in summaries and summaries[queue].count
    }
    return {queue: value for queue, value in found.items() if value is not None}
