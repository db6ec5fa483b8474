"""Final reports become the figures of the record."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure import summary
from bench.measure.histogram import Histogram, Packed
from bench.measure.ledger import Counts
from bench.measure.recorder import Interval, IntervalRecorder, LatencySeries
from bench.measure.reports import MeasuredLatencies, ProducerReport, WorkerReport
from bench.measure.summary import WarmupCut
from bench.measure.window import TimeLine, time_line
from bench.workload import metrics
from bench.workload.metrics import parse_metric, parse_objective

START_US = 1_700_000_000_000_000
QUEUES = ("inference_high", "inference_low")
POINTS = st.lists(st.integers(0, 1000), max_size=60)


def of(values_us: Sequence[int]) -> Histogram:
    made = Histogram()
    made.record_many(np.array(values_us, np.int64))
    return made


def packed(values_us: Sequence[int]) -> Packed:
    return of(values_us).pack()


def measured(
    line: TimeLine,
    tasks: Sequence[tuple[Interval, int, int, int]],
    series: LatencySeries | None = None,
) -> MeasuredLatencies:
    """Latencies from (interval, queue, due in µs after the start, latency in µs)."""
    recorder = IntervalRecorder(line)
    for interval, queue, offset_us, value_us in tasks:
        due_us = np.array([line.start_us + offset_us])
        recorder.record(interval, queue, np.array([value_us]), recorder.split(due_us))
    return MeasuredLatencies(recorder.parts(), series or LatencySeries([], []))


def series_of(means_us: Sequence[int], tasks: int = 10) -> LatencySeries:
    return LatencySeries([mean * tasks for mean in means_us], [tasks] * len(means_us))


def hum(bins: int) -> list[int]:
    """A steady level with some ups and downs."""
    return [1000 + 10 * ((bin_index // 5 * 7 + 4) % 10) for bin_index in range(bins)]


@pytest.mark.parametrize(
    ("fixed_s", "expected"),
    [
        (0.0, WarmupCut("fixed", 0, 0.0, True)),
        (2.0, WarmupCut("fixed", 1, 2.0, True)),
        (0.3, WarmupCut("fixed", 1, 0.3, True)),
    ],
)
def test_a_warmup_that_was_asked_for_is_cut_whatever_the_series_says(
    fixed_s: float, expected: WarmupCut
) -> None:
    line = time_line(START_US, fixed_s, 6)
    series = [series_of([90_000] * 30 + hum(210))]
    assert summary.cut_warmup(line, fixed_s, series) == expected


@pytest.mark.parametrize(
    ("means_us", "expected"),
    [
        (hum(240), WarmupCut("mser5-rank", 0, 0.0, True)),
        ([90_000] * 20 + hum(240)[20:], WarmupCut("mser5-rank", 4, 2.0, True)),
        ([90_000] * 80 + hum(240)[80:], WarmupCut("mser5-rank", 12, 6.0, False)),
        ([], WarmupCut("mser5-rank", 0, 0.0, True)),
    ],
)
def test_a_warmup_is_found_in_the_series_within_the_time_line(
    means_us: list[int], expected: WarmupCut
) -> None:
    """And the first slice of the steady part begins exactly where the warm-up ends."""
    line = time_line(START_US, None, 6)
    cut = summary.cut_warmup(line, None, [series_of(means_us)])
    assert cut == expected
    edges_s = [0.0, *(edge / 1e6 for edge in line.edges_us)]
    assert edges_s[cut.first_slice] == cut.left_out_s


def test_a_warmup_is_found_in_the_series_of_all_processes_together() -> None:
    """One process's start counts with the weight of its tasks."""
    line = time_line(START_US, None, 6)
    slow_start = series_of([90_000] * 20 + hum(240)[20:])
    cut = summary.cut_warmup(line, None, [series_of(hum(240)), slow_start, series_of(hum(200))])
    assert cut == WarmupCut("mser5-rank", 4, 2.0, True)


