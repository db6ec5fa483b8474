"""The seed's guide as functions, on a real server."""

import json
import threading
import time
from collections.abc import Iterator

import pytest
import redis

from bench import enqueue_task, task_status, wait_for_result
from bench.errors import NoResult, TaskNotFound, UsageError

TIMEOUT_S = 20.0
NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture
def client(url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(url, decode_responses=True, protocol=2) as client:
        yield client


def end(client: redis.Redis, task_id: str, **fields: str) -> None:
    """Write what a worker writes when it is done with a task."""
    for name, value in fields.items():
        client.hset(f"asynq:t:{task_id}", name, value)


def test_a_task_is_a_hash_of_the_seeds_five_fields_and_an_entry_in_one_list(
    url: str, client: redis.Redis
) -> None:
    before = set(client.keys())
    task_id = enqueue_task("guide_default", {"input": "hello", "n": 1}, url=url)
    assert set(client.keys()) - before == {f"asynq:t:{task_id}", "asynq:guide_default:pending"}
    assert client.lrange("asynq:guide_default:pending", 0, -1) == [task_id]
    fields = client.hgetall(f"asynq:t:{task_id}")
    assert json.loads(fields.pop("payload")) == {"input": "hello", "n": 1}
    assert fields == {"type": "task", "retry": "0", "max_retry": "3", "queue": "guide_default"}


def test_the_first_task_is_the_first_to_be_popped(url: str, client: redis.Redis) -> None:
    ids = [enqueue_task("order_default", {}, url=url) for _ in range(3)]
    assert [client.rpop("asynq:order_default:pending") for _ in range(3)] == ids


def test_the_number_of_retries_is_the_callers(url: str, client: redis.Redis) -> None:
    task_id = enqueue_task("retry_default", {}, 7, url=url)
    assert client.hget(f"asynq:t:{task_id}", "max_retry") == "7"


def test_a_parent_may_hold_the_separator_itself(url: str, client: redis.Redis) -> None:
    task_id = enqueue_task("image_resize_high", {}, url=url)
    assert client.lrange("asynq:image_resize_high:pending", 0, -1) == [task_id]


@pytest.mark.parametrize("queue", ["inference", "", "_high", "inference_", "_"])
def test_a_queue_without_its_parent_is_refused_before_anything_is_sent(queue: str) -> None:
    with pytest.raises(UsageError, match=f"'{queue}' is not a sub-queue: write PARENT_NAME"):
        enqueue_task(queue, {}, url=NOWHERE)


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes"])
def test_a_payload_that_json_cannot_hold_is_refused_before_anything_is_sent(value: object) -> None:
    with pytest.raises(UsageError, match="the payload cannot be written as JSON: Object of type"):
        enqueue_task("inference_default", {"input": value}, url=NOWHERE)


def test_the_url_comes_from_bench_redis_url_and_never_from_redis_url(
    url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_REDIS_URL", url)
    monkeypatch.setenv("REDIS_URL", NOWHERE)
    task_id = enqueue_task("environment_default", {})
    assert client.exists(f"asynq:t:{task_id}") == 1
    assert task_status(task_id)["queue"] == "environment_default"


def test_the_status_of_a_task_that_no_worker_has_seen_is_pending(url: str) -> None:
    task_id = enqueue_task("status_default", {"input": "hello"}, url=url)
    assert task_status(task_id, url=url) == {
        "state": "pending",
        "type": "task",
        "payload": '{"input": "hello"}',
        "retry": "0",
        "max_retry": "3",
        "queue": "status_default",
    }


@pytest.mark.parametrize("state", ["active", "retry", "completed", "archived"])
def test_the_status_is_what_the_worker_wrote(url: str, client: redis.Redis, state: str) -> None:
    task_id = enqueue_task("status_default", {}, url=url)
    end(client, task_id, state=state)
    assert task_status(task_id, url=url)["state"] == state


def test_a_task_that_is_not_there_is_said_not_to_be(url: str) -> None:
    with pytest.raises(TaskNotFound, match="no task nothing: was it enqueued on this server"):
        task_status("nothing", url=url)
    with pytest.raises(TaskNotFound, match="no task nothing: was it enqueued on this server"):
        wait_for_result("nothing", TIMEOUT_S, url=url)


@pytest.mark.parametrize("result", [{"output": [1, 2]}, "text", 0, None])
def test_a_stored_result_is_returned_decoded(url: str, client: redis.Redis, result: object) -> None:
    task_id = enqueue_task("result_default", {}, url=url)
    client.set(f"asynq:result:{task_id}", json.dumps(result))
    end(client, task_id, state="completed")
    assert wait_for_result(task_id, 0, url=url) == result


def test_a_result_is_returned_when_it_comes(url: str, client: redis.Redis) -> None:
    task_id = enqueue_task("result_default", {}, url=url)
    results: list[object] = []
    waiting = threading.Thread(
        target=lambda: results.append(wait_for_result(task_id, TIMEOUT_S, url=url))
    )
    asked_before = times_asked(client)
    waiting.start()
    await_more_than(client, asked_before)
    client.set(f"asynq:result:{task_id}", '"done"')
    end(client, task_id, state="completed")
    waiting.join(TIMEOUT_S)
    assert results == ["done"]


def times_asked(client: redis.Redis) -> int:
    return int(client.info("commandstats").get("cmdstat_get", {"calls": 0})["calls"])


def await_more_than(client: redis.Redis, asked: int) -> None:
    give_up = time.monotonic() + TIMEOUT_S
    while times_asked(client) <= asked:
        assert time.monotonic() < give_up, "nobody asked for the result"


def test_storage_that_is_off_is_named_as_the_reason(url: str, client: redis.Redis) -> None:
    task_id = enqueue_task("result_default", {}, url=url)
    end(client, task_id, state="completed")
    with pytest.raises(NoResult, match=r"does not store results \(turn it on with --store-results"):
        wait_for_result(task_id, TIMEOUT_S, url=url)


def test_a_task_that_was_given_up_for_good_has_no_result_but_a_reason(
    url: str, client: redis.Redis
) -> None:
    task_id = enqueue_task("result_default", {}, url=url)
    end(client, task_id, state="archived", error="out of memory")
    with pytest.raises(NoResult, match=f"{task_id} failed for good: out of memory"):
        wait_for_result(task_id, TIMEOUT_S, url=url)


@pytest.mark.parametrize("state", ["pending", "active", "retry"])
def test_when_the_time_is_over_the_state_is_told(url: str, client: redis.Redis, state: str) -> None:
    task_id = enqueue_task("result_default", {}, url=url)
    if state != "pending":
        end(client, task_id, state=state)
    with pytest.raises(NoResult, match=rf"no result after 0 s \(state: {state}\)"):
        wait_for_result(task_id, 0, url=url)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_json_does_not_know_is_refused(url: str, value: float) -> None:
    with pytest.raises(UsageError, match="the payload cannot be written as JSON"):
        enqueue_task("inference_default", {"input": value}, url=url)


@pytest.mark.parametrize("max_retry", [-1, 1001])
def test_retries_out_of_range_are_refused(url: str, max_retry: int) -> None:
    with pytest.raises(UsageError, match="max_retry"):
        enqueue_task("inference_default", {}, max_retry, url=url)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (b'{"answer": [42, null]}', {"answer": [42, None]}),
        (b"done", "done"),
        (b"", ""),
        (b"caf\xe9 \x00", "caf\\xe9 \x00"),
        (b'{"x": NaN}', '{"x": NaN}'),
        (b"1e999", "1e999"),
        (b"[" * 100_000, "[" * 100_000),
        (b"[" * 20_000 + b"]" * 20_000, "[" * 20_000 + "]" * 20_000),
        (b"9" * 5000, "9" * 5000),
    ],
)
def test_a_result_is_what_was_stored_whether_or_not_it_is_json(
    url: str, client: redis.Redis, stored: bytes, expected: object
) -> None:
    task_id = enqueue_task("guide_default", {}, url=url)
    client.set(f"asynq:result:{task_id}", stored)
    found = wait_for_result(task_id, TIMEOUT_S, url=url)
    assert found == expected
    assert json.loads(json.dumps(found, indent=1, allow_nan=False)) == expected


def test_fields_that_are_no_utf_8_are_shown(url: str, client: redis.Redis) -> None:
    task_id = enqueue_task("guide_default", {}, url=url)
    client.hset(f"asynq:t:{task_id}", b"caf\xe9", b"\xff")
    assert task_status(task_id, url=url)["caf\\xe9"] == "\\xff"


def test_names_that_are_no_utf_8_are_refused() -> None:
    """Python gives such a name from the command line as lone surrogates."""
    name = "caf\udce9_default"
    with pytest.raises(UsageError, match="is not UTF-8"):
        enqueue_task(name, {}, url=NOWHERE)
    with pytest.raises(UsageError, match="is not UTF-8"):
        task_status(name, url=NOWHERE)
    with pytest.raises(UsageError, match="is not UTF-8"):
        wait_for_result(name, url=NOWHERE)
