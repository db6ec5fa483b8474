"""Processes that a fork server forks are like any other child, and start without importing."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import psutil
import pytest

from bench.errors import MeasurementError
from bench.processes import forked, start
from bench.processes.forked import ForkedProcess, ForkServer, _is_alive
from tests.processes.test_start import is_gone, parent
from tests.waiting import await_that

pytestmark = pytest.mark.slow

MODULE = """
import os, signal, sys

LOADED_BY = os.getpid()

def main():
    source, target = map(int, sys.argv[1:])
    os.write(target, f"{LOADED_BY} {os.getpid()} {os.getsid(0)}".encode())
    asked = os.read(source, 100).decode()
    if asked == "fail":
        raise RuntimeError("on purpose")
    return int(asked or 0)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that fork servers find, and that tells of its process."""
    (tmp_path / "told.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "told"


@pytest.fixture
def server(module: str) -> Iterator[ForkServer]:
    with forked.serving([module]) as found:
        assert found is not None
        yield found


@pytest.fixture
def errors() -> Iterator[IO[bytes]]:
    """What forked processes write to standard error."""
    with tempfile.TemporaryFile() as file:
        yield file


class Told:
    """A forked process, with what it has told of itself."""

    def __init__(self, server: ForkServer, errors: IO[bytes]) -> None:
        (source, self.asks), (told, target) = start.pipe(), start.pipe()
        self.process: ForkedProcess = server.fork("told", errors, (source, target))
        os.close(source)
        os.close(target)
        self.loaded_by, self.pid, self.session = map(int, os.read(told, 100).split())
        os.close(told)

    def ask(self, what: str) -> int:
        """Tell it how to end; its exit code."""
        os.write(self.asks, what.encode())
        os.close(self.asks)
        return self.process.wait(20)


def test_a_forked_process_has_a_session_of_its_own_and_imports_nothing(
    server: ForkServer, errors: IO[bytes]
) -> None:
    told = Told(server, errors)
    assert (told.loaded_by, told.pid) == (server.process.pid, told.process.pid)
    assert told.session == told.pid
    assert told.ask("7") == 7


def test_its_end_is_told_by_code_or_signal_and_its_errors_are_kept(
    server: ForkServer, errors: IO[bytes]
) -> None:
    failing, killed, ending = Told(server, errors), Told(server, errors), Told(server, errors)
    os.kill(killed.pid, signal.SIGKILL)
    assert killed.process.wait(20) == -signal.SIGKILL
    assert failing.ask("fail") == 1
    errors.seek(0)
    assert errors.read().decode().splitlines()[-1] == "RuntimeError: on purpose"
    with pytest.raises(subprocess.TimeoutExpired):
        ending.process.wait(0.01)
    ending.process.end()
    assert ending.process.wait() == -signal.SIGKILL
    assert ending.process.is_gone


def test_it_can_be_ended_when_its_server_is_dead(server: ForkServer, errors: IO[bytes]) -> None:
    told = Told(server, errors)
    os.kill(server.process.pid, signal.SIGKILL)
    told.process.end()
    assert told.process.wait() == -signal.SIGKILL
    with pytest.raises(MeasurementError, match="told could not be started"):
        Told(server, errors)


def test_a_process_that_is_ended_as_soon_as_it_is_forked_ends(
    server: ForkServer, errors: IO[bytes]
) -> None:
    """However early it comes, the signal to its group is not lost, and waiting for it is bounded.

    200 times, as a process that does not yet lead its group when it is signalled is rare.
    """
    for _ in range(200):
        (source, asks), (told, target) = start.pipe(), start.pipe()
        process = server.fork("told", errors, (source, target))
        process.signal_group(signal.SIGKILL)
        assert process.wait(20) == -signal.SIGKILL
        assert process.is_gone
        for each in (source, asks, told, target):
            os.close(each)


def test_an_orphan_for_which_nobody_waits_has_ended() -> None:
    ended = os.fork()
    if not ended:
        os._exit(0)
    try:
        await_that(lambda: not _is_alive(ended))
        assert psutil.Process(ended).status() == psutil.STATUS_ZOMBIE
        assert _is_alive(os.getpid())
    finally:
        os.waitpid(ended, 0)
    assert not _is_alive(ended)


def test_a_server_that_cannot_import_says_why(errors: IO[bytes]) -> None:
    with forked.serving(["no_such_module"]) as server:
        assert server is not None
        with pytest.raises(MeasurementError, match="No module named 'no_such_module'"):
            server.fork("no_such_module", errors, ())


def test_neither_server_nor_processes_outlive_a_parent_that_is_killed(module: str) -> None:
    body = f"""
    import tempfile
    from bench.processes.forked import ForkServer
    server = ForkServer.start([{module!r}])
    (source, asks), (told, target) = start.pipe(), start.pipe()
    process = server.fork({module!r}, tempfile.TemporaryFile(), (source, target))
    os.read(told, 100)
    """
    with parent(body) as (process, child):
        server = child.parent()
        assert server is not None
        assert server.pid != process.pid
        process.kill()
        await_that(lambda: is_gone(child) and is_gone(server))


def test_a_server_that_nobody_used_ends_with_its_parent() -> None:
    script = """
        from bench.processes import forked
        forked.prepare(["json"])
        print(forked._spare.server.process.pid)
    """
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(map(str.strip, script.splitlines()))],
        capture_output=True,
        check=True,
    )
    assert not psutil.pid_exists(int(done.stdout))
