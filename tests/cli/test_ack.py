"""``bench run --ack``: replicas, or the append-only file, acknowledge what is enqueued."""

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.records import run_record
from bench.records.run_record import RunRecord
from tests.cli.conftest import SHORT_RUN, Bench
from tests.redisio.private_server import PrivateServer, private_server

pytestmark = pytest.mark.slow


@pytest.fixture
def master(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateServer]:
    """A server with an append-only file, in BENCH_REDIS_URL."""
    options = ("--appendonly", "yes", "--repl-diskless-sync-delay", "0")
    with private_server(tmp_path, *options) as server:
        monkeypatch.setenv("BENCH_REDIS_URL", server.url)
        yield server


@pytest.fixture
def replica(master: PrivateServer, tmp_path: Path) -> Iterator[PrivateServer]:
    """A replica of it that has caught up."""
    folder = tmp_path / "replica"
    folder.mkdir()
    with private_server(folder, "--replicaof", "127.0.0.1", str(master.port)) as server:
        with master.client() as client:
            deadline_s = time.monotonic() + 20
            while client.execute_command("WAIT", 1, 100) < 1:
                assert time.monotonic() < deadline_s
        yield server


def measured(bench: Bench, *words: str) -> RunRecord:
    bench(*SHORT_RUN, "--quiet", "-o", "record.json", *words)
    return run_record.load(Path("record.json"))


@pytest.mark.parametrize("load", [(), ("--rate", "max")], ids=["open", "closed"])
@pytest.mark.parametrize("ack", ["wait:1,10s", "waitaof:1,0,10s"])
def test_each_task_has_a_durable_latency_beside_that_of_enqueueing(
    bench: Bench, replica: PrivateServer, ack: str, load: tuple[str, ...]
) -> None:
    words = [*SHORT_RUN[:2], "--duration", "300ms", *(load or ("--rate", "200/s"))]
    bench(*words, "--quiet", "-o", "record.json", "--ack", ack)
    saved = run_record.load(Path("record.json"))
    assert saved.counts.enqueued
    assert saved.counts.not_replicated == 0
    durable, enqueue = saved.latency["durable"]["all"], saved.latency["enqueue"]["all"]
    assert durable.count == enqueue.count > 0


def test_what_a_stalled_replica_does_not_have_is_counted(
    bench: Bench, replica: PrivateServer
) -> None:
    process = replica._process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    try:
        saved = measured(bench, "--ack", "wait:1,20ms")
    finally:
        process.send_signal(signal.SIGCONT)
    assert saved.counts.enqueued == saved.counts.not_replicated == 60
    assert "durable" not in saved.latency
    assert "not_replicated" in {warning.code for warning in saved.warnings}


@pytest.mark.parametrize(
    ("ack", "message"),
    [
        ("wait:1", "ack: 0 of 1 replicas are connected to the server: start them"),
        ("waitaof:1,2", "ack: 0 of 2 replicas are connected"),
    ],
)
def test_without_the_replicas_nothing_is_sent(
    bench: Bench, master: PrivateServer, ack: str, message: str
) -> None:
    outcome = bench(*SHORT_RUN, "--ack", ack)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert message in outcome.err
    with master.client() as client:
        assert client.dbsize() == 0


def test_without_an_append_only_file_it_is_refused(bench: Bench, url: str) -> None:
    outcome = bench(*SHORT_RUN, "--ack", "waitaof:1,0")
    assert outcome.code == 2
    assert "ack: the server keeps no append-only file" in outcome.err


def test_a_user_who_may_not_wait_is_refused_before_anything_is_sent(
    bench: Bench, replica: PrivateServer, master: PrivateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each task would count as not replicated, in a run that measured no durability."""
    with master.client() as client:
        rights = ("on", ">pw", "~*", "&*", "+@all", "-wait")
        client.execute_command("ACL", "SETUSER", "hasty", *rights)
        monkeypatch.setenv("BENCH_REDIS_URL", f"redis://hasty:pw@127.0.0.1:{master.port}/0")
        for words in ((), ("--dry-run",)):
            outcome = bench(*SHORT_RUN, "--quiet", "--ack", "wait:1", *words)
            assert (outcome.code, outcome.err.count("\n")) == (6, 1)
            assert "'wait' command: grant it in the ACL" in outcome.err
            assert client.dbsize() == 0


def test_a_server_without_the_command_is_told_from_one_that_cannot_be_read(bench: Bench) -> None:
    program = shutil.which("redis-server")
    if program is None or " v=7.0" not in subprocess.check_output(
        [program, "--version"], text=True
    ):
        pytest.skip("redis-server 7.0 is not installed")
    words = ("--server-binary", program, "--server-config", "appendonly yes")
    outcome = bench(*SHORT_RUN, *words, "--quiet", "--ack", "waitaof:1,0")
    assert outcome.code == 2
    message = "bench: ack: the server has no WAITAOF, which came with Redis 7.2: use wait\n"
    assert outcome.err == message


def test_without_ack_a_record_has_no_durable_latency(bench: Bench, master: PrivateServer) -> None:
    assert "durable" not in measured(bench).latency


def test_locust_refuses_it(bench: Bench, master: PrivateServer) -> None:
    outcome = bench(*SHORT_RUN, "--distributed", "--quiet", "--ack", "wait:1")
    assert outcome.code == 2
    assert "ack: " in outcome.err
