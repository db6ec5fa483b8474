"""What a standalone worker exports: a snapshot of what it has served."""

from bench.measure.latency_buckets import LADDER_US
from bench.metrics.run_metrics import STAGES
from bench.metrics.snapshot import Labels, MetricsSnapshot, one
from bench.version import __version__
from bench.worker.recorder import AttemptOutcome
from bench.worker.served import ServedState

BOUNDS_US = LADDER_US
"""Bounds of the buckets of a worker's latencies."""


def worker_snapshot(state: ServedState, layout: str) -> MetricsSnapshot:
    """Returns the values of all metrics of a standalone worker."""
    ended, queues = state.ended, sorted({queue for queue, _ in state.ended})
    attempts = {
        queue: sum(ended.get((queue, each), 0) for each in AttemptOutcome) for queue in queues
    }
    completed = {queue: ended.get((queue, AttemptOutcome.COMPLETED), 0) for queue in queues}
    retried = {queue: ended.get((queue, AttemptOutcome.RETRIED), 0) for queue in queues}
    failed = {queue: attempts[queue] - completed[queue] for queue in queues}
    values: dict[str, list[tuple[Labels, float]]] = {
        "worker_info": [((state.name, layout, __version__), 1.0)],
        "completed_tasks_total": one(sum(completed.values())),
        "failed_tasks_total": one(sum(failed.values()) - sum(retried.values())),
        "retried_attempts_total": [((queue,), count) for queue, count in retried.items()],
        "in_flight_tasks": one(state.in_flight),
        "waiting_retry_tasks": one(state.waiting_retry),
        "cpu_seconds_total": [(("worker", state.name), state.cpu_s)],
        "reconnects_total": [(("worker",), state.reconnects)],
        "tasks_processed_total": [((queue,), count) for queue, count in attempts.items()],
        "tasks_failed_total": [((queue,), count) for queue, count in failed.items()],
    }
    latencies = {str(stage): state.latencies.get(stage, {}) for stage in STAGES}
    return MetricsSnapshot(
        values=values,
        histograms={
            "latency_seconds": [
                ((queue, stage), counted)
                for stage, by_name in latencies.items()
                for queue, counted in sorted(by_name.items())
            ]
        },
        bounds_us=BOUNDS_US,
    )
