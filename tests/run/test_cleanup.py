"""What a run leaves in a server beside its tasks, and that it takes away no more than that."""

from typing import Any

import pytest
import redis

from bench.errors import UsageError
from bench.layouts.asynq.layout import ASYNQ
from bench.layouts.runqy.layout import RUNQY
from bench.measure.ledger import Counts
from bench.redisio.queue_keys import CHUNK, lengths
from bench.run.cleanup import Cleanup
from bench.run.removal import CleanupScope, Removal
from bench.wire.ids import TaskId, format_id
from bench.wire.layout_contract import KeyRole, Reservation
from bench.wire.task import Task

QUEUE = "inference.default"
NOW_S = 1_800_000_000
ONE_DONE = CleanupScope(1, {0: 0}, counts={QUEUE: Counts(completed=1)})
DAY = f"asynq:{{{QUEUE}}}:processed:2027-01-15"
TOTAL = f"asynq:{{{QUEUE}}}:processed"


def finish_one(client: Any) -> None:
    for command in ASYNQ.enqueue(Task("one", QUEUE, b"{}")):
        client.execute_command(*command)
    client.rpop(ASYNQ.pending(QUEUE))
    taken = Reservation(QUEUE, "one", NOW_S)
    for command in (*ASYNQ.start(taken), *ASYNQ.complete(taken, None)):
        client.execute_command(*command)


def test_counters_and_names_that_were_not_there_before_go(client: Any) -> None:
    cleanup = Cleanup(client, ASYNQ, [QUEUE])
    cleanup.prepare(NOW_S)
    finish_one(client)
    assert client.get(TOTAL) == client.get(DAY) == b"1"
    assert client.smembers("asynq:queues") == {QUEUE.encode()}
    cleanup.remove(ONE_DONE, NOW_S, Removal())
    assert client.dbsize() == 0


def test_those_that_were_there_stay(client: Any) -> None:
    client.set(TOTAL, 41)
    client.sadd("asynq:queues", QUEUE)
    cleanup = Cleanup(client, ASYNQ, [QUEUE])
    cleanup.prepare(NOW_S)
    finish_one(client)
    cleanup.remove(ONE_DONE, NOW_S, Removal())
    assert client.get(TOTAL) == b"41"
    assert client.smembers("asynq:queues") == {QUEUE.encode()}
    assert client.dbsize() == 2


def test_what_others_counted_meanwhile_stays_counted(client: Any) -> None:
    client.set(TOTAL, 41)
    cleanup = Cleanup(client, ASYNQ, [QUEUE])
    cleanup.prepare(NOW_S)
    finish_one(client)
    client.incrby(TOTAL, 5)
    cleanup.remove(ONE_DONE, NOW_S, Removal())
    assert client.get(TOTAL) == b"46"


def test_a_worker_that_does_not_count_is_not_counted_down(client: Any) -> None:
    client.set(TOTAL, 41)
    cleanup = Cleanup(client, ASYNQ, [QUEUE])
    cleanup.prepare(NOW_S)
    cleanup.remove(ONE_DONE, NOW_S, Removal())
    assert client.get(TOTAL) == b"41"


def test_the_counters_of_a_day_that_began_meanwhile_go_too(client: Any) -> None:
    cleanup = Cleanup(client, ASYNQ, [QUEUE])
    cleanup.prepare(NOW_S - 24 * 3600)
    finish_one(client)
    cleanup.remove(ONE_DONE, NOW_S, Removal())
    assert client.dbsize() == 0


@pytest.mark.parametrize("name", ["pending", "active", "retry", "scheduled"])
def test_a_queue_with_tasks_in_any_place_that_still_waits_is_not_empty(
    client: Any, name: str
) -> None:
    key = f"asynq:{{{QUEUE}}}:{name}"
    if name in ("pending", "active"):
        client.lpush(key, "theirs")
    else:
        client.zadd(key, {"theirs": 1})
    with pytest.raises(UsageError, match="already holds 1 tasks"):
        Cleanup(client, ASYNQ, [QUEUE]).require_empty_queues()
    held = lengths(client, ASYNQ, [QUEUE])
    assert sum(held.values()) == 1
    assert held[KeyRole.ACTIVE] == (name == "active")


@pytest.mark.parametrize("name", ["completed", "archived"])
def test_tasks_that_have_ended_do_not_make_a_queue_full(client: Any, name: str) -> None:
    client.zadd(f"asynq:{{{QUEUE}}}:{name}", {"theirs": 1})
    Cleanup(client, ASYNQ, [QUEUE]).require_empty_queues()
    assert sum(lengths(client, ASYNQ, [QUEUE]).values()) == 0


RUN = 0xABC
SENT = 12_000
ALL = CleanupScope(RUN, {0: SENT})
RUNQY_QUEUE = "inference_default"


def enqueue_all(client: Any) -> None:
    with client.pipeline(transaction=False) as pipeline:
        for sequence in range(SENT):
            task_id = format_id(TaskId(RUN, 0, sequence))
            pipeline.hset(f"asynq:t:{task_id}", "payload", "{}")
            pipeline.lpush(RUNQY.pending(RUNQY_QUEUE), task_id)
        pipeline.execute()


def user(client: Any, *rules: str) -> Any:
    """A client of a user who may do all but what the rules take away."""
    client.execute_command("ACL", "SETUSER", "few", "on", "nopass", "~*", "+@all", *rules)
    return redis.Redis(
        port=client.connection_pool.connection_kwargs["port"], username="few", protocol=2
    )


@pytest.mark.parametrize(
    ("rules", "left", "says"),
    [
        (("-unlink",), 0, None),
        (("-unlink", "-del"), SENT, "'del' command"),
        (("-lrange",), 1, "'lrange' command"),
        (("-lrem",), 1, "'lrem' command"),
    ],
)
def test_what_a_user_may_remove_is_removed_and_the_rest_is_told(
    client: Any, rules: tuple[str, ...], left: int, says: str | None
) -> None:
    enqueue_all(client)
    with user(client, *rules) as allowed:
        problem = Cleanup(allowed, RUNQY, [RUNQY_QUEUE]).clean_up(ALL, NOW_S, keep=False)
    assert client.dbsize() == left
    assert (problem is None) == (says is None)
    if problem is not None:
        assert problem.code == "not_removed"
        assert says is not None
        assert says in problem.message
        assert problem.message.endswith("'bench clean' with this record removes the rest")


def test_a_clean_up_that_is_interrupted_says_how_much_is_left(client: Any) -> None:
    enqueue_all(client)
    real, calls = client.unlink, 0

    def unlink(*keys: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise KeyboardInterrupt
        return real(*keys)

    client.unlink = unlink
    problem = Cleanup(client, RUNQY, [RUNQY_QUEUE]).clean_up(ALL, NOW_S, keep=False)
    assert client.dbsize() == SENT - CHUNK
    assert problem is not None
    assert f"interrupted (up to {SENT - CHUNK:,} tasks are left)" in problem.message


def test_a_server_that_goes_away_while_it_is_cleaned_is_told() -> None:
    with redis.Redis(port=1) as gone:
        problem = Cleanup(gone, RUNQY, [RUNQY_QUEUE]).clean_up(ALL, NOW_S, keep=False)
    assert problem is not None
    assert "refused" in problem.message
