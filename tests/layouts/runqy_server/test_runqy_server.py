"""The runqy-server layout: what a real server holds after each move, in literal keys and fields."""

import datetime
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from bench.layouts import registry, rules
from bench.layouts.asynq import codec
from bench.layouts.client_check import UnexpectedTask
from bench.layouts.inspected import InspectedTask
from bench.redisio.embedded import EmbeddedServer
from bench.wire.layout_contract import Reservation
from bench.wire.task import Task
from tests.layouts.contract import ContractQueue
from tests.talk import talk

ENTRY = registry.get("runqy-server")
TASK = "asynq:{orders.high}:t:id-1"
REVERSE = "asynq:t:id-1"
LIFECYCLE = {
    b"ttl_completed": b"86400",
    b"ttl_archived": b"259200",
    b"pending_timeout": b"0",
    b"active_timeout": b"0",
}


@pytest.fixture(params=[False, True], ids=["plain", "duplicate-check"])
def queue(server: EmbeddedServer, client: Any, request: pytest.FixtureRequest) -> ContractQueue:
    """The queue ``orders.high``, with task 1 on it."""
    made = ContractQueue(server.port, ENTRY, ENTRY.variant(duplicate_check=request.param))
    made.enqueue(1)
    return made


def expires_in(client: Any, key: str, seconds: int) -> bool:
    """Whether a key that was just written expires after so many seconds."""
    left = client.ttl(key)
    return bool(seconds - 10 <= left <= seconds)


def counters(client: Any) -> Mapping[str, bytes]:
    """All counters of the queue."""
    keys = [
        key.decode()
        for name in ("processed", "failed")
        for key in client.scan_iter(f"asynq:{{orders.high}}:{name}*")
    ]
    return {key.removeprefix("asynq:{orders.high}:"): client.get(key) for key in keys}


def day(queue: ContractQueue) -> str:
    return datetime.datetime.fromtimestamp(queue.now_s, datetime.UTC).strftime("%Y-%m-%d")


# Enqueue.


def test_an_enqueued_task_has_the_keys_and_fields_of_runqys_server(
    queue: ContractQueue, client: Any
) -> None:
    assert queue.keys() == {TASK, REVERSE, "asynq:{orders.high}:pending", "asynq:queues"}
    fields = client.hgetall(TASK)
    message = codec.parse("id-1", fields.pop(b"msg"))
    assert fields.pop(b"pending_since").endswith(b"000")
    assert fields == {b"state": b"pending", **LIFECYCLE}
    assert (message.type, message.id, message.queue) == ("orders.high", "id-1", "orders.high")
    assert (message.retry, message.retried, message.retention) == (3, 0, 86400)
    assert client.hgetall(REVERSE) == {b"queue": b"orders.high"}
    assert client.lrange("asynq:{orders.high}:pending", 0, -1) == [b"id-1"]
    assert client.ttl(TASK) == -1
    assert expires_in(client, REVERSE, 2592000)


def test_the_plain_commands_end_with_the_push() -> None:
    """A worker that pops the id finds all fields, and an event about the task finds its hash."""
    commands = ENTRY.layout.enqueue(Task("id-1", "orders.high", b"{}"))
    assert [command[:2] for command in commands] == [
        ("HSET", TASK),
        ("HSET", TASK),
        ("HSET", REVERSE),
        ("EXPIRE", REVERSE),
        ("LPUSH", "asynq:{orders.high}:pending"),
    ]


def test_the_duplicate_check_leaves_a_task_that_exists_untouched(
    server: EmbeddedServer, client: Any
) -> None:
    queue = ContractQueue(server.port, ENTRY, ENTRY.variant(duplicate_check=True))
    client.hset(TASK, mapping={"state": "completed", "ttl_completed": "7"})
    client.hset(REVERSE, "queue", "orders.low")
    client.expire(REVERSE, 7)
    (refused,) = talk(server.port, queue.layout.enqueue(queue.task(1)))
    assert str(refused).startswith("DUPLICATE")
    assert client.hgetall(TASK) == {b"state": b"completed", b"ttl_completed": b"7"}
    assert client.hgetall(REVERSE) == {b"queue": b"orders.low"}
    assert expires_in(client, REVERSE, 7)
    assert not client.exists("asynq:{orders.high}:pending")


