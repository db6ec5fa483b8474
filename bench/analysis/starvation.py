"""The longest wait for a worker."""

from dataclasses import dataclass

from bench.records.run_record import RunRecord


@dataclass(frozen=True)
class Starvation:
    """The longest wait of any task for a worker, in seconds, and the task's sub-queue."""

    queue: str
    wait_s: float


def starvation(record: RunRecord) -> Starvation | None:
    """Returns the longest queue_wait of any sub-queue; None where no task was served."""
    summaries = record.latency.get("queue_wait", {})
    waits = {
        queue: summaries[queue].max_s for queue in record.scenario.queues if queue in summaries
    }
    longest = [Starvation(queue, wait_s) for queue, wait_s in waits.items() if wait_s is not None]
    return max(longest, key=lambda each: each.wait_s, default=None)
