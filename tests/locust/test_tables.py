"""Our figures in Locust's tables. Importing Locust patches the process, so another one does it."""

import json
import subprocess
import sys
from typing import Any

import pytest

PROGRAM = """
import json
from locust.stats import RequestStats
from bench.locust.tables import StatsTables
from bench.measure.recorder import Interval
from bench.measure.reports import ProducerReport, WorkerReport
from bench.measure.latency_counts import LatencyCounts
stats = RequestStats()
tables = StatsTables(stats, ["a_high", "a_low"])
def producer(number, revision, *tallies):
    return ProducerReport(number=number, revision=revision, first_error="OOM",
        latency_counts={Interval.ENQUEUE: dict(enumerate(tallies))})
first = LatencyCounts(count=3, sum_us=900, min_us=200, max_us=400, values={200: 1, 300: 1, 400: 1})
second = LatencyCounts(count=6, failures=1, sum_us=1900, min_us=100, max_us=500,
    values={100: 1, 200: 1, 300: 2, 400: 1})
tables.feed([producer(0, 1, first)], [])
tables.feed([producer(0, 1, first)], [])            # the same report once more
tables.feed([producer(0, 2, second), producer(1, 1, LatencyCounts(), first)], [])
tables.feed([producer(0, 1, first)], [])            # an old one, late
tables.feed([], [WorkerReport(name="w", latency_counts={Interval.E2E: {0: first}})])
print(json.dumps({
    "rows": {f"{m} {n}": [e.num_requests, e.num_failures, e.num_none_requests,
        e.total_response_time, e.min_response_time, e.max_response_time,
        sorted(e.response_times.items())]
        for (n, m), e in stats.entries.items()},
    "total": [stats.total.num_requests, stats.total.num_failures],
    "median": stats.get("a_low", "enqueue").get_response_time_percentile(0.5),
    "errors": [[e.method, e.name, str(e.error), e.occurrences] for e in stats.errors.values()],
}))
"""


@pytest.mark.slow
def test_rows_grow_by_what_is_new_and_hold_fractions_of_milliseconds() -> None:
    """A report that comes twice, or late, changes nothing."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    shown: dict[str, Any] = json.loads(done.stdout)
    assert shown["rows"] == {
        "enqueue a_high": [6, 1, 1, 1.9, 0.1, 0.5, [[0.1, 1], [0.2, 1], [0.3, 2], [0.4, 1]]],
        "enqueue a_low": [3, 0, 0, 0.9, 0.2, 0.4, [[0.2, 1], [0.3, 1], [0.4, 1]]],
        "e2e a_high": [3, 0, 0, 0.9, 0.2, 0.4, [[0.2, 1], [0.3, 1], [0.4, 1]]],
    }
    assert shown["total"] == [12, 1]
    assert shown["median"] == 0.3
    assert shown["errors"] == [["enqueue", "a_high", "OOM", 1]]
