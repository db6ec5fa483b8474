"""Late wake-ups are counted by slice, and those that a stop has prevented are counted, too."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure.hiccups import MOST_LONGEST, Hiccup, HiccupRecorder
from bench.measure.histogram import merged, unpack

MS = 1_000


def counted(
    samples: list[tuple[int, int]], edges_us: tuple[int, ...] = (), interval_us: int = MS
) -> list[list[int]]:
    """The lateness in µs of everything that was counted, by slice, ascending."""
    slices = recorded(samples, edges_us, interval_us).slices()
    return [
        [late for late, count in unpack(each.lateness).by_value().items() for _ in range(count)]
        for each in slices
    ]


def recorded(
    samples: list[tuple[int, int]], edges_us: tuple[int, ...] = (), interval_us: int = MS
) -> HiccupRecorder:
    recorder = HiccupRecorder(edges_us, interval_us)
    due, late = np.array(samples, np.int64).reshape(-1, 2).T
    recorder.add(due, late)
    return recorder


@pytest.mark.parametrize(
    ("late_us", "expected"),
    [
        (0, [0]),
        (60, [60]),
        (999, [999]),
        (1_000, [0, 1_000]),
        (3_400 // 8, [425]),
        (2_040, [40, 1_040, 2_040]),
    ],
)
def test_each_wake_up_that_a_stop_has_prevented_has_its_own_lateness(
    late_us: int, expected: list[int]
) -> None:
    assert counted([(5 * MS, late_us)]) == [expected]


def test_a_stop_of_50_ms_is_one_hiccup_and_as_many_samples_as_it_has_milliseconds() -> None:
    recorder = recorded([(10 * MS, 50 * MS)])
    (only,) = recorder.slices()
    assert only.longest == (Hiccup(0.01, 0.05),)
    histogram = unpack(only.lateness)
    assert histogram.count == 51
    assert histogram.max_us == 50 * MS
    assert histogram.mean_us() == pytest.approx(25 * MS, rel=0.001)


def test_what_was_due_before_the_start_is_left_out_but_not_what_it_prevented_after() -> None:
    """A stop that begins before the run and lasts into it is seen from the start on."""
    assert counted([(-3 * MS, 10)]) == [[]]
    assert counted([(-2 * MS, 4 * MS)]) == [[0, 1 * MS, 2 * MS]]
    assert recorded([(-2 * MS, 4 * MS)]).slices()[0].longest == ()


def test_a_stop_across_slices_counts_in_the_slice_in_which_each_wake_up_was_due() -> None:
    edges_us = (1_500, 2_000)
    assert counted([(MS, 2 * MS)], edges_us) == [[2 * MS], [], [0, MS]]


def test_the_longest_hiccups_of_each_slice_are_kept_over_batches() -> None:
    recorder = HiccupRecorder((500 * MS,), MS)
    for begin in (0, 20, 500):
        numbers = np.arange(begin, begin + 20, dtype=np.int64)
        recorder.add(numbers * MS, numbers)
    first, second = recorder.slices()
    assert [hiccup.late_s * 1e6 for hiccup in first.longest] == [39, 38, 37, 36, 35]
    assert [hiccup.at_s for hiccup in second.longest] == [0.519, 0.518, 0.517, 0.516, 0.515]
    assert len(first.longest) == MOST_LONGEST


@given(
    st.lists(st.integers(0, 30 * MS), max_size=20),
    st.integers(1, 4),
    st.lists(st.integers(1, 200 * MS), max_size=3, unique=True).map(sorted),
)
def test_a_sample_stands_for_every_interval_that_has_passed(
    lates: list[int], interval_ms: int, edges: list[int]
) -> None:
    """However it was spent, a time of n intervals is n samples, but for the part of an interval by
    which each wake-up was late."""
    interval_us, at_us, samples = interval_ms * MS, 0, []
    for late in lates:
        samples.append((at_us + interval_us, late))
        at_us += interval_us + late
    slices = counted(samples, tuple(edges), interval_us)
    expected = sum(1 + late // interval_us for late in lates)
    assert sum(map(len, slices)) == expected
    assert at_us / interval_us - len(lates) < expected or not lates
    assert expected <= at_us / interval_us
    recorder = recorded(samples, tuple(edges), interval_us)
    everything = merged(unpack(each.lateness) for each in recorder.slices())
    assert everything.max_us == max(lates, default=0)
