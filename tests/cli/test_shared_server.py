"""``bench run`` on a server that others use: theirs stays as it was, and nothing of ours stays."""

import shlex
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import redis

from bench import enqueue_task
from bench.records import run_record
from tests.cli.conftest import SHORT_RUN, Bench, expected_code

pytestmark = pytest.mark.slow

Snapshot = dict[bytes, tuple[bytes | None, int]]
_parents = count()


@pytest.fixture(autouse=True)
def client(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    """The server of ``BENCH_REDIS_URL``, with keys of other people of every kind."""
    monkeypatch.setenv("BENCH_REDIS_URL", url)
    with redis.Redis.from_url(url, protocol=2) as client:
        client.set("others:text", "value")
        client.rpush("others:list", "a", "b")
        client.hset("asynq:workers:theirs", mapping={"queues": "theirs"})
        if not client.exists("asynq:theirs_default:pending"):
            enqueue_task("theirs_default", {"input": "hello"}, url=url)
        yield client


@pytest.fixture
def parent() -> str:
    """A parent queue that no other test uses."""
    return f"parent{next(_parents)}"


def snapshot(client: redis.Redis) -> Snapshot:
    """Every key with its content and its time to live."""
    keys = [key for key in client.scan_iter() if isinstance(key, bytes)]
    return {key: (client.dump(key), client.ttl(key)) for key in keys}


def run_words(parent: str, *more: str) -> list[str]:
    queues = f"{parent}_high=1,{parent}_low=2"
    return [*SHORT_RUN, "--queues", queues, "--quiet", "-o", "record.json", *more]


def test_nothing_of_the_run_is_left_and_nothing_else_is_touched(
    bench: Bench, client: redis.Redis, parent: str
) -> None:
    before = snapshot(client)
    outcome = bench(*run_words(parent))
    saved = run_record.load(Path("record.json"))
    assert outcome.code == expected_code(saved)
    assert saved.counts.enqueued == saved.counts.completed == 60
    assert snapshot(client) == before


def test_nothing_is_left_either_of_tasks_that_nobody_served_and_of_stored_results(
    bench: Bench, client: redis.Redis, parent: str
) -> None:
    before = snapshot(client)
    bench(*run_words(parent, "--workers", "0"))
    assert run_record.load(Path("record.json")).counts.pending == 60
    assert snapshot(client) == before
    bench(*run_words(parent, "--store-results"))
    assert run_record.load(Path("record.json")).counts.completed == 60
    assert snapshot(client) == before


def test_keep_leaves_what_was_written_and_clean_removes_it_by_id(
    bench: Bench, client: redis.Redis, parent: str
) -> None:
    before = snapshot(client)
    bench(*run_words(parent, "--keep", "--workers", "0"))
    kept = snapshot(client).keys() - before.keys()
    lists = {f"asynq:{parent}_{name}:pending".encode() for name in ("high", "low")}
    assert lists < kept
    assert len(kept - lists) == 60
    theirs = enqueue_task(f"{parent}_high", {"input": "in the same list"})
    between = {f"asynq:t:{theirs}".encode(), f"asynq:{parent}_high:pending".encode()}
    outcome = bench("clean", "record.json")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("removed 60 keys of run ")
    assert snapshot(client).keys() == before.keys() | between
    assert client.lrange(f"asynq:{parent}_high:pending", 0, -1) == [theirs.encode()]
    assert bench("clean", "record.json").out.startswith("removed 0 keys of run ")


def asynq_words(parent: str, *more: str) -> list[str]:
    queues = f"{parent}.high=1,{parent}.low=2"
    words = [*SHORT_RUN, "--layout", "asynq", "--queues", queues]
    return [*words, "--quiet", "-o", "record.json", *more]


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--workers", "0"),
        ("--store-results",),
        ("--failure-rate", "100%", "--max-retry", "0"),
        ("--duplicate-check", "--prefetch", "8"),
    ],
    ids=["served", "left", "stored", "archived", "duplicate-check"],
)
def test_nothing_is_left_in_the_asynq_layout_either(
    bench: Bench, client: redis.Redis, parent: str, words: tuple[str, ...]
) -> None:
    client.sadd("asynq:queues", "theirs.default")
    before = snapshot(client)
    bench(*asynq_words(parent, *words))
    saved = run_record.load(Path("record.json"))
    assert saved.counts.enqueued == 60
    assert saved.counts.lost == 0
    assert snapshot(client) == before


def test_nothing_is_left_of_a_run_that_somebody_elses_worker_served(
    bench: Bench, client: redis.Redis, parent: str
) -> None:
    worker = Path(__file__).parents[1] / "peers" / "plain_worker.py"
    words = [sys.executable, str(worker), "summary.json", f"{parent}_high", f"{parent}_low"]
    before = snapshot(client)
    bench(*run_words(parent, "--worker-command", shlex.join([*words, "--store"])))
    assert run_record.load(Path("record.json")).counts.completed == 60
    assert snapshot(client) == before


def test_what_keep_left_in_the_asynq_layout_is_removed_by_id(
    bench: Bench, client: redis.Redis, parent: str
) -> None:
    """All but the queues' names: they may have become somebody's meanwhile."""
    before = snapshot(client)
    bench(*asynq_words(parent, "--keep", "--workers", "0"))
    assert len(snapshot(client).keys() - before.keys()) == 60 + 2 + (b"asynq:queues" not in before)
    outcome = bench("clean", "record.json")
    assert outcome.out.startswith("removed 60 keys of run ")
    assert snapshot(client).keys() - before.keys() <= {b"asynq:queues"}


@pytest.mark.parametrize("state", ["pending", "active"])
def test_queues_that_hold_tasks_are_refused_untouched(
    bench: Bench, client: redis.Redis, parent: str, state: str
) -> None:
    client.lpush(f"asynq:{parent}_low:{state}", "theirs")
    before = snapshot(client)
    outcome = bench(*run_words(parent))
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"bench: asynq:{parent}_low:{state} already holds 1 task")
    assert "--allow-shared" in outcome.err
    assert outcome.err.count("\n") == 1
    assert snapshot(client) == before
    assert not Path("record.json").exists()


def test_with_allow_shared_they_are_accepted_and_those_tasks_are_served_too(
    bench: Bench, client: redis.Redis, parent: str
) -> None:
    theirs = enqueue_task(f"{parent}_low", {"input": "hello"})
    before = snapshot(client).keys()
    outcome = bench(*run_words(parent, "--allow-shared"))
    saved = run_record.load(Path("record.json"))
    assert outcome.code == expected_code(saved)
    assert saved.counts.due == saved.counts.completed == 60
    assert client.hget(f"asynq:t:{theirs}", "state") == b"completed"
    assert snapshot(client).keys() == before - {f"asynq:{parent}_low:pending".encode()}


def test_with_allow_shared_and_no_worker_their_tasks_stay_as_they_are(
    bench: Bench, client: redis.Redis, parent: str
) -> None:
    enqueue_task(f"{parent}_low", {"input": "hello"})
    before = snapshot(client)
    bench(*run_words(parent, "--allow-shared", "--workers", "0"))
    assert run_record.load(Path("record.json")).counts.pending == 60
    assert snapshot(client) == before
