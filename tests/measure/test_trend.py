"""Backlog and latency over the time of a run."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bench.measure.histogram import Histogram, Packed
from bench.measure.reports import WorkerReport
from bench.measure.trend import MOST_POINTS, RunTrend, TrendPoint, TrendRecorder


def histogram(values_us: list[int]) -> Histogram:
    made = Histogram()
    made.record_many(np.array(values_us, np.int64))
    return made


def packed(values_us: list[int]) -> Packed:
    return histogram(values_us).pack()


def worker(name: str, **seconds: list[int]) -> WorkerReport:
    """A report with the latencies of seconds, as ``s3=[…]``."""
    by_second = {int(second[1:]): packed(values) for second, values in seconds.items()}
    return WorkerReport(name=name, e2e_by_second=by_second)


def test_before_the_first_report_there_is_nothing() -> None:
    recorder = TrendRecorder()
    assert recorder.trend == RunTrend(1, ())
    assert recorder.total.count == 0


def test_a_second_has_its_largest_backlog_and_the_p99_of_all_workers_together() -> None:
    recorder = TrendRecorder()
    reports = [worker("a", s0=[100] * 99), worker("b", s0=[9_000] * 99, s1=[5])]
    for elapsed_s, backlog in ((0.2, 7), (0.9, 3), (2.1, 1)):
        recorder.note(elapsed_s, backlog, reports if elapsed_s > 2 else [])
    assert recorder.trend.points == (
        TrendPoint(7, 0.009),
        TrendPoint(None, 0.000005),
        TrendPoint(1, None),
    )


def test_what_a_worker_adds_to_a_second_later_counts_once() -> None:
    recorder = TrendRecorder()
    recorder.note(4, 0, [worker("a", s3=[10])])
    recorder.note(5, 0, [worker("a", s3=[10, 2_000])])
    recorder.note(9, 0, [worker("a", s3=[10, 2_000], s8=[7])])
    recorder.note(10, 0, [worker("a", s3=[10, 2_000], s8=[7])])
    assert recorder.total.count == 3
    assert recorder.trend.points[3].p99_s == 0.002


def test_every_second_of_reports_that_have_the_last_few_only_counts_once() -> None:
    """As those of workers on other hosts."""
    recorder = TrendRecorder(keeps_seconds=True)
    for last in range(1, 40):
        seconds = {f"s{second}": [10 + second] for second in range(max(last - 3, 0), last)}
        recorder.note(last, 0, [worker("a", **seconds), worker("b", **seconds)])
    assert recorder.total.count == 2 * 39
    cells = recorder.latencies(2, 39)
    assert cells.in_seconds().tolist() == [2.0] * 37
    assert [round(1e6 * cells.value_s(cells.bucket_at(rank))) for rank in (1, 74)] == [12, 48]


def test_seconds_before_the_window_are_shown_and_do_not_count() -> None:
    recorder = TrendRecorder(counted_from_s=2.0)
    recorder.note(9, 0, [worker("a", s1=[50_000], s2=[20], s8=[30])])
    assert recorder.total.max_us == 30
    assert recorder.trend.points[1].p99_s == 0.05


def test_a_second_that_is_still_to_come_counts_and_has_no_point() -> None:
    """By the clock of a worker elsewhere; a chart of all the time until then would show nothing."""
    recorder = TrendRecorder()
    recorder.note(1.5, 0, [worker("a", s604790=[50], s604800=[40])])
    assert recorder.trend.points == (TrendPoint(None, None), TrendPoint(0, None))
    assert recorder.total.count == 2


@given(st.lists(st.lists(st.integers(0, 10_000_000), max_size=6), min_size=1, max_size=300))
def test_every_point_is_the_percentile_of_all_tasks_of_its_seconds(
    by_second: list[list[int]],
) -> None:
    """However long a run is, and however often two points have become one."""
    recorder = TrendRecorder()
    reports: dict[int, Packed] = {}
    for second, values in enumerate(by_second):
        if values:
            reports[second] = packed(values)
        recorder.note(second + 1, second, [WorkerReport(name="a", e2e_by_second=dict(reports))])
    trend, step = recorder.trend, recorder.trend.step_s
    assert len(trend.points) <= MOST_POINTS
    starts = [*range(0, len(by_second) + 1, step), len(by_second) + 1]
    for point, (start, end) in zip(trend.points, pairwise(starts), strict=True):
        whole = histogram([each for values in by_second[start:end] for each in values])
        value_us = whole.percentile_us(99)
        assert point.p99_s == (None if value_us is None else value_us / 1e6)
        assert point.backlog in (None, end - 2)
    assert recorder.total.count == sum(map(len, by_second))
