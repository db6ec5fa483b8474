"""Every task is queried until it has ended, and the ledger says how."""

from pathlib import Path

import pytest

from bench.measure.bits import Bits
from bench.observer.reconcile import CHUNK, Reconciler
from bench.redisio.connection import ConnectionLost
from bench.wire.layout_contract import STATE_RETRY
from tests.observer.scripted import ARCHIVED, COMPLETED, GONE, Scene, start, task_id


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def reconciler(scene: Scene, **fields: object) -> Reconciler:
    return Reconciler(start(**fields), scene.board, scene.queries, scene.recorder)


def all_queried(made: Reconciler) -> list[int]:
    """Numbers of tasks of each call, until there is nothing more to query."""
    counts = []
    while count := made.query_next():
        counts.append(count)
    return counts


def members(packed: dict[int, bytes], producer: int = 0, count: int = 50) -> set[int]:
    flags = Bits(packed.get(producer, b"")).flags(0, count).tolist()
    return {number for number, flag in enumerate(flags) if flag}


def test_each_end_is_recorded_as_what_it_is(scene: Scene) -> None:
    made = reconciler(scene)
    scene.enqueue(5)
    scene.end({0: (0, COMPLETED), 1: (0, ARCHIVED), 2: (0, GONE), 4: (1 << 50, COMPLETED)})
    assert all_queried(made) == [5]
    report = scene.report()
    assert members(report.completed_sets) == {0}
    assert members(report.archived_sets) == {1}
    assert members(report.gone_sets) == {2}
    assert made.open_count == 2
    assert made.are_outcomes_known


def test_a_task_that_may_never_have_been_in_redis_and_is_gone_has_not_ended(
    scene: Scene,
) -> None:
    made = reconciler(scene)
    scene.board.exclude(0, [0, 1, 2])
    scene.enqueue(4)
    scene.end({0: (0, GONE), 1: (0, COMPLETED), 3: (0, GONE)})
    all_queried(made)
    assert members(scene.report().completed_sets) == {1}
    assert members(scene.report().gone_sets) == {3}
    assert made.open_count == 1  # task 2 is there after all, and has not ended


def test_tasks_are_queried_once_each_as_they_are_acknowledged(scene: Scene) -> None:
    made = reconciler(scene)
    scene.end(dict.fromkeys(range(CHUNK + 50), (0, COMPLETED)))
    scene.board.note(0, CHUNK + 50, 10, 10)
    assert all_queried(made) == [10]
    assert not made.are_outcomes_known
    scene.enqueue(CHUNK + 50)
    assert all_queried(made) == [CHUNK, 40]
    assert made.are_outcomes_known
    assert scene.queries.asked == [task_id(number) for number in range(CHUNK + 50)]


def test_it_is_complete_only_once_every_producer_s_tasks_were_queried(tmp_path: Path) -> None:
    scene = Scene(tmp_path, producers=2)
    made = reconciler(scene, producers=2)
    scene.enqueue(3, producer=0)
    scene.board.note(1, 2, 0, 0)
    assert all_queried(made) == [3]
    assert not made.are_outcomes_known
    scene.enqueue(2, producer=1)
    assert all_queried(made) == [2]
    assert made.are_outcomes_known


def test_tasks_that_had_not_ended_are_queried_until_they_have(scene: Scene) -> None:
    made = reconciler(scene)
    scene.enqueue(3)
    scene.end({0: (100, COMPLETED), 1: (200, ARCHIVED), 2: (300, GONE)})
    all_queried(made)
    opened = []
    for after_us in (150, 250, 350):
        scene.at(after_us)
        made.query_unfinished()
        opened.append(made.open_count)
    assert opened == [2, 1, 0]
    assert made.query_unfinished() == 0
    report = scene.report()
    assert (members(report.completed_sets), members(report.archived_sets)) == ({0}, {1})
    assert members(report.gone_sets) == {2}


def test_many_tasks_that_had_not_ended_take_turns(scene: Scene) -> None:
    made = reconciler(scene)
    count = 2 * CHUNK + 10
    scene.enqueue(count)
    all_queried(made)
    del scene.queries.asked[:]
    assert [made.query_unfinished() for _ in range(3)] == [CHUNK, CHUNK, CHUNK]
    seen = scene.queries.asked
    assert seen[:count] == [task_id(number) for number in range(count)]
    assert seen[count:] == [task_id(number) for number in range(CHUNK - 10)]


def test_at_the_end_each_of_them_is_queried_once_more(scene: Scene) -> None:
    made = reconciler(scene, queues={"inference_high": 1, "inference_low": 1})
    count = CHUNK + 10
    scene.enqueue(count)
    all_queried(made)
    del scene.queries.asked[:]
    made.query_all_unfinished()
    assert sorted(scene.queries.asked) == [task_id(number) for number in range(count)]


def test_a_lost_connection_leaves_nothing_out(scene: Scene) -> None:
    made = reconciler(scene)
    scene.enqueue(3)
    scene.queries.losses = 1
    with pytest.raises(ConnectionLost):
        made.query_next()
    assert not made.are_outcomes_known
    assert all_queried(made) == [3]
    scene.queries.losses = 1
    with pytest.raises(ConnectionLost):
        made.query_unfinished()
    assert made.open_count == 3
    assert made.query_unfinished() == 3


def test_states_of_tasks_that_have_not_ended_are_recorded_and_those_that_wait_are_known(
    scene: Scene,
) -> None:
    made = reconciler(scene)
    scene.enqueue(4)
    scene.end({3: (0, COMPLETED)})
    scene.queries.state_of = {task_id(0): STATE_RETRY, task_id(1): "active", task_id(3): "x"}
    all_queried(made)
    made.record_states()
    report = scene.report()
    assert report.observed is not None
    assert report.observed.unfinished == {STATE_RETRY: 1, "active": 1, "no hash": 1}
    assert members(report.waiting_sets) == {0}
