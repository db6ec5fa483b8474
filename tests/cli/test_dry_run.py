"""``bench run --dry-run``: what a run would write and whether it could begin, writing nothing."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from bench.records import run_record
from bench.wire import ids
from tests.cli.conftest import Bench
from tests.private_cluster import PrivateCluster
from tests.redisio.private_server import PrivateServer, private_server

_parents = count()
READ_ONLY = ("on", ">secret", "~*", "+@read", "+@connection", "+info", "+time", "+config|get")


@pytest.fixture
def queue() -> str:
    """A queue that no other test uses."""
    return f"dry{next(_parents)}_default"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateServer]:
    """A server of others with a user who may read, in BENCH_REDIS_URL as the one who may do all."""
    with private_server(tmp_path) as private:
        monkeypatch.setenv("BENCH_REDIS_URL", private.url)
        with private.client() as client:
            client.execute_command("ACL", "SETUSER", "reader", *READ_ONLY, "+multi", "+discard")
            client.config_resetstat()
        yield private


def planned(bench: Bench, *words: str) -> tuple[int, Any]:
    outcome = bench("run", "--dry-run", "--json", *words)
    return outcome.code, json.loads(outcome.out)


def as_reader(server: PrivateServer) -> str:
    return f"redis://reader:secret@127.0.0.1:{server.port}/0"


@pytest.mark.parametrize("layout", ["runqy", "asynq"])
def test_nothing_is_written_not_even_by_a_user_who_may(
    bench: Bench, server: PrivateServer, layout: str
) -> None:
    code, found = planned(bench, "--layout", layout, "--rate", "10/s", "--duration", "3s")
    assert (code, found["problem"], found["tasks"]) == (0, "", 30)
    with server.client() as client:
        calls = client.info("commandstats").items()
        assert client.dbsize() == 0
        assert client.info("persistence")["rdb_changes_since_last_save"] == 0
    called = {name.removeprefix("cmdstat_") for name, each in calls if each["calls"]}
    reads = {"hello", "ping", "info", "llen", "zcard", "multi", "discard", "config", "client"}
    assert {name.partition("|")[0] for name in called} <= {*reads, "auth"}


def test_a_user_with_read_rights_is_told_that_the_run_could_not_enqueue(
    bench: Bench, server: PrivateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_REDIS_URL", as_reader(server))
    outcome = bench("run", "--dry-run", "--quiet")
    assert outcome.code == 4
    assert outcome.err.startswith("bench: the server forbids a command that the run needs: ")
    assert "secret" not in outcome.err
    assert bench("run", "--dry-run", "--quiet", "--layout", "asynq").code == 6


def test_a_queue_with_tasks_of_others_is_refused_as_the_run_would_be(
    bench: Bench, server: PrivateServer, queue: str
) -> None:
    with server.client() as client:
        client.lpush(f"asynq:{queue}:pending", "theirs")
    code, found = planned(bench, "--queues", f"{queue}=1")
    assert code == found["exit_code"] == 2
    assert "already holds 1 tasks" in found["problem"]
    assert planned(bench, "--queues", f"{queue}=1", "--allow-shared")[0] == 0


def test_a_server_that_is_full_already_is_told(bench: Bench, server: PrivateServer) -> None:
    with server.client() as client:
        client.config_set("maxmemory", "1mb")
    code, found = planned(bench)
    assert (code, found["memory_limit_of"]) == (7, "maxmemory")
    assert found["guards"] == []
    assert "the guard 'redis.memory > 80%' holds before the run" in found["problem"]
    code, found = planned(bench, "--abort", "none")
    assert code == 6
    assert "maxmemory" in found["problem"]


def test_a_closed_loop_has_no_number_of_tasks(bench: Bench, server: PrivateServer) -> None:
    found = planned(bench, "--rate", "max", "--duration", "3s")[1]
    assert found["tasks"] is found["memory_bytes"] is None
    assert found["memory_bytes_per_task"] > 64


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["runqy", "asynq", "runqy-server"])
def test_the_forecast_is_what_a_run_then_takes(
    bench: Bench, server: PrivateServer, layout: str
) -> None:
    load = ("--rate", "max", "--tasks", "10000", "--payload-size", "1KiB", "--workers", "0")
    words = ("--layout", layout, *load)
    found = planned(bench, *words)[1]
    bench("run", *words, "--keep", "--quiet", "-o", "record.json")
    saved = run_record.load(Path("record.json"))
    assert saved.counts.pending == found["tasks"] == 10_000
    measured = saved.resources.server_memory_bytes_per_task
    assert measured == pytest.approx(found["memory_bytes_per_task"], rel=0.05)
    with server.client() as client:
        keys = [key.decode() for key in client.scan_iter(count=10_000)]
    patterns = [each.removesuffix("*") for each in found["task_keys"]]
    starts, of_queues = tuple(patterns), found["queue_keys"]
    tasks = [key for key in keys if key.startswith(starts) and key not in of_queues]
    assert len({key[-ids.ID_LENGTH :] for key in tasks}) == found["tasks"]
    others = [each.partition("*")[0] for each in (*found["queue_keys"], *found["other_keys"])]
    assert all(key.startswith(tuple(others)) for key in {*keys} - {*tasks})


def test_the_report_begins_with_whether_it_could_begin(bench: Bench, server: PrivateServer) -> None:
    outcome = bench("run", "--dry-run", "--abort", "backlog > 5")
    assert outcome.out.startswith(f"COULD BEGIN  default, on redis://127.0.0.1:{server.port}/0")
    assert "redis.memory > 80%; backlog > 5" in outcome.out
    assert "bench acl" in outcome.out
    assert not list(Path().glob("results/*"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--faults", "1s pause clients 1s"], "give --faults-on-shared"),
        (["--faults", "1s failover", "--faults-on-shared"], "faults: '1s failover': "),
        (["--worker-command", "no-such-program {url}"], "'no-such-program' cannot be started"),
        (["--worker-command", "cat {master}"], "the Redis URL names no Sentinels"),
        (["--ack", "wait:1"], "ack: 0 of 1 replicas are connected"),
    ],
)
def test_what_a_run_refuses_before_it_begins_is_said(
    bench: Bench, server: PrivateServer, words: list[str], message: str
) -> None:
    """And the run says the same, with the same code."""
    code, found = planned(bench, *words)
    assert (code, found["exit_code"]) == (2, 2)
    assert message in found["problem"]
    outcome = bench("run", "smoke", "--quiet", *words)
    assert (outcome.code, outcome.err) == (2, f"bench: {found['problem']}\n")


def test_a_user_who_may_not_read_info_is_not_told_that_the_run_could_not_begin(
    bench: Bench, server: PrivateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run goes on without INFO, and without DISCARD, which ends with the connection."""
    with server.client() as client:
        rights = ("on", ">secret", "~*", "+@all", "-info", "-discard")
        client.execute_command("ACL", "SETUSER", "blind", *rights)
    monkeypatch.setenv("BENCH_REDIS_URL", f"redis://blind:secret@127.0.0.1:{server.port}/0")
    code, found = planned(bench)
    assert (code, found["problem"], found["used_memory_bytes"]) == (0, "", None)
    assert any("no guard watches it" in note for note in found["notes"])
    with server.client() as client:
        assert client.dbsize() == 0


@pytest.mark.slow
def test_a_cluster_says_whether_a_run_could_begin(
    bench: Bench, cluster: PrivateCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_REDIS_URL", cluster.url)
    code, found = planned(bench, "--layout", "asynq", "--queues", "a:high=1,a:low=1")
    assert (code, found["problem"]) == (0, "")
    assert found["used_memory_bytes"] > 0
    assert cluster.keys() == []
    code, found = planned(bench, "--layout", "runqy")
    assert code == 2
    assert "spreads a task's keys over several slots" in found["problem"]


@pytest.mark.slow
def test_servers_of_the_run_s_own_are_asked_too(bench: Bench) -> None:
    """They are started for it, and end with it."""
    failover = ("--faults", "1s failover", "--ack", "wait:1")
    code, found = planned(bench, *failover)
    assert code == 2
    assert "failover" in found["problem"]
    code, found = planned(bench, *failover, "--topology", "sentinel")
    assert (code, found["problem"]) == (0, "")
