"""Latencies in a few buckets: they are the histograms' counts, and add up."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bench.measure.histogram import HIGHEST_US, Histogram
from bench.measure.latency_buckets import (
    LADDER_US,
    BucketCounter,
    added_by_queue,
    bounds_with,
)
from bench.measure.recorder import Interval, IntervalRecorder
from bench.measure.window import TimeLine

VALUES = st.lists(st.integers(-1000, 2 * HIGHEST_US), max_size=60)
BOUNDS = st.sets(st.integers(1, HIGHEST_US - 1), min_size=1, max_size=8).map(
    lambda found: tuple(sorted(found))
)
PRECISION = 1e-3
START_US = 1_000_000


def histogram_of(values: list[int]) -> Histogram:
    made = Histogram()
    made.record_many(np.array(values, np.int64))
    return made


@given(values=VALUES, bounds=BOUNDS)
def test_a_bucket_holds_what_is_up_to_its_bound_to_three_significant_digits(
    values: list[int], bounds: tuple[int, ...]
) -> None:
    """No value is left out, negative ones and those beyond the range included."""
    counts = histogram_of(values).bucket_counts(bounds)
    assert len(counts) == len(bounds) + 1
    assert sum(counts) == len(values)
    for number, bound in enumerate(bounds, 1):
        at_least = sum(value <= bound for value in values)
        at_most = sum(value <= bound * (1 + PRECISION) for value in values)
        assert at_least <= sum(counts[:number]) <= at_most


@given(values=VALUES.filter(bool), bounds=BOUNDS, percent=st.floats(0.1, 100))
def test_a_percentile_is_within_a_bound_exactly_if_enough_samples_are(
    values: list[int], bounds: tuple[int, ...], percent: float
) -> None:
    histogram = histogram_of(values)
    counts = histogram.bucket_counts(bounds)
    value = histogram.percentile_us(percent)
    assert value is not None
    rank = max(math.ceil(percent * len(values) / 100 - 1e-9), 1)
    for number, bound in enumerate(bounds, 1):
        is_within = sum(counts[:number]) >= rank
        assert is_within == (value <= bound) or abs(value - bound) <= PRECISION * bound


def test_the_bounds_are_the_ladder_and_limits_that_can_be_told_apart() -> None:
    assert bounds_with(()) == LADDER_US == tuple(sorted({*LADDER_US}))
    assert bounds_with((300, 0, HIGHEST_US, 1_000)) == tuple(sorted((*LADDER_US, 300)))


@given(first=VALUES, second=VALUES)
def test_counting_again_counts_what_came_since_once(first: list[int], second: list[int]) -> None:
    intervals = IntervalRecorder(TimeLine(START_US, (500_000,)))
    counter = BucketCounter(intervals, LADDER_US)
    recorded: list[int] = []
    for values in (first, second, []):
        for value in values:  # every other one is due in the warm-up
            due_us = START_US + (len(recorded) % 2) * 900_000
            intervals.record_one(Interval.E2E, 1, value, due_us)
            recorded.append(value)
        found = counter.count(is_last=True).get(Interval.E2E, {})
        expected = histogram_of(recorded).bucket_counts(LADDER_US)
        assert [each.counts for each in found.values()] == ([expected] if recorded else [])
        assert sum(each.sum_us for each in found.values()) == sum(recorded)


def test_without_bounds_nothing_is_counted() -> None:
    intervals = IntervalRecorder(TimeLine(START_US, ()))
    intervals.record_one(Interval.E2E, 0, 5, START_US)
    assert BucketCounter(intervals, ()).count() == {}


@given(parts=st.lists(VALUES, min_size=1, max_size=4))
def test_the_counts_of_several_processes_add_up(parts: list[list[int]]) -> None:
    reports = []
    for values in parts:
        intervals = IntervalRecorder(TimeLine(START_US, ()))
        for value in values:
            intervals.record_one(Interval.SERVICE, 0, value, START_US)
        reports.append(BucketCounter(intervals, LADDER_US).count())
    whole = [value for values in parts for value in values]
    found = added_by_queue(reports, len(LADDER_US)).get(Interval.SERVICE, {})
    if whole:
        assert found[0].counts == histogram_of(whole).bucket_counts(LADDER_US)
        assert (found[0].count, found[0].sum_us) == (len(whole), sum(whole))
    else:
        assert found == {}
