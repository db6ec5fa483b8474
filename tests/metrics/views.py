"""A run in its middle, as its monitoring sees it."""

from typing import Any

from bench.measure.latency_buckets import BucketCounts, bounds_with
from bench.measure.progress import Progress
from bench.measure.recorder import Interval
from bench.measure.reports import ProducerReport, WorkerReport
from bench.metrics.run_metrics import RunView
from bench.workload.resolve import resolve

HIGH, LOW = "inference_high", "inference_low"
SLO = "e2e.p90 < 30ms"
BOUNDS_US = bounds_with([30_000])
OF_30_MS = BOUNDS_US.index(30_000)
"""The bucket whose upper bound is the objective's limit."""


def counts(**by_bound: int) -> BucketCounts:
    """So many latencies in the bucket of that number: ``b3=7``."""
    found = [0] * (len(BOUNDS_US) + 1)
    for name, count in by_bound.items():
        found[int(name[1:])] = count
    return BucketCounts(counts=found, sum_us=1_000_000)


def view(**changes: Any) -> RunView:
    """A run at 100 tasks/s after two seconds, one task behind, with a retry and a failed task."""
    scenario = resolve(
        {
            "name": "a-run",
            "queues": {HIGH: 1, LOW: 3},
            "rate": "100/s",
            "slo": [SLO],
            "duration": "10s",
        }
    )
    within, late = f"b{OF_30_MS}", f"b{OF_30_MS + 1}"
    whole: dict[str, Any] = {
        "scenario": scenario,
        "bounds_us": BOUNDS_US,
        "progress": Progress(
            phase="enqueueing",
            elapsed_s=2.0,
            planned_s=10.0,
            planned_tasks=None,
            due=199,
            enqueued=190,
            finished=150,
            offered_per_s=100,
            enqueued_per_s=99,
            finished_per_s=80,
            backlog={HIGH: 3, LOW: 7},
            p50_s=0.01,
            p99_s=0.02,
            states={
                HIGH: {"pending": 3, "active": 1, "completed": 5},
                LOW: {"pending": 7, "active": 0},
            },
        ),
        "producers": [
            ProducerReport(
                number=0,
                sent=199,
                enqueued=190,
                refused=2,
                cpu_s=0.5,
                reconnects=1,
                latency_buckets={Interval.ENQUEUE: {0: counts(b3=90), 1: counts(b3=100)}},
            )
        ],
        "workers": [
            WorkerReport(
                name="w1",
                completed=149,
                failed=1,
                in_flight=4,
                waiting_retry=1,
                cpu_s=0.25,
                retried={LOW: 2},
                failed_by_queue={1: 1},
                latency_buckets={
                    Interval.SERVICE: {0: counts(b2=50), 1: counts(b2=102)},
                    Interval.E2E: {
                        0: counts(**{within: 50}),
                        1: counts(**{within: 85, late: 15}),
                    },
                    Interval.E2E_FROM_SEND: {0: counts(b1=50)},
                },
            )
        ],
    }
    return RunView(**{**whole, **changes})
