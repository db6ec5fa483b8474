"""Time stamps become histograms and series, in slices of due time."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure.histogram import Histogram, unpack
from bench.measure.recorder import (
    BIN_US,
    SECOND_US,
    Interval,
    IntervalRecorder,
    LatencySeries,
    RateSeries,
    SecondLatencies,
    by_queue,
    means,
)
from bench.measure.window import SLICE_US, SliceMask, TimeLine, time_line

START_US = 1_700_000_000_000_000
EDGES = (500_000, 1_000_000, 1_500_000)
OFFSETS = st.integers(-200_000, 2_500_000) | st.sampled_from(
    [edge + by for edge in (0, *EDGES) for by in (-1, 0, 1)]
)
LATENCIES = st.integers(-10, 5_000_000)


def array(values: Sequence[int]) -> np.typing.NDArray[np.int64]:
    return np.array(values, np.int64)


def slice_of(offset_us: int) -> int:
    """The plain way: how many edges lie at or before it."""
    return sum(edge <= offset_us for edge in EDGES)


def members(masks: Sequence[SliceMask], tasks: int) -> dict[int, list[int]]:
    """The indices of the tasks in each slice."""
    everything = np.ones(tasks, np.bool_)
    return {
        mask.slice: np.flatnonzero(everything if mask.chosen is None else mask.chosen).tolist()
        for mask in masks
    }


def counted(each: Histogram) -> tuple[int, int, int, int]:
    return each.count, each.sum_us, each.min_us, each.max_us


def counted_values(values: Sequence[int]) -> tuple[int, int, int, int]:
    return len(values), sum(values), min(values, default=0), max(values, default=0)


@pytest.mark.parametrize(
    ("warmup_s", "most_s", "edges_us"),
    [
        (0.0, 10, ()),
        (2.0, 10, (2_000_000,)),
        (0.25, 10, (250_000,)),
        (None, 0, ()),
        (None, 0.4, ()),
        (None, 0.5, (500_000,)),
        (None, 2.2, (500_000, 1_000_000, 1_500_000, 2_000_000)),
    ],
)
def test_a_time_line_has_an_edge_where_the_warmup_may_end(
    warmup_s: float | None, most_s: float, edges_us: tuple[int, ...]
) -> None:
    line = time_line(START_US, warmup_s, most_s)
    assert line == TimeLine(START_US, edges_us)
    assert line.slices == len(edges_us) + 1


@pytest.mark.parametrize(
    ("offset_us", "expected"),
    [
        (-1, 0),
        (0, 0),
        (499_999, 0),
        (500_000, 1),
        (999_999, 1),
        (1_000_000, 2),
        (1_499_999, 2),
        (1_500_000, 3),
        (10**12, 3),
    ],
)
def test_a_task_due_exactly_at_an_edge_is_in_the_slice_that_begins_there(
    offset_us: int, expected: int
) -> None:
    recorder = IntervalRecorder(TimeLine(START_US, EDGES))
    for tasks in (1, 3):
        due_us = array([START_US + offset_us] * tasks)
        assert members(recorder.split(due_us).masks, tasks) == {expected: list(range(tasks))}


@given(st.lists(OFFSETS, min_size=1, max_size=20))
def test_each_task_is_in_the_one_slice_that_it_was_due_in(offsets_us: list[int]) -> None:
    """In whatever order."""
    recorder = IntervalRecorder(TimeLine(START_US, EDGES))
    due_us = array(offsets_us) + START_US
    expected = {
        each: [at for at, offset in enumerate(offsets_us) if slice_of(offset) == each]
        for each in {slice_of(offset) for offset in offsets_us}
    }
    assert members(recorder.split(due_us).masks, len(due_us)) == expected


def test_without_a_warmup_all_tasks_are_in_one_slice() -> None:
    recorder = IntervalRecorder(TimeLine(START_US, ()))
    for offset_us in (-5, 0, 10**9):
        due_us = array([START_US + offset_us, START_US + offset_us + 1])
        assert members(recorder.split(due_us).masks, 2) == {0: [0, 1]}


TASKS = st.lists(st.tuples(OFFSETS, LATENCIES), min_size=1, max_size=20)


@given(
    batches=st.lists(st.tuples(st.sampled_from(Interval), st.integers(0, 2), TASKS), max_size=5),
    first_slice=st.integers(0, 3),
)
def test_a_latency_counts_for_its_interval_its_queue_and_the_slice_of_its_due_time(
    batches: list[tuple[Interval, int, list[tuple[int, int]]]], first_slice: int
) -> None:
    """Leaving out the first slices leaves out exactly the tasks that were due in them."""
    recorder = IntervalRecorder(TimeLine(START_US, EDGES))
    for interval, queue, tasks in batches:
        due_us = array([offset for offset, _ in tasks]) + START_US
        values = array([latency for _, latency in tasks])
        recorder.record(interval, queue, values, recorder.split(due_us))
    histograms = recorder.parts()
    for interval in Interval:
        for queue, found in enumerate(by_queue(histograms, interval, 3, first_slice)):
            expected = [
                latency
                for its_interval, its_queue, tasks in batches
                if (its_interval, its_queue) == (interval, queue)
                for offset, latency in tasks
                if slice_of(offset) >= first_slice
            ]
            assert counted(found) == counted_values(expected)


def test_the_histograms_of_several_processes_are_merged() -> None:
    histograms = []
    for values in ([1, 2], [30], [4, 500]):
        recorder = IntervalRecorder(TimeLine(START_US, ()))
        due_us = array([START_US] * len(values))
        recorder.record(Interval.E2E, 1, array(values), recorder.split(due_us))
        histograms += recorder.parts()
    none, some = by_queue(histograms, Interval.E2E, 2, 0)
    assert counted(none) == counted_values([])
    assert counted(some) == counted_values([1, 2, 30, 4, 500])


POINTS = st.lists(
    st.lists(
        st.tuples(st.integers(0, 20 * BIN_US) | st.integers(-BIN_US, BIN_US), LATENCIES),
        min_size=1,
        max_size=10,
    ),
    max_size=4,
)


@given(POINTS)
def test_means_are_those_of_the_latencies_due_in_each_tenth_of_a_second(
    batches: list[list[tuple[int, int]]],
) -> None:
    """Whether a batch lies in one point or crosses several; before the start is the first one."""
    series = LatencySeries([], [])
    by_point: dict[int, list[int]] = {}
    for batch in batches:
        series.add(array([at for at, _ in batch]), array([value for _, value in batch]))
        for at, value in batch:
            by_point.setdefault(max(at // BIN_US, 0), []).append(value)
    points = range(len(series.counts))
    assert series.counts == [len(by_point.get(point, [])) for point in points]
    assert series.sums_us == [sum(by_point.get(point, [])) for point in points]
    assert max(by_point, default=-1) < len(series.counts)


def test_a_sum_of_latencies_counts_like_each_of_them() -> None:
    summed, added = LatencySeries([], []), LatencySeries([], [])
    summed.add_sum(250_000, 60, 3)
    added.add(array([200_000, 250_000, 299_999]), array([10, 20, 30]))
    assert summed == added == LatencySeries([0, 0, 60], [0, 0, 3])


def test_new_series_share_nothing() -> None:
    first = LatencySeries()
    first.add_sum(0, 1, 1)
    assert LatencySeries() == LatencySeries([], [])


def test_means_are_over_all_recorders_and_nan_where_nothing_was_due() -> None:
    first, second = LatencySeries([10, 0, 5], [1, 0, 1]), LatencySeries([50, 0], [3, 0])
    mean = means([first, second])
    assert np.array_equal(mean, [15, np.nan, 5], equal_nan=True)
    assert len(means([])) == 0


@given(st.lists(st.lists(st.integers(0, 30 * BIN_US), max_size=20).map(sorted), max_size=5))
def test_events_are_counted_in_their_tenth_of_a_second(batches: list[list[int]]) -> None:
    """At once or one by one."""
    many, singly = RateSeries(), RateSeries()
    for batch in batches:
        many.add_many(array(batch))
        for offset_us in batch:
            singly.add(offset_us, 1)
    assert many.counts == singly.counts
    offsets = [offset_us for batch in batches for offset_us in batch]
    assert sum(many.counts) == len(offsets)
    for point, count in enumerate(many.counts):
        assert count == sum(offset_us // BIN_US == point for offset_us in offsets)


@pytest.mark.parametrize(
    ("offset_us", "point"), [(-5, 0), (0, 0), (99_999, 0), (100_000, 1), (1_250_000, 12)]
)
def test_an_event_is_in_the_point_that_begins_at_or_before_it(offset_us: int, point: int) -> None:
    events = RateSeries()
    events.add(offset_us, 7)
    assert events.counts == [0] * point + [7]


@pytest.mark.parametrize("offset_us", [10**15, 2**62])
def test_an_absurdly_late_moment_does_not_fill_the_memory(offset_us: int) -> None:
    """It is still counted."""
    events, series = RateSeries(), LatencySeries([], [])
    events.add(offset_us, 1)
    series.add_sum(offset_us, 5, 1)
    series.add(array([0, offset_us]), array([1, 2]))
    assert sum(events.counts) == 1
    assert (sum(series.counts), sum(series.sums_us)) == (3, 8)
    assert len(events.counts) == len(series.counts) < 10**7


SECONDS = st.lists(
    st.lists(st.tuples(st.integers(-SECOND_US, 6 * SECOND_US), LATENCIES), min_size=1, max_size=10),
    max_size=5,
)


@given(batches=SECONDS, closing=st.booleans())
def test_each_second_has_the_latencies_of_the_tasks_that_finished_in_it(
    batches: list[list[tuple[int, int]]], closing: bool
) -> None:
    """In whatever order they come, and however often the second at hand is closed in between."""
    latencies = SecondLatencies()
    by_second: dict[int, list[int]] = {}
    for batch in batches:
        latencies.record(array([at for at, _ in batch]), array([value for _, value in batch]))
        for at, value in batch:
            by_second.setdefault(max(at // SECOND_US, 0), []).append(value)
        if closing:
            latencies.close()
    latencies.close()
    found = {second: counted(unpack(packed)) for second, packed in latencies.closed.items()}
    assert found == {second: counted_values(values) for second, values in by_second.items()}


def test_the_latest_seconds_are_the_last_ones_that_were_closed() -> None:
    latencies = SecondLatencies()
    for second in (0, 1, 5, 3):
        latencies.record(array([second * SECOND_US]), array([second]))
    assert list(latencies.latest(2)) == [1, 5]
    latencies.close()
    assert list(latencies.latest(2)) == [3, 5]
    assert list(latencies.latest(10)) == [0, 1, 3, 5]


def test_a_slice_is_a_whole_number_of_points() -> None:
    """A cut of the series then falls on an edge between slices."""
    assert SLICE_US % BIN_US == SECOND_US % BIN_US == 0