def test_a_task_takes_about_half_as_much_memory_again_as_asynqs(client: Any) -> None:
    """The figures in docs/layouts.md come from a server that held 20,000 tasks."""
    used = {}
    for name in ("asynq", "runqy-server"):
        layout = registry.get(name).layout
        client.flushall()
        for command in layout.enqueue(Task("i" * 36, "orders.high", b"x" * 120)):
            client.execute_command(*command)
        keys = layout.keys_of("orders.high", "i" * 36)
        used[name] = sum(client.memory_usage(key) for key in keys)
    assert 1.3 < used["runqy-server"] / used["asynq"] < 1.8


# What a worker does.


def test_a_started_task_is_leased_for_two_minutes(queue: ContractQueue, client: Any) -> None:
    queue.take()
    assert client.zscore("asynq:{orders.high}:lease", "id-1") == queue.now_s + 120
    assert client.hget(TASK, "state") == b"active"
    assert client.hget(TASK, "pending_since") is None


def test_a_completed_task_leaves_its_reverse_key_and_a_success(
    queue: ContractQueue, client: Any
) -> None:
    queue.do(queue.layout.complete(queue.take(), None))
    assert counters(client) == {"processed": b"1", f"processed:{day(queue)}": b"1"}
    prefix = "asynq:{orders.high}:processed"
    assert queue.keys() == {REVERSE, prefix, f"{prefix}:{day(queue)}", "asynq:queues"}
    assert expires_in(client, REVERSE, 2592000)
    assert client.ttl(f"{prefix}:{day(queue)}") == -1


def test_a_result_is_kept_for_a_day(queue: ContractQueue, client: Any) -> None:
    queue.do(queue.layout.complete(queue.take(), b'{"ok":1}'))
    fields = client.hgetall(TASK)
    message = codec.parse("id-1", fields.pop(b"msg"))
    assert fields == {
        **LIFECYCLE,
        b"state": b"completed",
        b"completed_at": b"%d" % queue.now_s,
        b"result": b'{"ok":1}',
    }
    assert (message.completed_at, message.id) == (queue.now_s, "id-1")
    assert client.zscore("asynq:{orders.high}:completed", "id-1") == queue.now_s + 86400
    assert expires_in(client, TASK, 86400)
    assert expires_in(client, REVERSE, 86400)
    assert counters(client) == {"processed": b"1", f"processed:{day(queue)}": b"1"}


def test_a_retried_task_has_its_retries_in_a_field_and_moves_no_counter(
    queue: ContractQueue, client: Any
) -> None:
    reservation = queue.take()
    queue.do(queue.layout.retry(reservation, 5.0, "boom"))
    fields = client.hgetall(TASK)
    message = codec.parse("id-1", fields.pop(b"msg"))
    assert fields == {
        **LIFECYCLE,
        b"state": b"retry",
        b"retried": b"1",
        b"last_failed_at": b"%d" % queue.now_s,
    }
    assert (message.retried, message.retry, message.timeout, message.error_msg) == (1, 3, 0, "")
    assert client.zscore("asynq:{orders.high}:retry", "id-1") == queue.now_s + 5
    assert counters(client) == {}
    queue.do(queue.layout.requeue(reservation))
    assert client.hget(TASK, "pending_since") == b"%d" % queue.now_s
    assert client.hget(TASK, "state") == b"pending"


