"""Tracing single tasks: when each is queried, and what is made of the answers."""

from pathlib import Path

import pytest

from bench.measure.recorder import Interval
from bench.observer.keyspace_events import KeyspaceEvent
from bench.observer.tracer import (
    AGE_SHARE,
    AUTO_TRACED_PER_S,
    MOST_PER_ROUND,
    Tracer,
    traced_share,
)
from bench.redisio.connection import ConnectionLost
from tests.observer.scripted import (
    ARCHIVED,
    COMPLETED,
    GONE,
    START_US,
    Scene,
    ScriptedEvents,
    start,
    task_id,
)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def tracer(scene: Scene, events: ScriptedEvents | None = None, **fields: object) -> Tracer:
    """On tasks that are due one each millisecond."""
    return Tracer(
        start(**fields),
        START_US,
        scene.clock,
        scene.board,
        scene.queries,
        scene.recorder,
        events,
    )


def turn(traced: Tracer, scene: Scene, after_us: int) -> int:
    scene.at(after_us)
    traced.admit()
    return traced.turn()


def observed(scene: Scene) -> tuple[int, int]:
    """Tasks traced, and tasks that had ended before anybody could know when they were due."""
    found = scene.report().observed
    assert found is not None
    return found.traced, found.unseen


def test_a_task_is_not_queried_before_it_is_acknowledged_or_due(scene: Scene) -> None:
    traced = tracer(scene)
    assert turn(traced, scene, 5000) == 0
    scene.enqueue(2)
    assert turn(traced, scene, 999) == 1
    assert scene.queries.asked == [task_id(0)]
    assert turn(traced, scene, 1000) > 0
    assert task_id(1) in scene.queries.asked


def test_latency_lies_between_the_last_query_that_found_it_unfinished_and_the_first_that_did_not(
    scene: Scene,
) -> None:
    traced = tracer(scene)
    scene.enqueue(1)
    scene.end({0: (5000, COMPLETED)})
    for after_us in (0, 4000, 7000):
        turn(traced, scene, after_us)
    assert (scene.latency().count, scene.latency().max_us) == (1, 7000)
    assert scene.latency(Interval.E2E_EARLIEST).max_us == 4000


@pytest.mark.parametrize("outcome", [COMPLETED, ARCHIVED, GONE])
def test_however_a_task_ends_it_is_queried_no_more(scene: Scene, outcome: object) -> None:
    traced = tracer(scene)
    scene.enqueue(1)
    scene.end({0: (0, outcome)})  # type: ignore[dict-item]
    assert [turn(traced, scene, after_us) for after_us in (0, 100_000, 9_000_000)] == [1, 0, 0]
    assert scene.latency().count == 1


