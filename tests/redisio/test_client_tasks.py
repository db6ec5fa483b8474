"""What a client left is looked at field by field: nothing that is wrong passes."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import redis

from bench.errors import UsageError
from bench.layouts import registry
from bench.layouts.asynq import codec
from bench.redisio import client_tasks
from bench.redisio.client_tasks import CheckedQueue, ExpectedTasks, FoundTasks
from bench.wire.task import Task

QUEUE = "inference_default"
TASKS = 5
RUNQY_QUEUE = CheckedQueue(registry.get("runqy"), QUEUE)
ASYNQ_QUEUE = CheckedQueue(registry.get("asynq"), QUEUE)
PENDING = f"asynq:{QUEUE}:pending"
Client = redis.Redis

IDS = [f"id-{number}" for number in range(TASKS)]
KEY = "asynq:t:id-2"
"""Of the task that is spoiled."""


def payload_of(number: int) -> str:
    return json.dumps({"input": f"hello {number}"})


def enqueue(client: Client, numbers: range = range(TASKS)) -> None:
    """As the guide does."""
    for number in numbers:
        fields = {
            "type": "task",
            "payload": payload_of(number),
            "retry": "0",
            "max_retry": "3",
            "queue": QUEUE,
        }
        client.hset(f"asynq:t:id-{number}", mapping=fields)  # type: ignore[arg-type]
        client.lpush(PENDING, f"id-{number}")


def look(client: Client, *, owns_server: bool = True, **changes: bool) -> FoundTasks:
    expected = ExpectedTasks(TASKS, **changes)
    return client_tasks.inspect(client, RUNQY_QUEUE, expected, owns_server=owns_server)


def test_what_the_guide_writes_is_right(client: Client) -> None:
    enqueue(client)
    assert look(client) == FoundTasks(IDS)


@pytest.mark.parametrize(
    "payload",
    ['{"input":"hello 2"}', ' {"input" : "hello\\u00202"} '],
    ids=["without blanks", "with blanks and an escape"],
)
def test_a_payload_is_compared_by_what_its_json_says(client: Client, payload: str) -> None:
    enqueue(client)
    client.hset(KEY, "payload", payload)
    assert look(client).fault == ""


Spoil = Callable[[Client], object]
SPOILED: dict[str, tuple[Spoil, str]] = {
    "another type": (lambda c: c.hset(KEY, "type", "Task"), "'type': expected 'task', found 'Ta"),
    "retry counted": (lambda c: c.hset(KEY, "retry", "1"), "'retry': expected '0', found '1'"),
    "no retry": (lambda c: c.hdel(KEY, "retry"), "field 'retry': expected '0', found none"),
    "fewer retries": (lambda c: c.hset(KEY, "max_retry", "2"), "'max_retry': expected '3', found"),
    "another queue": (
        lambda c: c.hset(KEY, "queue", "inference"),
        "field 'queue': expected 'inference_default', found 'inference'",
    ),
    "no payload": (lambda c: c.hdel(KEY, "payload"), '\'payload\': expected {"input": "hello N"}'),
    "payload of another": (
        lambda c: c.hset(KEY, "payload", payload_of(7)),
        "expected numbers below 5, found 7",
    ),
    "payload twice": (
        lambda c: c.hset(KEY, "payload", payload_of(1)),
        "expected number 1 once, found it again",
    ),
    "payload with more in it": (
        lambda c: c.hset(KEY, "payload", '{"input": "hello 2", "n": 1}'),
        'found \'{"input": "hello 2", "n": 1}\'',
    ),
    "payload that is no JSON": (lambda c: c.hset(KEY, "payload", "{'input': 2}"), "'payload'"),
    "payload that is no object": (lambda c: c.hset(KEY, "payload", '"hello 2"'), "'payload'"),
    "payload of a number": (lambda c: c.hset(KEY, "payload", '{"input": 2}'), "'payload'"),
    "a field more": (
        lambda c: c.hset(KEY, "state", "x"),
        "field 'state': expected none, found 'x'",
    ),
    "no hash": (lambda c: c.delete(KEY), f"{KEY}: expected a hash, found no such key"),
    "a text for a hash": (lambda c: c.set(KEY, "x"), f"{KEY}: expected a hash, found a key of an"),
}


@pytest.mark.parametrize("name", SPOILED)
@pytest.mark.parametrize("owns_server", [True, False])
def test_a_task_that_is_wrong_anywhere_is_named_with_what_was_expected_and_found(
    client: Client, name: str, owns_server: bool
) -> None:
    spoil, part = SPOILED[name]
    enqueue(client)
    spoil(client)
    found = look(client, owns_server=owns_server)
    assert found.fault.startswith("task id-2: ")
    assert part in found.fault
    assert (list(found.own), found.others) == (["id-0", "id-1", "id-3", "id-4"], 1)


LISTS: dict[str, tuple[Spoil, str]] = {
    "an id is missing": (
        lambda c: c.lrem(PENDING, 1, "id-2"),
        f"{PENDING}: expected 5 ids, found 4 (is a worker serving the queue?); task id-3: expected "
        "number 2 in turn, found 3",
    ),
    "an id twice": (
        lambda c: c.lpush(PENDING, "id-2"),
        f"{PENDING}: expected 5 ids, found 6 (is somebody else enqueueing there?); task id-2: "
        f"expected once in {PENDING}, found 2 times",
    ),
    "another's id": (
        lambda c: c.rpush(PENDING, "theirs"),
        f"{PENDING}: expected 5 ids, found 6 (is somebody else enqueueing there?); task theirs: ",
    ),
    "pushed at the wrong end": (
        lambda c: (c.lrem(PENDING, 1, "id-4"), c.rpush(PENDING, "id-4")),
        "task id-4: expected number 0 in turn, found 4",
    ),
    "nothing at all": (lambda c: c.delete(PENDING), f"{PENDING}: expected 5 ids, found 0"),
    "a key more": (lambda c: c.set("asynq:stray", "x"), "the server: expected 6 keys, found 7"),
    "a task that is not in the list": (
        lambda c: c.hset("asynq:t:stray", "type", "task"),
        "the server: expected 6 keys, found 7",
    ),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_is_wrong_is_told(client: Client, name: str) -> None:
    spoil, part = LISTS[name]
    enqueue(client)
    spoil(client)
    assert look(client).fault.startswith(part)


def test_the_order_matters_only_where_it_is_promised(client: Client) -> None:
    enqueue(client, range(1, TASKS))
    enqueue(client, range(1))
    assert look(client, is_ordered=False) == FoundTasks(["id-1", "id-2", "id-3", "id-4", "id-0"])
    assert "expected number 0 in turn, found 1" in look(client).fault


def test_stamps_are_allowed_where_they_are_expected_and_nowhere_else(client: Client) -> None:
    enqueue(client)
    for number in range(TASKS):
        stamped = {"due_us": 1, "sent_us": 2, "input": f"hello {number}"}
        client.hset(f"asynq:t:id-{number}", "payload", json.dumps(stamped))
    assert look(client, is_stamped=True).fault == ""
    assert "field 'payload'" in look(client).fault


def test_on_a_server_of_others_only_the_clients_own_tasks_are_removed(client: Client) -> None:
    enqueue(client)
    client.hset("asynq:t:theirs", mapping={"type": "task", "payload": "{}"})
    client.rpush(PENDING, "theirs")
    client.set("others:text", "value")
    found = look(client, owns_server=False)
    assert client_tasks.remove(client, RUNQY_QUEUE, found) == ""
    assert {*client.scan_iter()} == {b"asynq:t:theirs", PENDING.encode(), b"others:text"}
    assert client.lrange(PENDING, 0, -1) == [b"theirs"]


def test_what_comes_back_after_it_was_removed_is_told(client: Client) -> None:
    enqueue(client)
    found = look(client)
    client.lpush(PENDING, "late")
    assert "1 list entries came back" in client_tasks.remove(client, RUNQY_QUEUE, found)


@pytest.mark.parametrize("layout", ["runqy", "asynq"])
@pytest.mark.parametrize("state", ["pending", "active"])
def test_a_queue_that_holds_tasks_is_refused(client: Client, layout: str, state: str) -> None:
    entry = registry.get(layout)
    client_tasks.begin(client, entry, QUEUE)
    key = getattr(entry.layout, state)(QUEUE)
    client.lpush(key, "theirs")
    with pytest.raises(UsageError, match="already holds 1 tasks"):
        client_tasks.begin(client, entry, QUEUE)


ASYNQ_KEY = "asynq:{inference_default}:t:id-2"
ASYNQ_PENDING = "asynq:{inference_default}:pending"


def asynq_key(number: int) -> str:
    return f"asynq:{{inference_default}}:t:id-{number}"


def write_message(client: Client, number: int, task: Task) -> None:
    client.hset(asynq_key(number), "msg", codec.encode(task))


def other_message(**fields: Any) -> Spoil:
    """Task 2's message with something else in it."""
    task = replace(Task("id-2", QUEUE, b'{"input":"hello 2"}'), **fields)
    return lambda client: write_message(client, 2, task)


