"""Latencies counted in narrow slices of due time, from which confidence intervals are computed."""

import zlib
from collections import Counter

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure.sliced import (
    BASE_WIDTH_US,
    MOST_SLICES,
    SlicedLatencies,
    SliceRecorder,
    codes_of,
    require_possible,
    together,
)

START_US = 1_700_000_000_000_000
TASKS = st.lists(
    st.tuples(
        st.integers(0, 2),  # the queue
        st.integers(-5, 60_000_000),  # when it was due, in µs after the start
        st.integers(-10, 5_000_000_000),  # the latency in µs
    ),
    min_size=1,
    max_size=60,
)


def recorded(tasks: list[tuple[int, int, int]], lot: int = 7) -> SlicedLatencies:
    """What a process counts that is given the tasks in lots."""
    recorder = SliceRecorder(START_US)
    for begin in range(0, len(tasks), lot):
        columns = np.array(tasks[begin : begin + lot], np.int64)
        places = recorder.slices_of(columns[:, 1] + START_US)
        recorder.record("e2e", columns[:, 0], places, columns[:, 2])
    return recorder.packed()


def found(several: list[SlicedLatencies], queues: list[int]) -> Counter[tuple[int, int]]:
    counts = together(several, "e2e", queues)
    rows = zip(counts.slices.tolist(), counts.codes.tolist(), counts.counts.tolist(), strict=True)
    total: Counter[tuple[int, int]] = Counter()
    for number, code, count in rows:
        total[number, code] += count
    return total


def expected(tasks: list[tuple[int, int, int]], width_us: int, queues: list[int]) -> object:
    return Counter(
        (max(due_us, 0) // width_us, int(codes_of(np.array([value]))[0]))
        for queue, due_us, value in tasks
        if queue in queues
    )


@given(TASKS, TASKS, st.sampled_from([[0], [1, 2], [0, 1, 2]]))
def test_every_task_is_counted_once_whatever_the_widths_of_two_processes(
    one: list[tuple[int, int, int]], other: list[tuple[int, int, int]], queues: list[int]
) -> None:
    several = [recorded(one), recorded(other)]
    width_us = together(several, "e2e", queues).width_us
    assert found(several, queues) == expected([*one, *other], width_us, queues)
    assert max(max(due_us, 0) for _, due_us, _ in [*one, *other]) // width_us < MOST_SLICES


def test_one_by_one_and_many_together_are_counted_alike() -> None:
    tasks = [(number % 3, 7_000 * number, number**2) for number in range(2_000)]
    recorder = SliceRecorder(START_US)
    for queue, due_us, value in tasks:
        recorder.record_one("e2e", queue, value, due_us + START_US)
    every = [0, 1, 2]
    assert found([recorder.packed()], every) == found([recorded(tasks)], every)


def test_slices_become_wider_while_a_run_lasts_and_nothing_is_lost() -> None:
    """Beyond the reach of the first width, and with more lots than are kept apart."""
    seconds = 3 * MOST_SLICES * BASE_WIDTH_US / 1e6
    due_us = np.linspace(0, seconds * 1e6, 200_000).astype(np.int64)
    recorder = SliceRecorder(START_US)
    for some in np.array_split(due_us, 100):
        recorder.record("e2e", 0, recorder.slices_of(some + START_US), some % 1_000)
    packed = recorder.packed()
    counts = together([packed], "e2e", [0])
    assert packed.doublings == 2
    assert int(counts.counts.sum()) == len(due_us)
    totals = counts.totals(MOST_SLICES)
    assert totals.sum() == len(due_us)
    assert totals[:300].min() >= 0.99 * totals[:300].max()


@given(st.integers(1, 1 << 40))
def test_a_bucket_is_at_most_0_4_percent_wide(value: int) -> None:
    own, above = codes_of(np.array([value, round(value * 1.004) + 1])).tolist()
    assert own < above


def test_zero_and_less_are_in_the_first_bucket() -> None:
    assert codes_of(np.array([-7, 0, 1])).tolist() == [0, 0, 256]


VALID = recorded([(1, 0, 5), (1, 0, 9)]).parts[0]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"queue": 2}, "a queue that the run does not have"),
        ({"counts": b""}, "damaged"),
        ({"keys": VALID.keys + VALID.keys}, "damaged"),
        ({"keys": VALID.keys[:-1]}, "damaged"),
        ({"counts": zlib.compress(bytes(1 << 26))}, "damaged"),
        ({"keys": b"\xff" * len(VALID.keys)}, "too many slices"),
    ],
)
def test_slices_that_cannot_be_are_refused(changes: dict[str, object], reason: str) -> None:
    """And none of them unpacks into any amount of memory."""
    damaged = msgspec.structs.replace(VALID, **changes)
    with pytest.raises(ValueError, match=reason):
        require_possible(SlicedLatencies(0, [damaged]), 2)


def test_a_width_that_no_run_reaches_is_refused() -> None:
    with pytest.raises(ValueError, match="width"):
        require_possible(SlicedLatencies(99, []), 1)
