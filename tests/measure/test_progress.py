"""How a run is going, from the newest reports."""

from dataclasses import replace

import numpy as np
import pytest

from bench.measure.histogram import Histogram, Packed
from bench.measure.progress import Behind, Progress, progress_of
from bench.measure.reports import ProducerReport, WorkerReport
from bench.workload.scenario import Scenario
from bench.workload.trace import TraceFile

SCENARIO = Scenario(
    queues={"inference_high": 1.0, "inference_low": 1.0}, rate_per_s=100, duration_s=20
)


def packed(values_us: list[int]) -> Packed:
    made = Histogram()
    made.record_many(np.array(values_us, np.int64))
    return made.pack()


def test_the_newest_reports_of_all_processes_are_added_up() -> None:
    producers = [
        ProducerReport(
            number=0, due=50, enqueued=40, offered_by_bin=[1] * 40, enqueued_by_bin=[2] * 40
        ),
        ProducerReport(
            number=1, due=30, enqueued=20, offered_by_bin=[3] * 40, enqueued_by_bin=[4] * 30
        ),
    ]
    workers = [
        WorkerReport(name="a", completed=7, failed=1, finished_by_bin=[5] * 40),
        WorkerReport(name="b", completed=2, e2e_by_second={1: packed([1000] * 99)}),
        WorkerReport(name="c", e2e_by_second={2: packed([2000])}),
    ]
    assert progress_of("load", 3.25, SCENARIO, producers, workers, [5, 6]) == Progress(
        phase="load",
        elapsed_s=3.25,
        planned_s=20,
        planned_tasks=None,
        due=80,
        enqueued=60,
        finished=10,
        offered_per_s=40,
        enqueued_per_s=60,
        finished_per_s=50,
        backlog={"inference_high": 5, "inference_low": 6},
        p50_s=0.001,
        p99_s=0.001,
    )


@pytest.mark.parametrize(
    ("elapsed_s", "per_s"),
    [(-1.0, 0), (0.0, 0), (0.25, 0), (0.375, 1), (1.25, 55), (1.375, 65), (2.25, 155), (9.0, 0)],
)
def test_the_rate_is_that_of_the_second_that_ended_a_quarter_of_one_ago(
    elapsed_s: float, per_s: int
) -> None:
    """Later points are still incomplete. The points hold 1, 2, 3, … events."""
    points = list(range(1, 21))
    producer = ProducerReport(number=0, enqueued_by_bin=points)
    progress = progress_of("load", elapsed_s, SCENARIO, [producer], [], [0, 0])
    assert progress.enqueued_per_s == per_s


def test_before_anything_happened_there_are_no_latencies_and_no_time() -> None:
    progress = progress_of("start", -0.3, SCENARIO, [], [], [0, 0])
    assert (progress.elapsed_s, progress.p50_s, progress.p99_s) == (0.0, None, None)
    assert (progress.due, progress.enqueued, progress.finished) == (0, 0, 0)


def test_percentiles_are_of_all_workers_together() -> None:
    """Two workers with the same number of tasks: the slow one's are above the median."""
    workers = [
        WorkerReport(name="a", e2e_by_second={1: packed([100] * 50), 2: packed([100] * 50)}),
        WorkerReport(name="b", e2e_by_second={1: packed([1000] * 99)}),
    ]
    progress = progress_of("load", 3.0, SCENARIO, [], workers, [0, 0])
    assert (progress.p50_s, progress.p99_s) == (0.0001, 0.001)


def test_producers_that_cannot_keep_up_are_shown_with_the_rate_asked_for_and_the_bound() -> None:
    late = [ProducerReport(number=0, behind_us=250_000), ProducerReport(number=1, behind_us=9)]
    assert progress_of("load", 3, SCENARIO, late, [], [0, 0]).behind == Behind(0.25, 100.0, 30.0)
    after = progress_of("load", 25, SCENARIO, late, [], [0, 0]).behind
    assert after == Behind(0.25, 100.0, 30.0)


def test_producers_that_are_late_with_a_trace_of_tasks_are_behind_its_highest_rate() -> None:
    """Such a trace has no rate at a moment."""
    trace = TraceFile("t.csv", "", "tasks", 40, duration_s=20, mean_per_s=2, peak_per_s=70)
    scenario = Scenario(queues={"inference_high": 1.0}, trace=trace)
    late = [ProducerReport(number=0, behind_us=300_000)]
    assert progress_of("load", 3, scenario, late, [], [0]).behind == Behind(0.3, 70.0, 30.0)


@pytest.mark.parametrize(("elapsed_s", "offered_per_s"), [(3, 100), (25, 0)])
def test_what_is_offered_does_not_sink_where_producers_are_late(
    elapsed_s: float, offered_per_s: int
) -> None:
    """What they have sent was due long before the last second."""
    late = [ProducerReport(number=0, behind_us=2_000_000, offered_by_bin=[10] * 5)]
    state = progress_of("load", elapsed_s, SCENARIO, late, [], [0, 0])
    assert state.offered_per_s == offered_per_s


@pytest.mark.parametrize(
    "reports",
    [
        [ProducerReport(number=0, behind_us=249_999)],
        [ProducerReport(number=0, behind_us=900_000, final=True)],
        [],
    ],
)
def test_producers_that_keep_up_or_have_ended_are_not_behind(reports: list[ProducerReport]) -> None:
    assert progress_of("load", 3, SCENARIO, reports, [], [0, 0]).behind is None


@pytest.mark.parametrize(
    ("finished", "drain_left_s", "takes_s"),
    [(80, 5.0, 0.4), (100, 5.0, None), (80, None, None), (0, 5.0, None)],
)
def test_a_drain_takes_what_is_left_at_the_rate_of_the_last_second(
    finished: int, drain_left_s: float | None, takes_s: float | None
) -> None:
    """Nothing is known of it where nothing was finished in that second."""
    producers = [ProducerReport(number=0, enqueued=100)]
    bins = [5] * 40 if finished else []
    workers = [WorkerReport(name="a", completed=finished, finished_by_bin=bins)]
    state = replace(
        progress_of("draining", 3, SCENARIO, producers, workers, [0, 0]),
        drain_left_s=drain_left_s,
    )
    assert state.drain_takes_s == (None if takes_s is None else pytest.approx(takes_s))