def enqueue_as_asynq(client: Client) -> None:
    for number in range(TASKS):
        payload = json.dumps({"input": f"hello {number}"}).encode()
        write_message(client, number, Task(f"id-{number}", QUEUE, payload))
        client.hset(asynq_key(number), mapping={"state": "pending", "pending_since": "17640000"})
        client.lpush(ASYNQ_PENDING, f"id-{number}")
    client.sadd("asynq:queues", QUEUE)


def look_as_asynq(client: Client, checked: CheckedQueue, *, owns_server: bool = True) -> FoundTasks:
    return client_tasks.inspect(client, checked, ExpectedTasks(TASKS), owns_server=owns_server)


def test_what_asynq_writes_is_right_and_removed_to_the_last_key(client: Client) -> None:
    checked = client_tasks.begin(client, registry.get("asynq"), QUEUE)
    enqueue_as_asynq(client)
    found = look_as_asynq(client, checked)
    assert found == FoundTasks(IDS)
    assert client_tasks.remove(client, checked, found) == ""
    assert client.dbsize() == 0


def test_a_queue_that_asynq_knew_before_stays_known(client: Client) -> None:
    client.sadd("asynq:queues", QUEUE)
    checked = client_tasks.begin(client, registry.get("asynq"), QUEUE)
    enqueue_as_asynq(client)
    client_tasks.remove(client, checked, look_as_asynq(client, checked))
    assert client.smembers("asynq:queues") == {QUEUE.encode()}


