"""Latency counts: cumulative latencies of a queue for other tools' tables."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure.histogram import Histogram, merged
from bench.measure.latency_counts import LatencyCounts, added, latency_counts, percentile_us
from bench.measure.recorder import Interval, IntervalRecorder, by_queue
from bench.measure.window import TimeLine

VALUES = st.lists(st.integers(-1000, 10**8), max_size=60)
START_US = 1_000_000


def histogram_of(values: Sequence[int]) -> Histogram:
    made = Histogram()
    if values:
        made.record_many(np.array(values, np.int64))
    return made


@given(parts=st.lists(VALUES, min_size=1, max_size=4), failures=st.integers(0, 5))
def test_latency_counts_have_every_sample_of_their_histograms(
    parts: list[list[int]], failures: int
) -> None:
    values = [value for part in parts for value in part]
    made = latency_counts([histogram_of(part) for part in parts], failures, are_measured=False)
    assert made.count == len(values) + failures
    assert sum(made.values.values()) == len(values)
    assert made.sum_us == sum(values)
    if values:
        assert (made.min_us, made.max_us) == (min(values), max(values))


@given(parts=st.lists(VALUES, min_size=1, max_size=4))
def test_the_sum_of_latency_counts_equals_the_counts_of_all_samples(parts: list[list[int]]) -> None:
    each = [latency_counts([histogram_of(part)], 0, are_measured=True) for part in parts]
    whole = latency_counts([histogram_of(part) for part in parts], 0, are_measured=True)
    together = added(each)
    assert (together.count, together.sum_us) == (whole.count, whole.sum_us)
    assert (together.min_us, together.max_us) == (whole.min_us, whole.max_us)


@given(values=st.lists(st.integers(0, 10**8), min_size=1, max_size=60))
@pytest.mark.parametrize("percent", [1, 50, 90, 99, 99.9, 100])
def test_percentiles_are_the_histograms(values: list[int], percent: float) -> None:
    histogram = histogram_of(values)
    made = latency_counts([histogram], 0, are_measured=True)
    exact = histogram.percentile_us(percent)
    assert exact is not None
    # A histogram never says more than its largest sample; a tally says what the bucket holds.
    assert min(percentile_us(made, percent), histogram.max_us) == exact


def test_no_samples_have_no_percentile() -> None:
    assert percentile_us(LatencyCounts(), 50) == 0


@pytest.mark.slow
@given(
    samples=st.lists(
        st.tuples(st.integers(0, 3_000_000), st.integers(0, 10**7), st.integers(0, 2)),
        min_size=1,
        max_size=80,
    ),
    processes=st.integers(2, 4),
)
def test_merged_percentiles_equal_those_of_one_process_fed_the_same_samples(
    samples: list[tuple[int, int, int]], processes: int
) -> None:
    """Whichever process saw which sample: in every slice, for every queue."""
    line = TimeLine(START_US, (500_000, 1_000_000))

    def recorded(part: Sequence[tuple[int, int, int]]) -> IntervalRecorder:
        recorder = IntervalRecorder(line)
        for due_us, latency_us, queue in part:
            due = np.array([START_US + due_us], np.int64)
            value = np.array([latency_us], np.int64)
            recorder.record(Interval.E2E, queue, value, recorder.split(due))
        return recorder

    apart = [recorded(samples[number::processes]) for number in range(processes)]
    alone = recorded(samples)
    for first_slice in (0, 1):
        many = list(
            by_queue([p for each in apart for p in each.parts()], Interval.E2E, 3, first_slice)
        )
        one = list(by_queue(alone.parts(), Interval.E2E, 3, first_slice))
        for left, right in zip([*many, merged(many)], [*one, merged(one)], strict=True):
            assert left.counts.tolist() == right.counts.tolist()
            for percent in (0.1, 50, 99, 99.9, 100):
                assert left.percentile_us(percent) == right.percentile_us(percent)