def test_an_archived_task_is_kept_for_three_days_and_counts_as_failed(
    queue: ContractQueue, client: Any
) -> None:
    queue.do(queue.layout.archive(queue.take(), "boom"))
    fields = client.hgetall(TASK)
    del fields[b"msg"]
    assert fields == {
        **LIFECYCLE,
        b"state": b"archived",
        b"error_msg": b"boom",
        b"last_failed_at": b"%d" % queue.now_s,
    }
    assert client.zscore("asynq:{orders.high}:archived", "id-1") == queue.now_s + 259200
    assert expires_in(client, TASK, 259200)
    assert expires_in(client, REVERSE, 259200)
    assert counters(client) == {"failed": b"1", f"failed:{day(queue)}": b"1"}


@pytest.mark.parametrize(
    ("in_message", "field", "expected"),
    [(0, b"2", 2), (2, b"1", 2), (1, None, 1), (1, b"x", 1)],
)
def test_the_larger_number_of_retries_holds(
    in_message: int, field: bytes | None, expected: int
) -> None:
    """As for runqy's worker, whose recovery of a lost task changes the field alone."""
    text = codec.encode(Task("id-1", "q", b"{}", retry=in_message))
    pairs = [b"msg", text, *([] if field is None else [b"retried", field])]
    assert ENTRY.layout.read([pairs]).retries == [expected]


def test_a_move_is_laid_out_without_a_message() -> None:
    (command,) = ENTRY.layout.retry(Reservation("q", "id-1", 5), 1.0, "boom")
    assert command[0] == "EVALSHA"


# Checks.


HEALTHY = InspectedTask(
    id=b"id-1",
    queue="orders.high",
    found_under=ENTRY.layout.queue_keys("orders.high")[0],
    key=TASK,
    kind="hash",
    fields={
        "msg": codec.encode(Task("id-1", "orders.high", b"{}")),
        "state": b"pending",
        "pending_since": b"1",
        **{name.decode(): value for name, value in LIFECYCLE.items()},
    },
)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, []),
        ({"retried": b"3"}, []),
        ({"ttl_completed": None}, [("no-lifecycle", "ttl_completed")]),
        (
            {"ttl_archived": b"3 days", "active_timeout": b"-1"},
            [("lifecycle-not-a-number", "ttl_archived and active_timeout")],
        ),
        ({"retried": b"4"}, [("too-many-retries", "")]),
        ({"state": b"active"}, [("state", "active on pending")]),
    ],
)
def test_what_is_wrong_with_a_task_is_all_that_is_found(
    changed: Mapping[str, bytes | None], expected: list[tuple[str, str]]
) -> None:
    fields = {**HEALTHY.fields, **changed}
    task = replace(HEALTHY, fields={key: text for key, text in fields.items() if text is not None})
    found = rules.faults(ENTRY.ruleset, task)
    assert [(fault.rule.code, fault.detail) for fault in found] == expected


@pytest.mark.parametrize("name", ["archived", "completed"])
def test_the_hash_of_a_task_that_has_ended_may_have_expired(name: str) -> None:
    keys = {key.name: key for key in ENTRY.layout.queue_keys("orders.high")}
    expired = replace(HEALTHY, found_under=keys[name], kind="none", fields={})
    assert list(rules.faults(ENTRY.ruleset, expired)) == []


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        (b"ttl_completed", b"1", "field 'ttl_completed': expected '86400', found '1'"),
        (b"extra", b"1", "field 'extra': expected none, found '1'"),
        (b"\xff", b"1", "field '\ufffd': expected none, found '1'"),
    ],
)
def test_a_client_that_writes_another_field_or_value_is_refused(
    name: bytes, value: bytes, fault: str
) -> None:
    command, more, *_ = ENTRY.layout.enqueue(Task("id-1", "orders.high", b'{"input": "hello 1"}'))
    texts = [each.encode() if isinstance(each, str) else each for each in command[2:] + more[2:]]
    fields = dict(zip(texts[::2], texts[1::2], strict=True))
    assert ENTRY.client_check("orders.high", fields, is_stamped=False) == 1
    with pytest.raises(UnexpectedTask) as refused:
        ENTRY.client_check("orders.high", {**fields, name: value}, is_stamped=False)
    assert str(refused.value) == fault
