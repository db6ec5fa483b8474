"""What the charts of Locust's page show is what the exact histograms say."""

from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.locust import live
from bench.locust.history import PERCENTILES, History, LivePoint, since
from bench.measure.histogram import Histogram
from bench.measure.latency_counts import LatencyCounts, latency_counts, percentile_us
from bench.measure.progress import Progress
from bench.measure.recorder import Interval
from bench.measure.reports import WorkerReport

LATENCIES = st.lists(st.integers(0, 10_000_000), max_size=50)


def counts_of(values_us: list[int]) -> LatencyCounts:
    histogram = Histogram()
    histogram.record_many(np.array(values_us, dtype=np.int64))
    return latency_counts([histogram], 0, are_measured=True)


def worker(values_us: list[int], name: str = "worker-0") -> WorkerReport:
    report = WorkerReport(name=name)
    report.latency_counts = {Interval.E2E: {0: counts_of(values_us)}}
    return report


def progress(elapsed_s: float, backlog: dict[str, int] | None = None) -> Progress:
    return Progress(
        phase="enqueueing",
        elapsed_s=elapsed_s,
        planned_s=None,
        planned_tasks=None,
        due=0,
        enqueued=0,
        finished=0,
        offered_per_s=3,
        enqueued_per_s=2,
        finished_per_s=1,
        backlog=backlog or {},
        p50_s=None,
        p99_s=None,
    )


@given(before=LATENCIES, more=LATENCIES.filter(any), of_other=LATENCIES)
def test_a_point_has_the_percentiles_of_the_histogram_of_what_is_new(
    before: list[int], more: list[int], of_other: list[int]
) -> None:
    history = History()
    history.note(progress(1.0), [worker(before)])
    history.note(progress(2.0), [worker(before + more), worker(of_other, "worker-1")])
    exact = Histogram()
    exact.record_many(np.array(more + of_other, dtype=np.int64))
    shown = history.points[-1].percentiles_s
    for name, percent in PERCENTILES.items():  # to the three digits of a bucket
        expected = cast(int, exact.percentile_us(percent)) / 1e6
        assert shown[name] == pytest.approx(expected, rel=1e-3)


@given(LATENCIES, LATENCIES)
def test_what_is_new_is_the_difference(before: list[int], more: list[int]) -> None:
    assert since(counts_of(before + more), counts_of(before)).values == counts_of(more).values


@given(LATENCIES.filter(any))
def test_no_percentile_in_the_table_is_above_the_largest_latency(values_us: list[int]) -> None:
    counts = counts_of(values_us)
    assert percentile_us(counts, 99.9) <= counts.max_us == max(values_us)


def test_a_second_without_a_task_has_no_percentile_and_loses_none() -> None:
    """Nor does a report that carries no counts make the next one count tasks again."""
    history = History()
    for at_s, values_us in ((1.0, [100]), (2.0, []), (3.0, [100, 300])):
        history.note(progress(at_s), [worker(values_us)])
    assert [each.percentiles_s.get("p50") for each in history.points] == [1e-4, None, 3e-4]


def test_points_are_about_a_second_apart_and_stay_few() -> None:
    history = History()
    for tenth in range(100_000):
        history.note(progress(tenth / 10), [])
    times_s = [each.elapsed_s for each in history.points]
    assert times_s[0] == 0
    assert times_s[-1] > 9_900
    assert 600 <= len(times_s) <= 1200
    assert max(np.diff(times_s)) < 40


def test_curves_are_as_long_as_their_times_and_few_enough_to_be_told_apart() -> None:
    queues = [f"inference_{number}" for number in range(12)]
    points = [
        LivePoint(float(at), 3, 2, 1, dict.fromkeys(queues, at), {"p50": 0.001} if at else {})
        for at in range(3)
    ]
    rates, backlog, latency = cast(Any, live)._charts(points, queues)
    assert [each["name"] for each in backlog["curves"]] == ["all", *queues[:8]]
    assert backlog["curves"][0]["values"] == [0, 12, 24]
    assert latency["curves"][0] == {"name": "p50", "values": [None, 1.0, 1.0]}
    for chart in (rates, backlog, latency):
        assert {len(each["values"]) for each in chart["curves"]} == {len(chart["times_s"])}


@pytest.mark.parametrize("error", [None, "no server"])
def test_before_the_first_test_there_is_something_to_show(error: str | None) -> None:
    shown = live.view(None, error)
    assert (shown["verdict"], shown["error"], shown["record"]) == ("no test yet", error, "")