def test_a_task_that_never_ends_is_queried_ever_more_rarely(scene: Scene) -> None:
    traced = tracer(scene)
    scene.enqueue(1)
    queries = sum(turn(traced, scene, after_us) for after_us in range(0, 1_000_000, 1000))
    # Its age grows by a fiftieth from one query to the next, but never by less than a round.
    assert queries < AGE_SHARE * 6
    last = scene.queries.queried
    age_us = 60_000_000
    turn(traced, scene, age_us)
    assert turn(traced, scene, age_us + age_us // AGE_SHARE - 1) == 0
    assert turn(traced, scene, age_us + age_us // AGE_SHARE) == 1
    assert scene.queries.queried == last + 2
    assert scene.latency().count == 0
    assert observed(scene) == (1, 0)


def test_a_round_queries_no_more_than_its_share_and_the_others_come_next(scene: Scene) -> None:
    traced = tracer(scene)
    count = 2 * MOST_PER_ROUND + 5
    scene.enqueue(count)
    scene.end(dict.fromkeys(range(count), (0, COMPLETED)))
    assert [turn(traced, scene, 1_000_000) for _ in range(4)] == [MOST_PER_ROUND] * 2 + [5, 0]
    assert scene.queries.asked == [task_id(number) for number in range(count)]


def test_tasks_that_may_never_have_been_in_redis_are_not_traced(scene: Scene) -> None:
    traced = tracer(scene)
    scene.board.exclude(0, [1, 3])
    scene.enqueue(5)
    assert turn(traced, scene, 1_000_000) == 3
    assert scene.queries.asked == [task_id(0), task_id(2), task_id(4)]
    assert observed(scene) == (3, 0)


def test_tasks_of_every_producer_are_traced(tmp_path: Path) -> None:
    scene = Scene(tmp_path, producers=2)
    traced = tracer(scene, producers=2)
    scene.enqueue(2, producer=0)
    scene.enqueue(1, producer=1)
    turn(traced, scene, 1_000_000)
    assert set(scene.queries.asked) == {task_id(0), task_id(1), task_id(0, producer=1)}


def test_a_lost_connection_forgets_no_task(scene: Scene) -> None:
    traced = tracer(scene)
    scene.enqueue(3)
    scene.end(dict.fromkeys(range(3), (0, COMPLETED)))
    scene.queries.losses = 1
    with pytest.raises(ConnectionLost):
        turn(traced, scene, 10_000)
    traced.reconnect()
    assert scene.queries.reconnects == 1
    assert turn(traced, scene, 20_000) == 3
    assert scene.latency().count == 3


def test_in_a_closed_loop_a_task_itself_says_when_it_was_due(scene: Scene) -> None:
    traced = tracer(scene, rate="max", tasks=10)
    scene.queries.due_of = {task_id(0): 300}
    scene.enqueue(1)
    scene.end({0: (0, COMPLETED)})
    assert turn(traced, scene, 1000) == 2
    assert scene.latency().max_us == 700


def test_a_task_that_was_gone_before_it_could_say_when_it_was_due_is_unseen(scene: Scene) -> None:
    traced = tracer(scene, rate="max", tasks=10)
    scene.enqueue(2)
    scene.queries.due_of = {task_id(1): 0}
    turn(traced, scene, 1000)
    assert observed(scene) == (2, 1)
    assert scene.latency().count == 0


def test_due_times_are_read_again_after_a_lost_connection(scene: Scene) -> None:
    traced = tracer(scene, rate="max", tasks=10)
    scene.queries.due_of = {task_id(0): 0, task_id(1): 100}
    scene.end({0: (0, COMPLETED), 1: (0, COMPLETED)})
    scene.enqueue(2)
    scene.queries.losses = 1
    with pytest.raises(ConnectionLost):
        turn(traced, scene, 1000)
    turn(traced, scene, 2000)
    assert scene.queries.asked == [task_id(0), task_id(1)] * 2
    assert scene.latency().count == 2


def test_at_the_end_every_task_is_queried_once_more(scene: Scene) -> None:
    traced = tracer(scene)
    scene.enqueue(300)
    scene.end(dict.fromkeys(range(200), (1_000_000, COMPLETED)))
    turn(traced, scene, 900_000)
    scene.at(1_000_000)
    scene.enqueue(310)
    traced.finish()
    assert observed(scene) == (310, 0)
    assert scene.latency().count == 200
    assert set(scene.queries.asked) == {task_id(number) for number in range(310)}
    assert scene.queries.queried == MOST_PER_ROUND + 310


def test_at_the_end_tasks_are_queried_whose_events_never_came(scene: Scene) -> None:
    traced = tracer(scene, ScriptedEvents())
    scene.enqueue(1)
    scene.end({0: (500, COMPLETED)})
    turn(traced, scene, 0)
    scene.at(1000)
    traced.finish()
    assert scene.latency().count == 1


def test_at_the_end_due_times_are_read_too(scene: Scene) -> None:
    traced = tracer(scene, rate="max", tasks=10)
    scene.queries.due_of = {task_id(0): 0}
    scene.end({0: (500, COMPLETED)})
    scene.enqueue(1)
    scene.at(1000)
    traced.finish()
    assert scene.latency().count == 1


def test_with_events_a_task_is_queried_when_it_is_due_and_when_it_changes(scene: Scene) -> None:
    events = ScriptedEvents()
    traced = tracer(scene, events)
    scene.enqueue(2)
    scene.end({0: (5000, COMPLETED)})
    assert turn(traced, scene, 2000) == 2
    assert turn(traced, scene, 4000) == 0
    events.arrived = [KeyspaceEvent(task_id(0), START_US + 4900)]
    assert turn(traced, scene, 5100) == 1
    assert scene.latency().max_us == 5100
    # Nothing had changed the task from the query until the event.
    assert scene.latency(Interval.E2E_EARLIEST).max_us == pytest.approx(4900, rel=0.01)


def test_an_event_of_a_task_that_goes_on_is_waited_for_again(scene: Scene) -> None:
    events = ScriptedEvents()
    traced = tracer(scene, events)
    scene.enqueue(1)
    scene.end({0: (9000, COMPLETED)})
    turn(traced, scene, 0)
    for after_us in (3000, 9000):
        events.arrived = [KeyspaceEvent(task_id(0), START_US + after_us - 10)]
        assert turn(traced, scene, after_us) == 1
    assert scene.latency().count == 1


def test_events_of_other_tasks_change_nothing(scene: Scene) -> None:
    events = ScriptedEvents([KeyspaceEvent(task_id(99), START_US)])
    traced = tracer(scene, events)
    scene.enqueue(1)
    assert turn(traced, scene, 0) == 1
    assert turn(traced, scene, 1000) == 0


def test_events_that_were_lost_with_their_connection_are_made_up_for_by_queries(
    scene: Scene,
) -> None:
    events = ScriptedEvents()
    traced = tracer(scene, events)
    scene.enqueue(3)
    scene.end({0: (500, COMPLETED)})
    turn(traced, scene, 0)
    scene.at(1000)
    traced.reconnect()
    assert (scene.queries.reconnects, events.reconnects) == (1, 1)
    assert turn(traced, scene, 2000) == 3
    assert scene.latency().count == 1


@pytest.mark.parametrize(
    ("fields", "share"),
    [
        ({"traced": 0.25, "rate": 1_000_000, "tasks": 10}, 0.25),
        ({"traced": None, "rate": AUTO_TRACED_PER_S / 2, "tasks": 10}, 1.0),
        ({"traced": None, "rate": AUTO_TRACED_PER_S * 4, "tasks": 10}, 0.25),
        ({"traced": None, "rate": "max", "tasks": 10}, AUTO_TRACED_PER_S / 50_000),
    ],
)
def test_the_traced_share_is_as_asked_for_or_what_the_rate_allows(
    fields: dict[str, object], share: float
) -> None:
    assert traced_share(start(**fields)) == pytest.approx(share)
