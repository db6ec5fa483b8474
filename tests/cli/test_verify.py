"""``bench verify``: its answer as text and as JSON, and the exit codes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from bench.secrets import address
from tests import golden
from tests.cli.conftest import Bench
from tests.talk import as_user


@pytest.fixture
def client(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    """The server of ``BENCH_REDIS_URL``, with ten healthy tasks and a worker."""
    monkeypatch.setenv("BENCH_REDIS_URL", url)
    with redis.Redis.from_url(url, protocol=2) as client:
        client.flushall()
        for number in range(10):
            fields = {"type": "task", "payload": "{}", "retry": "0", "max_retry": "3"}
            client.hset(f"asynq:t:task-{number}", mapping={**fields, "queue": "orders_high"})
            client.lpush("asynq:orders_high:pending", f"task-{number}")
        client.hset("asynq:workers:w", "queue", "orders")
        yield client


def break_it(client: redis.Redis) -> None:
    """Errors, a warning, a key of the wrong type, and keys of the other layout."""
    client.delete("asynq:t:task-3", "asynq:t:task-4")
    client.hset("asynq:t:task-5", "payload", "{'input': 1}")
    client.hset("asynq:t:task-6", "retry", "7")
    client.set("asynq:orders_low:pending", "x")
    client.delete("asynq:workers:w")
    client.lpush("asynq:{orders.high}:pending", "x")


def test_queues_that_follow_end_in_0(bench: Bench, client: redis.Redis) -> None:
    outcome = bench("verify")
    assert (outcome.code, outcome.err) == (0, "")
    golden.check("verify-follows.txt", outcome.out)


def test_a_sample_is_reported_as_one(bench: Bench, client: redis.Redis) -> None:
    outcome = bench("verify", "--sample", "4", "--queues", "orders_high")
    answer = "follows the runqy layout: 4 tasks checked (out of 10), none wrong"
    assert outcome.out.splitlines()[0] == answer


def test_queues_that_do_not_are_told_with_cause_and_cure_and_end_in_4(
    bench: Bench, client: redis.Redis
) -> None:
    break_it(client)
    outcome = bench("verify")
    assert (outcome.code, outcome.err) == (4, "")
    golden.check("verify-broken.txt", outcome.out)


def test_the_answer_as_json_is_one_object(bench: Bench, client: redis.Redis, url: str) -> None:
    break_it(client)
    outcome = bench("verify", "--json")
    answer: dict[str, Any] = json.loads(outcome.out)
    assert (outcome.code, outcome.err) == (4, "")
    assert (answer["format"], answer["layout"]) == ("runqy-bench-verify/1", "runqy")
    assert (answer["address"], answer["follows"]) == (address(url), False)
    assert (answer["ids"], answer["looked_at"], answer["wrong"]) == (10, 10, 3)
    assert [(each["code"], each["severity"], each["count"]) for each in answer["findings"]] == [
        ("missing-hash", "error", 2),
        ("payload", "error", 1),
        ("place-type", "error", 1),
        ("no-worker", "warning", 1),
        ("too-many-retries", "warning", 1),
    ]


def test_warnings_alone_end_in_0(bench: Bench, client: redis.Redis) -> None:
    client.delete("asynq:workers:w")
    outcome = bench("verify")
    assert outcome.code == 0
    assert "none wrong, 1 warning\n" in outcome.out


@pytest.mark.parametrize("words", [[], ["--json"], ["--queues", "a_b"], ["--layout", "asynq"]])
def test_an_empty_server_is_nothing_to_verify(
    bench: Bench, client: redis.Redis, words: list[str]
) -> None:
    client.flushall()
    outcome = bench("verify", *words)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (3, "", 1)
    assert outcome.err.startswith("bench: no task ")


def test_the_other_layout_is_named_where_its_keys_are_there(
    bench: Bench, client: redis.Redis
) -> None:
    outcome = bench("verify", "--layout", "asynq")
    assert outcome.code == 3
    assert outcome.err.endswith("; the server has keys of the runqy layout: say --layout runqy\n")
    assert "queues of other names" in bench("verify", "--queues", "other_high").err


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (
            ["--layout", "asink"],
            "--layout: 'asink' is not one of runqy, asynq, runqy-server: did you mean",
        ),
        (["--sample", "0"], "--sample must be from 1 to 100000, not 0"),
        (["--sample", "100001"], "--sample must be from 1 to 100000, not 100001"),
        (["--queues", "a_b,,c_d"], "--queues: '' is not a queue name"),
        (["--queues", "a b"], "--queues: 'a b' is not a queue name"),
        (
            ["--layout", "asynq", "--queues", "{a.b}"],
            "--queues: the layout adds the braces of '{a.b}'; use 'a.b'",
        ),
        (["extra"], "extra"),
    ],
)
def test_what_cannot_be_asked_is_one_line_and_exit_code_2(
    bench: Bench, words: list[str], part: str
) -> None:
    outcome = bench("verify", *words, "--redis-url", "redis://127.0.0.1:1/0")
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert part in outcome.err


def test_a_forbidden_command_is_one_line_that_names_it(
    bench: Bench, client: redis.Redis, url: str
) -> None:
    client.acl_setuser(
        "half", enabled=True, reset=True, passwords=["+pw"], keys=["*"], commands=["+ping", "+scan"]
    )
    outcome = bench("verify", "--redis-url", as_user(url, "half", "pw"))
    client.acl_deluser("half")
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (6, "", 1)
    assert "forbids a command" in outcome.err
    assert "grant it in the ACL" in outcome.err


def test_ids_cannot_write_to_the_terminal(bench: Bench, client: redis.Redis) -> None:
    client.lpush("asynq:orders_high:pending", "\x1b[31m[bold]red\n")
    outcome = bench("verify")
    assert "\x1b" not in outcome.out
    assert "(\\x1b[31m[bold]red\\n)" in outcome.out
