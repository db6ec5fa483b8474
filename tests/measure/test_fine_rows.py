"""Rows of ten milliseconds: what was recorded is what is read."""

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure.fine_recorder import FineRecorder, fine_recorder
from bench.measure.fine_rows import ROW_US, AnswerRows, RowCounts, added_rows, unpacked_rows
from bench.measure.recorder import Interval

ROWS = 3000
MOMENTS = st.lists(st.integers(-5_000, ROWS * ROW_US - 1), max_size=50)


@given(MOMENTS, MOMENTS)
def test_rows_hold_what_was_counted_however_often_they_were_packed(
    singly: list[int], together: list[int]
) -> None:
    rows = RowCounts()
    for moment in singly:
        rows.add(moment, 2)
        rows.pack()
    rows.add_many(np.array(together, np.int64))
    expected = np.zeros(ROWS, np.int64)
    for count, moments in ((2, singly), (1, together)):
        for moment in moments:
            expected[max(moment // ROW_US, 0)] += count
    assert unpacked_rows(rows.pack(), ROWS).tolist() == expected.tolist()
    assert added_rows([rows.pack(), rows.pack()], ROWS).tolist() == (2 * expected).tolist()


def test_values_are_added_up_and_an_hour_costs_a_small_report() -> None:
    rows = RowCounts()
    at_us = np.arange(0, 3600 * 1_000_000, 10_000)
    rows.add_many(at_us, np.full(len(at_us), 7))
    packed = rows.pack()
    assert unpacked_rows(packed, len(at_us)).tolist() == [7] * len(at_us)
    assert sum(map(len, packed.values())) < 100_000


@pytest.mark.parametrize(
    "packed",
    [
        {0: b"no"},
        {0: zlib.compress(b"12345678")},
        {0: zlib.compress(bytes(80_000))},
        {0: zlib.compress(bytes(8000)) + b"more"},
        {-1: zlib.compress(bytes(8000))},
        {1 << 40: zlib.compress(bytes(8000))},
    ],
)
def test_what_is_no_packed_row_is_refused(packed: dict[int, bytes]) -> None:
    with pytest.raises(ValueError, match="it"):
        unpacked_rows(packed, ROWS)


def test_a_moment_of_a_faulty_clock_fills_no_memory() -> None:
    rows = RowCounts()
    rows.add(1 << 60, 1)
    assert len(rows.pack()) == 1
    assert unpacked_rows(rows.pack(), ROWS).sum() == 0


@given(st.lists(st.integers(1, 30), min_size=1, max_size=20), st.integers(0, 3))
def test_replies_in_order_say_in_which_row_each_task_was_answered(
    batches: list[int], pause: int
) -> None:
    answers, first, expected = AnswerRows(), 0, []
    for number, count in enumerate(batches):
        row = number * (pause + 1)
        answers.add(row * ROW_US, first)
        expected += [row] * count
        first += count
    found = answers.packed().latest_row_of(np.arange(first))
    assert found.tolist() == expected


def test_with_two_connections_a_task_counts_as_answered_in_the_latest_row_that_may_be() -> None:
    answers = AnswerRows()
    for row, sequence in ((1, 0), (2, 10), (3, 5), (4, 20)):
        answers.add(row * ROW_US, sequence)
    assert answers.packed().latest_row_of(np.array([0, 5, 10, 20])).tolist() == [1, 3, 3, 4]
    assert AnswerRows().packed().latest_row_of(np.array([3])).tolist() == [-1]


def test_an_objective_counts_the_tasks_of_its_interval_and_queue() -> None:
    recorder = FineRecorder(["e2e{b}.p99 < 1ms", "enqueue.max <= 1ms"], ["a", "b"])
    values, at_us = np.array([500, 1000, 1500]), np.array([0, ROW_US, ROW_US])
    recorder.latencies(Interval.E2E, np.array([0, 1, 1]), values, at_us)
    recorder.latencies(Interval.SERVICE, np.array([1, 1, 1]), values, at_us)
    packed = recorder.packed()
    tasks = unpacked_rows(packed.tasks["e2e{b}.p99 < 1ms"], 3)
    totals = unpacked_rows(packed.totals["e2e{b}.p99 < 1ms"], 3)
    assert (tasks.tolist(), totals.tolist()) == ([0, 2, 0], [0, 2, 0])
    assert packed.tasks["enqueue.max <= 1ms"] == {}


def test_without_faults_nothing_is_recorded_and_without_objectives_events_still_are() -> None:
    assert fine_recorder(None, ["a"]) is None
    assert fine_recorder((), ["a"]) is not None
