"""Ctrl-C and SIGTERM on a whole process: the record so far is saved, and nothing stays behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import redis

from bench.records import run_record
from bench.records.run_record import RunRecord
from tests.talk import as_user

pytestmark = pytest.mark.slow

TIMEOUT_S = 30.0
PASSWORD = "open-sesame"  # noqa: S105 - of a server that lives as long as this module


def run_until_signal(
    number: signal.Signals, **environment: str
) -> tuple[int, str, RunRecord, list[list[str]]]:
    """Start a long run and signal it once it enqueues.

    Returns its exit code, what it printed, its record, and the names and command lines of the
    processes that it had started, none of which is left.
    """
    words = ["run", "smoke", "--rate", "200/s", "--duration", "10m", "-o", "record.json"]
    with subprocess.Popen(
        [sys.executable, "-m", "bench", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            assert "enqueueing" in process.stderr.readline()
            children = psutil.Process(process.pid).children(recursive=True)
            command_lines = [[child.name(), *child.cmdline()] for child in children]
            command_lines = [each for each in command_lines if "guardian.py" not in str(each)]
            # A terminal's Ctrl-C goes to all processes in the foreground.
            os.killpg(process.pid, number)
            printed = process.stdout.read()
            code = process.wait(TIMEOUT_S)
        finally:
            process.kill()
    assert psutil.wait_procs(children, TIMEOUT_S)[1] == []
    return code, printed, run_record.load(Path("record.json")), command_lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_was_measured_is_saved_and_shown_and_no_process_is_left(
    number: signal.Signals,
) -> None:
    code, printed, saved, command_lines = run_until_signal(number)
    assert code == 130
    assert printed.startswith("INCOMPLETE")
    assert "the run was interrupted before its end" in printed
    assert saved.verdict == "incomplete"
    assert saved.counts.due == saved.counts.enqueued + saved.counts.unknown + saved.counts.not_sent
    programs = ["valkey-server", "bench.producer", "bench.worker"]
    for program in programs:
        assert any(program == name for name, *_ in command_lines)


def test_an_interrupted_run_leaves_a_shared_server_as_it_was_and_shows_no_password_to_others(
    url: str,
) -> None:
    with redis.Redis.from_url(url) as client:
        client.config_set("requirepass", PASSWORD)
        before = client.dbsize()
        secret_url = as_user(url, "", PASSWORD)
        code, _, saved, command_lines = run_until_signal(signal.SIGINT, BENCH_REDIS_URL=secret_url)
        assert (code, saved.verdict) == (130, "incomplete")
        assert client.dbsize() == before
    assert len(command_lines) == 4  # producer, worker, watcher, and what forks them
    assert PASSWORD not in str(command_lines)


def test_an_interrupt_while_the_processes_start_is_no_death_of_theirs() -> None:
    words = ["run", "smoke", "--duration", "10m", "-o", "record.json"]
    with subprocess.Popen(
        [sys.executable, "-m", "bench", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        run = psutil.Process(process.pid)
        while not any(child.name() == "bench.worker" for child in run.children(recursive=True)):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode == 130
    messages = [each.message for each in run_record.load(Path("record.json")).warnings]
    assert not any("died" in each or "no final report" in each for each in messages)


ENDED_IN_THE_FIRST_STEPS = """
import os, sys
from bench import startup

class Interrupting:
    def find_spec(self, name, *_):
        if name == "bench.cli.app":
            os.kill(os.getpid(), int(sys.argv[1]))

sys.meta_path.insert(0, Interrupting())
sys.exit(startup.main())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_first_steps_ends_a_command_like_any_later_one(
    number: signal.Signals,
) -> None:
    """While modules are still imported, which takes seconds on a busy machine."""
    done = subprocess.run(
        [sys.executable, "-c", ENDED_IN_THE_FIRST_STEPS, str(int(number))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "bench: interrupted\n")


@pytest.mark.parametrize("words", [("run", "smoke"), ("clients", "--only", "python-seed")])
def test_an_interrupt_that_kills_a_starting_server_is_an_interrupt_and_no_missing_server(
    words: tuple[str, ...],
) -> None:
    """A new process belongs to the terminal's group for a moment, and Ctrl-C ends it then."""
    server = Path("server")
    server.write_text("#!/bin/sh\nkill -INT $PPID\nexit 1\n")
    server.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "bench", *words, "--server-binary", str(server.absolute())],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (130, "")
    message = f"bench: interrupted; {server.absolute()} did not start (no output): "
    assert done.stderr.splitlines()[-1] == f"{message}check --server-binary"
