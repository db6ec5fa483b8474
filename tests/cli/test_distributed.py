"""``bench run --distributed``: Locust's workers enqueue, and all else is as in any run."""

import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import redis

from bench.records import run_record
from tests.cli.conftest import Bench, expected_code, interrupted

pytestmark = pytest.mark.slow

SHORT = ("run", "smoke", "--duration", "500ms", "--rate", "600/s", "-o", "record.json")


def test_two_processes_give_the_record_of_a_run(bench: Bench) -> None:
    outcome = bench(*SHORT, "--distributed", "--producers", "2", "--quiet")
    saved = run_record.load(Path("record.json"))
    assert outcome.code == expected_code(saved), outcome.err
    assert saved.scenario.name == "smoke"
    assert saved.scenario.producers == 2
    assert saved.counts.due == saved.counts.completed == 300
    assert saved.command == " ".join(
        ["bench", *SHORT, "--distributed", "--producers", "2", "--quiet"]
    )


def test_workers_from_elsewhere_are_waited_for(bench: Bench) -> None:
    """They fetch the locustfile and all else from the master, as the line that is printed says."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    words = ["-f", "-", "--worker", "--master-host", "127.0.0.1", "--master-port", port]
    with subprocess.Popen(
        [sys.executable, "-m", "locust", *words, "--loglevel", "ERROR"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as worker:
        try:
            outcome = bench(
                *(*SHORT, "--distributed", "--expect-workers", "1", "--master-bind-port", port),
            )
        finally:
            worker.kill()
    saved = run_record.load(Path("record.json"))
    assert outcome.code == expected_code(saved), outcome.err
    assert f"locust {' '.join(words)}" in outcome.err
    assert saved.counts.due == saved.counts.completed == 300


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--redis-url", "redis://127.0.0.1:1/0"), 6, "no server at redis://127.0.0.1:1/0"),
        # Before anybody is asked to start workers.
        (
            ("--expect-workers", "2", "--redis-url", "redis://127.0.0.1:1/0"),
            6,
            "no server at redis://127.0.0.1:1/0",
        ),
        (
            ("--expect-workers", "2", "--expect-workers-max-wait", "1s"),
            4,
            "bench: 0 of 2 workers connected within 1.00 s: start the others",
        ),
        (
            ("--expect-workers", "2", "--expect-workers-max-wait", "0s"),
            2,
            "--expect-workers-max-wait: it must be longer than zero",
        ),
        (("--expect-workers", "0"), 2, "--expect-workers must be from 1 to 4095, not 0"),
        (("--server-binary", "/nonesuch"), 2, "/nonesuch"),
    ],
)
def test_a_broken_set_up_is_told_as_by_any_run(
    bench: Bench, words: tuple[str, ...], code: int, said: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    where = ("--master-bind-port", port) if "--expect-workers" in words else ()
    outcome = bench(*SHORT, "--distributed", "--quiet", *words, *where)
    assert (outcome.code, outcome.err.count("\n")) == (code, 1), outcome.err
    assert said in outcome.err


def test_flags_for_many_hosts_need_the_one_that_asks_for_them(bench: Bench) -> None:
    outcome = bench(*SHORT, "--expect-workers", "2")
    assert outcome.code == 2
    assert "need --distributed" in outcome.err


def test_an_interrupt_saves_what_was_measured(folder: Path, url: str) -> None:
    words = ("run", "smoke", "--duration", "60s", "--rate", "300/s", "-o", "record.json")
    with redis.Redis.from_url(url) as client:
        code, errors = interrupted(
            folder,
            (*words, "--distributed", "--redis-url", url),
            lambda: client.dbsize() > 200,
        )
    saved = run_record.load(Path("record.json"))
    assert code == 130, errors
    assert saved.verdict == "incomplete"
    assert saved.counts.enqueued > 0


def test_an_interrupt_while_workers_are_waited_for_is_told_as_one(folder: Path, url: str) -> None:
    words = ("run", "smoke", "--distributed", "--expect-workers", "1", "--redis-url", url)

    def is_waiting() -> bool:
        return any(
            connection.status == psutil.CONN_LISTEN
            for process in psutil.Process().children(recursive=True)
            if "bench.locust.process" in process.cmdline()
            for connection in process.net_connections("inet")
        )

    code, said = interrupted(folder, words, is_waiting)
    assert (code, said.splitlines()[-1]) == (130, "bench: interrupted")


def test_how_many_workers_have_connected_is_shown_while_they_are_waited_for(
    folder: Path, bench: Bench
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    words = ["--worker", "--master-host", "127.0.0.1", "--master-port", port]
    with subprocess.Popen(
        [sys.executable, "-m", "locust", "-f", "-", *words, "--loglevel", "ERROR"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as worker:
        try:
            wait = ("--expect-workers", "2", "--expect-workers-max-wait", "8s")
            outcome = bench(*SHORT, "--distributed", *wait, "--master-bind-port", port)
        finally:
            worker.kill()
    assert outcome.code == 4
    assert "waiting     1 of 2 workers connected\n" in outcome.err
    assert outcome.err.splitlines()[-1].startswith("bench: 1 of 2 workers connected within 8.00 s")
    assert worker.wait(10) is not None