def test_latencies_are_per_interval_and_queue_and_merged_for_all_without_the_warmup() -> None:
    line = TimeLine(START_US, (500_000,))
    first = measured(
        line,
        [
            (Interval.E2E, 0, 100_000, 9),
            (Interval.E2E, 0, 600_000, 10),
            (Interval.E2E, 1, 600_000, 20),
            (Interval.SERVICE, 1, 499_999, 5),
        ],
    )
    second = measured(line, [(Interval.E2E, 0, 500_000, 30), (Interval.SERVICE, 1, 500_000, 6)])
    found = summary.latencies([first, second], QUEUES, 1)
    assert set(found) == {(interval, queue) for interval in Interval for queue in ("all", *QUEUES)}
    totals = {key: (each.count, each.sum_us) for key, each in found.items() if each.count}
    assert totals == {
        (Interval.E2E, "inference_high"): (2, 40),
        (Interval.E2E, "inference_low"): (1, 20),
        (Interval.E2E, "all"): (3, 60),
        (Interval.SERVICE, "inference_low"): (1, 6),
        (Interval.SERVICE, "all"): (1, 6),
    }


def test_what_was_left_out_are_the_end_to_end_latencies_before_the_cut() -> None:
    """They come from every queue and process, and from no other interval."""
    line = time_line(START_US, None, 1.5)
    first = measured(
        line,
        [
            (Interval.E2E, 0, 0, 700),
            (Interval.E2E, 1, 999_999, 800),
            (Interval.E2E, 0, 1_000_000, 5),
            (Interval.E2E_FROM_SEND, 0, 0, 9000),
        ],
    )
    second = measured(line, [(Interval.E2E, 1, 10, 1), (Interval.SERVICE, 0, 10, 9000)])
    found = summary.left_out([first, second], 2)
    assert (found.count, found.sum_us, found.max_us) == (3, 1501, 800)
    assert summary.left_out([first, second], 0).count == 0


@given(st.lists(POINTS, max_size=5))
def test_points_of_several_processes_are_added_up(series: list[list[int]]) -> None:
    """However long each one's series is."""
    length = max(map(len, series), default=0)
    assert summary.add_bins(series) == [
        sum(each[bin_index] for each in series if bin_index < len(each))
        for bin_index in range(length)
    ]


@pytest.mark.parametrize(
    ("start_s", "end_s", "per_s"),
    [
        (0.0, 2.0, 105.0),  # 1 + 2 + … + 20 in two seconds
        (0.0, 1.0, 55.0),
        (1.0, 2.0, 155.0),
        (0.0, 0.1, 10.0),
        (0.05, 0.2, 20.0),  # half of the first bin does not count
        (0.0, 0.25, 15.0),  # nor half of the last one
        (0.05, 0.25, 20.0),
        (3 * 0.1, 0.6, 50.0),  # a little over 0.3 in floating point
        (0.6, sum([0.1] * 8), 75.0),  # and a little under 0.8
        (0.01, 0.19, None),
        (0.5, 0.5, None),
        (0.55, 0.59, None),
        (1.0, 0.5, None),
        (0.0, 4.0, 52.5),  # nothing happened in the other two seconds
        (5.0, 6.0, 0.0),
    ],
)
def test_a_rate_is_over_whole_points_only(
    start_s: float, end_s: float, per_s: float | None
) -> None:
    """Divided by their own length, and not by the time between the two moments."""
    assert summary.rate_between(list(range(1, 21)), start_s, end_s) == per_s


@given(
    bins=POINTS,
    rate=st.integers(0, 50),
    start=st.integers(0, 100),
    length=st.integers(1, 100),
)
def test_a_steady_rate_is_found_between_any_two_points(
    bins: list[int], rate: int, start: int, length: int
) -> None:
    """Whatever happened before and after."""
    series = [(bins * 100 + [0] * 100)[each] for each in range(start)] + [rate] * length + bins
    found = summary.rate_between(series, start / 10, (start + length) / 10)
    assert found == pytest.approx(rate * 10)


