"""Who waited for whom: sub-queues out of their order of priority, and the longest wait."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from bench.records.run_record import RunRecord

_STATISTICS = {"p50": "p50_s", "p99": "p99_s"}


@dataclass(frozen=True)
class Inversion:
    """A sub-queue that waited longer than one of lower priority, by one statistic. Seconds."""

    statistic: str
    higher: str
    higher_s: float
    lower: str
    lower_s: float


@dataclass(frozen=True)
class Starvation:
    """The task that waited longest for a worker: of which sub-queue, and how long. Seconds."""

    queue: str
    wait_s: float


def inversions(record: RunRecord) -> list[Inversion]:
    """Every pair of sub-queues whose queue_wait is not in the order of their priority.

    The scenario lists sub-queues highest priority first. Those without samples are in no pair.
    """
    return [each for name in _STATISTICS for each in _inverted_by(record, name)]


def _inverted_by(record: RunRecord, statistic: str) -> Iterator[Inversion]:
    waits = _waits(record, _STATISTICS[statistic])
    for (higher, higher_s), (lower, lower_s) in combinations(waits.items(), 2):
        if higher_s > lower_s:
            yield Inversion(statistic, higher, higher_s, lower, lower_s)


def starvation(record: RunRecord) -> Starvation | None:
    """The longest queue_wait of any sub-queue; None where nothing was served."""
    waits = _waits(record, "max_s")
    if not waits:
        return None
    queue = max(waits, key=waits.__getitem__)
    return Starvation(queue, waits[queue])


def _waits(record: RunRecord, field: str) -> dict[str, float]:
    """Sub-queue to one figure of its queue_wait, in order of priority."""
    summaries = record.latency.get("queue_wait", {})
    found = {
        queue: getattr(summaries[queue], field)
        for queue in record.scenario.queues
        if queue in summaries and summaries[queue].count
    }
    return {queue: value for queue, value in found.items() if value is not None}
