"""Tasks taken and finished, from the lengths of lists and the number of enqueued tasks."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import redis

from bench.layouts.asynq.layout import ASYNQ
from bench.layouts.runqy.layout import RUNQY
from bench.observer.counting import (
    QUIET_FOR_US,
    QueueCounter,
    commands_per_count,
)
from bench.wire.layout_contract import KeyRole, Layout
from tests.observer.scripted import START_US, Scene

Count = tuple[int, int, int]
"""Tasks enqueued, pending and active at one moment."""


class Counting:
    def __init__(self, folder: Path) -> None:
        self._scene = Scene(folder)
        self._held: Mapping[KeyRole, int] = {}
        self.counter = QueueCounter(lambda: self._held, self._scene.board, self._scene.recorder)

    def count(self, after_us: int, count: Count) -> None:
        enqueued, pending, active = count
        self._scene.enqueue(enqueued)
        self._held = {KeyRole.PENDING: pending, KeyRole.ACTIVE: active}
        self.counter.count(START_US + after_us)

    def is_quiet(self, after_us: int) -> bool:
        return self.counter.is_quiet(START_US + after_us)

    @property
    def recorded(self) -> tuple[int, int]:
        """Tasks started and finished."""
        report = self._scene.report()
        return report.started, report.completed


@pytest.fixture
def counting(tmp_path: Path) -> Counting:
    return Counting(tmp_path)


@pytest.mark.parametrize(
    ("counts", "recorded"),
    [
        ([(0, 0, 0)], (0, 0)),
        ([(10, 10, 0)], (0, 0)),
        ([(10, 6, 3)], (4, 1)),
        ([(10, 0, 0)], (10, 10)),
        # Tasks reach the lists before their replies reach the producer.
        ([(3, 5, 1)], (0, 0)),
        # A task that is put back or retried does not undo what was counted.
        ([(10, 2, 1), (10, 9, 1)], (8, 7)),
        ([(10, 2, 1), (20, 9, 1)], (11, 10)),
    ],
)
def test_what_is_on_no_list_was_taken_and_what_is_on_neither_was_finished(
    counting: Counting, counts: list[Count], recorded: tuple[int, int]
) -> None:
    for number, count in enumerate(counts):
        counting.count(number * 10_000, count)
    assert counting.recorded == recorded
    assert counting.counter.polls == len(counts)
    assert counting.counter.on_lists == sum(counts[-1][1:])


@pytest.mark.parametrize(
    ("counts", "quiet_from_us"),
    [
        ([(0, 0, 0)], 0),
        ([(5, 0, 0)], None),
        ([(5, 0, 0), (5, 0, 0)], 10_000),
        ([(5, 1, 0), (5, 0, 1), (5, 0, 0)], 20_000),
        ([(5, 0, 0), (5, 0, 0), (6, 0, 0)], None),
        ([(5, 0, 0), (5, 0, 0), (5, 1, 0), (5, 0, 0)], 30_000),
    ],
)
def test_queues_are_quiet_once_they_have_been_empty_for_a_while_and_nothing_was_enqueued(
    counting: Counting, counts: list[Count], quiet_from_us: int | None
) -> None:
    for number, count in enumerate(counts):
        counting.count(number * 10_000, count)
    if quiet_from_us is None:
        assert not counting.is_quiet(10**9)
    else:
        assert not counting.is_quiet(quiet_from_us + QUIET_FOR_US - 1)
        assert counting.is_quiet(quiet_from_us + QUIET_FOR_US)


def test_a_server_that_does_not_answer_leaves_the_counts_as_they_are(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.enqueue(5)

    def fail() -> Mapping[KeyRole, int]:
        raise redis.exceptions.ConnectionError("gone")

    counter = QueueCounter(fail, scene.board, scene.recorder)
    with pytest.raises(redis.exceptions.ConnectionError):
        counter.count(START_US)
    assert (counter.polls, counter.on_lists) == (0, 0)
    assert scene.report().started == 0


@pytest.mark.parametrize("layout", [RUNQY, ASYNQ])
def test_a_count_costs_a_transaction_and_a_command_a_sorted_set(layout: Layout) -> None:
    queues = ["a.high", "a.low"]
    sets = sum(key.is_sorted_set for queue in queues for key in layout.queue_keys(queue))
    assert commands_per_count(layout, queues) == 2 + sets