@given(bins=POINTS, seconds=st.integers(0, 8))
def test_seconds_are_ten_points_each_and_as_many_as_asked_for(
    bins: list[int], seconds: int
) -> None:
    found = summary.per_second(bins, seconds)
    assert len(found) == seconds
    assert sum(found) == sum(bins[: seconds * 10])
    for second, count in enumerate(found):
        assert count == sum(bins[second * 10 : second * 10 + 10])


def test_percentiles_of_each_second_are_of_all_workers_together() -> None:
    workers = [
        WorkerReport(name="a", e2e_by_second={0: packed([100] * 60), 2: packed([7])}),
        WorkerReport(name="b", e2e_by_second={0: packed([1000] * 40), 5: packed([9])}),
    ]
    assert summary.second_percentiles(workers, 50, 4) == [0.0001, None, 0.000007, None]
    assert summary.second_percentiles(workers, 99, 4) == [0.001, None, 0.000007, None]
    assert summary.second_percentiles([], 99, 2) == [None, None]


@pytest.mark.parametrize(
    ("finished_us", "last_s"),
    [
        ([], 0.0),
        ([None], 0.0),
        ([START_US + 2_500_000], 2.5),
        ([START_US + 2_500_000, None, START_US + 3_000_000], 3.0),
    ],
)
def test_the_last_reply_is_that_of_the_slowest_producer(
    finished_us: list[int | None], last_s: float
) -> None:
    producers = [
        ProducerReport(number=number, finished_us=moment)
        for number, moment in enumerate(finished_us)
    ]
    assert summary.last_reply_s(producers, TimeLine(START_US, ())) == last_s


HISTOGRAMS = {
    (interval, queue): Histogram() for interval in Interval for queue in ("all", *QUEUES)
} | {
    (Interval.E2E, "all"): of([1000] * 98 + [20_000, 30_000]),
    (Interval.E2E, "inference_high"): of([500]),
    (Interval.SERVICE, "inference_low"): of([-3, 5]),
}
COUNTS = {
    "all": Counts(due=10, enqueued=9, lost=2, refused=1, not_sent=1),
    "inference_high": Counts(due=4, lost=0),
    "inference_low": Counts(due=6, lost=2),
}
RATES: Mapping[str, float | None] = {
    "enqueue.rate": 812.5,
    "completed.rate": None,
    "finished.rate": 3.5,
}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("e2e.p50 < 1s", 0.001),
        ("e2e.p99 < 1s", 0.020),
        ("e2e.p100 < 1s", 0.030),
        ("e2e.min < 1s", 0.001),
        ("e2e.max < 1s", 0.030),
        ("e2e.mean < 1s", 0.00148),
        ("e2e{inference_high}.p99 < 1s", 0.0005),
        ("service{inference_low}.min < 1s", -0.000003),
        ("service{inference_low}.mean < 1s", 0.000001),
        ("e2e{inference_low}.p99 < 1s", None),
        ("queue_wait.max < 1s", None),
        ("queue_wait.min < 1s", None),
        ("lost == 0", 2.0),
        ("lost{inference_high} == 0", 0.0),
        ("due{inference_low} == 0", 6.0),
        ("refused == 0", 1.0),
        ("not_sent == 0", 1.0),
        ("enqueue.rate > 1/s", 812.5),
        ("completed.rate > 1/s", None),
    ],
)
def test_an_objective_is_looked_up_in_what_was_measured(
    expression: str, value: float | None
) -> None:
    """In seconds and per second; None, and not zero, where there is no data."""
    found = summary.lookup(HISTOGRAMS, COUNTS, RATES)(parse_objective(expression).metric)
    assert found == (None if value is None else pytest.approx(value, rel=1e-3))


METRICS = [
    *(
        f"{interval}.{statistic}"
        for interval in metrics.INTERVALS
        for statistic in ("p99", "min", "mean")
    ),
    *metrics.COUNTS,
    *metrics.RATES,
]


@pytest.mark.parametrize("metric", METRICS)
def test_whatever_can_be_written_can_be_looked_up(metric: str) -> None:
    found = summary.lookup(HISTOGRAMS, COUNTS, RATES)(parse_metric(metric))
    assert found is None or isinstance(found, float)
