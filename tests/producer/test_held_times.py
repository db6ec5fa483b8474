"""Which lateness of a producer is the server's, as it took nothing."""

import numpy as np

from bench.measure import summary
from bench.measure.recorder import Interval
from bench.measure.window import time_line
from bench.producer.held_times import HeldTimes

START_US = 1_800_000_000_000_000
LINE = time_line(START_US, 0, 0)


def lags_of(held: HeldTimes) -> tuple[int, int]:
    """Number of tasks that were counted, and the largest lateness of any."""
    table = summary.latencies([held.own_lag()], ["q"], 0)
    histogram = table[Interval.SCHEDULE_LAG, "q"]
    return histogram.count, histogram.max_us if histogram.count else 0


def count(held: HeldTimes, *tasks: tuple[int, int]) -> None:
    """Tasks by when they were due and when they were sent, in µs after the start."""
    due_us, sent_us = (START_US + np.array(each, np.int64) for each in zip(*tasks, strict=True))
    held.count(np.zeros(len(tasks), np.int64), due_us, sent_us)


def test_without_such_a_time_all_lateness_is_the_generator_s() -> None:
    held = HeldTimes(LINE)
    count(held, (0, 5), (100, 30_100))
    assert lags_of(held) == (2, 30_000)
    assert held.after_start(START_US + 1) == []


def test_what_was_sent_while_the_server_took_nothing_is_not_counted() -> None:
    held = HeldTimes(LINE)
    held.begin(START_US + 1_000)
    assert held.is_held
    held.begin(START_US + 2_000)  # goes on
    count(held, (500, 900), (900, 400_000))
    held.end(START_US + 500_000)
    assert not held.is_held
    count(held, (2_000, 500_000), (600_000, 600_070))
    assert lags_of(held) == (2, 400)
    assert held.after_start(START_US + 900_000) == [(1_000, 500_000)]


def test_a_time_that_goes_on_at_the_end_ends_there() -> None:
    held = HeldTimes(LINE)
    held.begin(START_US + 1_000)
    assert held.after_start(START_US + 9_000) == [(1_000, 9_000)]
