"""Handing out one Locust process's tasks to its users: no Locust, no clock, no server."""

import pytest

from bench.locust.shared_feed import LAST_REPLIES_US, TICK_US, SharedFeed
from bench.wire.frames import Batch
from bench.workload.feed import Feed
from bench.workload.overrun import Overrun
from bench.workload.resolve import resolve

START_US = 1_800_000_000_000_000


def shared(end_us: int | None = None, **fields: object) -> SharedFeed:
    scenario = resolve({"queues": {"inference_default": 1}, **fields})
    feed = Feed(scenario, 0)
    overrun = Overrun.of(scenario)
    return SharedFeed(feed, START_US, end_us, overrun, is_closed_loop=scenario.is_closed_loop)


def open_loop() -> SharedFeed:
    """Ten tasks, one each millisecond, which may be sent ten seconds late."""
    return shared(rate=1000, tasks=10, overrun="10s")


def closed_loop(end_us: int | None = None) -> SharedFeed:
    return shared(end_us, rate="max", tasks=10)


def taken(batches: SharedFeed, most: int, after_us: int) -> Batch:
    batch = batches.take(most, START_US + after_us)
    assert batch is not None
    return batch


def due_us(batch: Batch) -> list[int]:
    return [int(moment) - START_US for moment in batch.due_us]


def test_an_open_loop_hands_out_each_task_once_in_the_order_of_due_times() -> None:
    batches = open_loop()
    seen = []
    while (batch := batches.take(3, START_US)) is not None:
        seen += due_us(batch)
        batches.release()
    assert seen == [1000 * number for number in range(10)]


@pytest.mark.parametrize(
    ("after_us", "most", "expected"),
    [
        (0, 10, [0]),
        (2999, 10, [0, 1000, 2000]),
        (3000, 10, [0, 1000, 2000, 3000]),
        (3000, 2, [0, 1000]),
        (10_000_000, 10, [1000 * number for number in range(10)]),
    ],
)
def test_everything_that_is_due_leaves_together_up_to_the_batch(
    after_us: int, most: int, expected: list[int]
) -> None:
    assert due_us(taken(open_loop(), most, after_us)) == expected


def test_what_is_due_less_than_a_tick_after_the_next_task_leaves_with_it() -> None:
    batches = shared(rate=1_000_000 / (TICK_US / 2), tasks=10)
    assert due_us(taken(batches, 10, -1_000_000)) == [0, TICK_US // 2]


def test_a_closed_loop_makes_tasks_due_when_they_are_taken() -> None:
    assert due_us(taken(closed_loop(), 4, 123)) == [123] * 4


def test_a_closed_loop_hands_out_nothing_after_its_end() -> None:
    batches = closed_loop(end_us=START_US + 500)
    assert len(taken(batches, 4, 499)) == 4
    assert batches.take(4, START_US + 500) is None


def test_a_batch_that_was_given_back_goes_to_the_next_user_first_and_unchanged() -> None:
    batches = open_loop()
    first = taken(batches, 2, 1000)
    batches.give_back(first)
    assert batches.returned_tasks == 2
    assert taken(batches, 5, 9000) is first
    assert batches.returned_tasks == 0
    assert due_us(taken(batches, 2, 9000)) == [2000, 3000]


def test_a_stop_ends_an_open_loop_at_that_moment() -> None:
    batches = open_loop()
    batches.stop(START_US + 2500)
    assert due_us(taken(batches, 10, 9000)) == [0, 1000, 2000]
    assert batches.take(10, START_US + 9000) is None


def test_a_stop_ends_a_closed_loop_at_once_but_for_what_was_given_back() -> None:
    batches = closed_loop()
    first = taken(batches, 4, 0)
    batches.give_back(first)
    batches.stop(START_US)
    assert batches.take(4, START_US) is first
    assert batches.take(4, START_US) is None


def test_a_stop_before_the_start_leaves_nothing_to_send() -> None:
    batches = open_loop()
    batches.stop(0)
    assert batches.take(10, START_US) is None
    assert batches.is_over(START_US)


def test_it_is_over_when_all_tasks_were_taken_and_none_is_held() -> None:
    batches = open_loop()
    assert not batches.is_over(START_US)
    taken(batches, 10, 5_000_000)
    assert batches.is_held
    assert not batches.is_over(START_US)
    batches.release()
    assert batches.is_over(START_US)


def test_it_is_over_some_time_after_a_stop_although_tasks_were_due_before_it() -> None:
    batches = open_loop()
    stop_us = START_US + 5000
    batches.stop(stop_us)
    assert not batches.is_over(stop_us + LAST_REPLIES_US)
    assert batches.is_over(stop_us + LAST_REPLIES_US + 1)


def test_a_closed_loop_is_over_at_its_end() -> None:
    batches = closed_loop(end_us=START_US + 500)
    assert not batches.is_over(START_US + 499)
    assert batches.is_over(START_US + 500)


@pytest.mark.parametrize(
    ("stop_after_us", "now_after_us", "unsent"),
    [(None, 4500, 3), (None, 60_000_000, 8), (2500, 60_000_000, 1), (0, 60_000_000, 0)],
)
def test_tasks_that_were_due_and_never_taken_are_counted(
    stop_after_us: int | None, now_after_us: int, unsent: int
) -> None:
    batches = open_loop()
    taken(batches, 2, 1000)
    if stop_after_us is not None:
        batches.stop(START_US + stop_after_us)
    assert batches.count_unsent(START_US + now_after_us) == unsent


def test_in_a_closed_loop_nothing_is_due_that_was_not_sent() -> None:
    assert closed_loop().count_unsent(START_US + 60_000_000) == 0


def test_what_is_due_and_not_handed_out_is_given_up_after_the_overrun_and_counted() -> None:
    batches = open_loop()
    taken(batches, 4, 10_000_000)
    batches.release()
    now_us = START_US + 10_010_000
    assert batches.behind_us(now_us - 1_000_000) == 9_006_000
    assert not batches.is_given_up(now_us - 1)
    assert not batches.is_over(now_us - 1)
    assert batches.take(10, now_us) is None
    assert batches.is_given_up(now_us)
    assert batches.is_over(now_us)
    assert batches.count_unsent(now_us) == 6


def test_a_batch_that_is_held_for_good_does_not_keep_an_open_loop_from_its_end() -> None:
    """As where the server is stopped, so that the user's connection takes nothing."""
    batches = open_loop()
    taken(batches, 10, 100_000)
    end_us = START_US + 10_010_000 + LAST_REPLIES_US
    assert not batches.is_over(end_us - 1)
    assert batches.is_over(end_us)


def test_a_batch_that_is_held_for_good_does_not_keep_a_stopped_test_from_its_end() -> None:
    batches = closed_loop()
    taken(batches, 5, 0)
    batches.stop(START_US + 1000)
    assert not batches.is_over(START_US + 1000 + LAST_REPLIES_US)
    assert batches.is_over(START_US + 1001 + LAST_REPLIES_US)
