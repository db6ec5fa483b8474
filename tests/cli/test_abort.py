"""``bench run --abort``: a run that a guard ends saves what it measured and leaves nothing."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import redis

from bench.errors import ExitCode
from bench.records import run_record
from tests.cli.conftest import Bench
from tests.redisio.private_server import private_server

pytestmark = pytest.mark.slow

_parents = count()
MIB = 1 << 20


@pytest.fixture
def queue() -> str:
    """A queue that no other test uses."""
    return f"guarded{next(_parents)}_default"


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A server of others with little memory, in BENCH_REDIS_URL."""
    with private_server(tmp_path, "--maxmemory", "20mb") as server:
        monkeypatch.setenv("BENCH_REDIS_URL", server.url)
        with server.client() as client:
            yield client


def words(queue: str, *more: str) -> list[str]:
    """A run of a minute that nobody serves."""
    load = ("--rate", "500/s", "--duration", "60s", "--workers", "0", "--quiet")
    return ["run", "--queues", f"{queue}=1", *load, "-o", "record.json", *more]


def test_a_guard_ends_a_run_with_a_code_of_its_own_and_the_record_says_which(
    bench: Bench, url: str, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_REDIS_URL", url)
    outcome = bench(*words(queue, "--abort", "backlog > 100"))
    assert outcome.code == int(ExitCode.ABORTED) == 7
    saved = run_record.load(Path("record.json"))
    assert saved.aborted is not None
    assert (saved.verdict, saved.aborted.guard) == ("aborted", "backlog > 100")
    assert saved.aborted.value > 100
    assert saved.guards == ["redis.memory > 80%", "backlog > 100"]
    assert saved.counts.enqueued == saved.counts.pending >= saved.aborted.value
    assert saved.warnings[0].code == "aborted"
    with redis.Redis.from_url(url, protocol=2) as client:
        assert not list(client.scan_iter(f"*{queue}*"))
    assert bench("report", "record.json").out.startswith("ABORTED  do not quote these figures")


def test_a_run_never_fills_a_server_of_others_unless_it_is_told_to(
    bench: Bench, small: Any, queue: str
) -> None:
    large = ("--payload-size", "6KiB")
    outcome = bench(*words(queue, *large))
    saved = run_record.load(Path("record.json"))
    assert outcome.code == ExitCode.ABORTED
    assert saved.aborted is not None
    assert saved.aborted.guard == "redis.memory > 80%"
    assert "of maxmemory (21.0 MB)" in saved.aborted.reason
    assert not saved.counts.refused
    assert small.dbsize() == 0
    told = bench(*words(queue, *large, "--abort", "none", "--abort", "refused > 0"))
    assert told.code == ExitCode.ABORTED
    assert run_record.load(Path("record.json")).guards == ["refused > 0"]


def test_a_guard_that_holds_before_the_run_leaves_the_server_as_it_is(
    bench: Bench, small: Any, queue: str
) -> None:
    for number in range(17):
        small.set(f"others:{number}", bytes(MIB))
    outcome = bench(*words(queue))
    assert outcome.code == ExitCode.ABORTED
    guard = "the guard 'redis.memory > 80%' holds before the run: redis.memory was "
    assert outcome.err.startswith(f"bench: nothing was sent, as {guard}")
    assert outcome.err.count("\n") == 1
    assert small.dbsize() == 17


def test_no_start_follows_one_that_a_guard_has_ended(bench: Bench, url: str, queue: str) -> None:
    outcome = bench(*words(queue, "--abort", "backlog > 100", "--restarts", "3"))
    assert outcome.code == ExitCode.ABORTED
    record = json.loads(Path("record.json").read_text())
    assert [run["verdict"] for run in record["runs"]] == ["aborted"]


def test_a_search_for_capacity_does_not_go_on_after_a_guard(bench: Bench, queue: str) -> None:
    chosen = ("--queues", f"{queue}=1", "--workers", "1", "--slo", "e2e.p99 < 50ms", "--quiet")
    outcome = bench("capacity", *chosen, "--abort", "e2e.max > 1us", "-o", "record.json")
    assert outcome.code == ExitCode.ABORTED
    assert "the guard 'e2e.max > 1us' ended the run" in outcome.err
    assert "no further run is made" in outcome.err