ASYNQ: dict[str, tuple[Spoil, str]] = {
    "state": (
        lambda c: c.hset(ASYNQ_KEY, "state", "active"),
        "task id-2: field 'state': expected 'pending', found 'active'",
    ),
    "since": (
        lambda c: c.hset(ASYNQ_KEY, "pending_since", "now"),
        "task id-2: field 'pending_since': expected digits, found 'now'",
    ),
    "message": (lambda c: c.hdel(ASYNQ_KEY, "msg"), "task id-2: field 'msg': expected a message"),
    "no message": (
        lambda c: c.hset(ASYNQ_KEY, "msg", b"\xff"),
        "task id-2: field 'msg': expected a message",
    ),
    "type": (other_message(type="job"), "task id-2: field 'type': expected 'task', found 'job'"),
    "attempts": (other_message(retry=1), "task id-2: field 'retry': expected '0', found '1'"),
    "most": (other_message(max_retry=25), "task id-2: field 'max_retry': expected '3', found '25'"),
    "queue": (other_message(queue="x"), "task id-2: field 'queue': expected 'inference_default'"),
    "payload": (other_message(payload=b"{}"), "task id-2: field 'payload': expected"),
    "number": (
        other_message(payload=b'{"input":"hello 1"}'),
        "task id-2: expected number 1 once, found it again",
    ),
    "more": (lambda c: c.hset(ASYNQ_KEY, "x", "y"), "task id-2: field 'x': expected none"),
    "set": (
        lambda c: c.srem("asynq:queues", QUEUE),
        "asynq:queues: expected member 'inference_default', found none",
    ),
    "key": (lambda c: c.set("asynq:stray", "x"), "the server: expected 7 keys, found 8"),
    "list": (lambda c: c.lpush(ASYNQ_PENDING, "id-2"), f"{ASYNQ_PENDING}: expected 5 ids, found 6"),
}


@pytest.mark.parametrize("name", ASYNQ)
def test_what_asynq_would_not_write_is_told(client: Client, name: str) -> None:
    spoil, part = ASYNQ[name]
    enqueue_as_asynq(client)
    spoil(client)
    assert look_as_asynq(client, ASYNQ_QUEUE).fault.startswith(part)


def test_a_task_that_is_on_no_list_is_removed_if_it_is_certainly_a_client_s(client: Client) -> None:
    """As of one that was ended between the two commands that write it."""
    enqueue(client)
    active = f"asynq:{QUEUE}:active"
    for number in (1, 2, 3):
        client.lrem(PENDING, 1, f"id-{number}")
    client.lpush(active, "id-1")
    client.hset("asynq:t:id-3", "retry", "1")
    client.set("asynq:t:theirs", "no hash")
    expected = ExpectedTasks(TASKS)
    assert client_tasks.remove_unlisted(client, RUNQY_QUEUE, expected) == 1
    left = {f"asynq:t:{name}" for name in ("id-0", "id-1", "id-3", "id-4", "theirs")}
    assert {key.decode() for key in client.scan_iter("asynq:t:*")} == left
    assert client_tasks.remove_unlisted(client, RUNQY_QUEUE, ExpectedTasks(0)) == 0
