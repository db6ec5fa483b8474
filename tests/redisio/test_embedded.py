"""The embedded server: private, without persistence, and gone with its owner."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from bench.errors import ServerUnreachable, UsageError
from bench.redisio import embedded

TIMEOUT_S = 20.0
HOUR_S = 3600.0
FOLDER_PREFIX = "runqy-bench-"
OWNER = """
import json, sys
from bench.redisio import embedded
with embedded.running() as running:
    print(json.dumps([running.url, running.pid, str(running.folder)]), flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where servers' folders are made and leftovers looked for: a folder of this test's own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    yield tmp_path
    for process in psutil.process_iter(["cwd"]):  # a test that failed may have left its server
        if str(process.info["cwd"]).startswith(f"{tmp_path}/{FOLDER_PREFIX}"):
            process.kill()


@pytest.fixture
def bystander() -> Iterator[psutil.Process]:
    """A living process that has nothing to do with us."""
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        yield psutil.Process(process.pid)
        process.kill()


@pytest.fixture
def dead() -> dict[str, float]:
    """Number and start of a process that was there, and is no more."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        started = psutil.Process(process.pid).create_time()
    return {"pid": process.pid, "started": started}


def ask(url: str, *command: str) -> object:
    with redis.Redis.from_url(url, decode_responses=True, protocol=2) as client:
        return client.execute_command(*command)


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def await_end(pid: int) -> None:
    """Return once the process has ended, whether or not its parent has taken note of it."""
    give_up = time.monotonic() + TIMEOUT_S
    while is_running(pid):
        assert time.monotonic() < give_up, f"process {pid} is still there"


def leave_folder(temporary: Path, note: dict[str, float] | None = None, age_s: float = 0) -> Path:
    folder = temporary / f"{FOLDER_PREFIX}left"
    folder.mkdir()
    if note is not None:
        (folder / "owner.json").write_text(json.dumps(note))
    moment = time.time() - age_s
    os.utime(folder, (moment, moment))
    return folder


def test_it_listens_on_loopback_alone() -> None:
    with embedded.running() as running:
        listening = {
            tuple(connection.laddr)
            for connection in psutil.Process(running.pid).net_connections()
            if connection.status == psutil.CONN_LISTEN
        }
        assert listening == {("127.0.0.1", running.port)}
        assert running.url == f"redis://127.0.0.1:{running.port}/0"


def test_it_has_a_folder_of_its_own_and_writes_no_data_there(temporary: Path) -> None:
    with embedded.running() as running:
        assert ask(running.url, "CONFIG", "GET", "save") == ["save", ""]
        assert ask(running.url, "CONFIG", "GET", "appendonly") == ["appendonly", "no"]
        assert ask(running.url, "CONFIG", "GET", "dir") == ["dir", str(running.folder)]
        assert running.folder.parent == temporary


def test_it_starts_empty() -> None:
    with embedded.running() as running:
        assert ask(running.url, "DBSIZE") == 0


def test_process_and_folder_are_gone_afterwards(temporary: Path) -> None:
    with embedded.running() as running:
        assert is_running(running.pid)
    assert not psutil.pid_exists(running.pid)
    assert list(temporary.iterdir()) == []


def test_process_and_folder_are_gone_after_an_error_too(temporary: Path) -> None:
    with pytest.raises(KeyboardInterrupt), embedded.running() as running:
        raise KeyboardInterrupt
    assert not psutil.pid_exists(running.pid)
    assert list(temporary.iterdir()) == []


def test_a_server_that_died_under_us_is_no_error_on_the_way_out(temporary: Path) -> None:
    with embedded.running() as running:
        psutil.Process(running.pid).kill()
        await_end(running.pid)
    assert list(temporary.iterdir()) == []


def test_two_servers_do_not_meet() -> None:
    with embedded.running() as one, embedded.running() as other:
        assert one.port != other.port
        ask(one.url, "SET", "key", "value")
        assert ask(other.url, "DBSIZE") == 0


def test_redis_is_started_the_same_way() -> None:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("there is no redis-server on the PATH")
    with embedded.running("redis-server") as running:
        assert running.binary == program
        assert ask(running.url, "CONFIG", "GET", "save") == ["save", ""]
        assert ask(running.url, "CONFIG", "GET", "dir") == ["dir", str(running.folder)]
    assert not psutil.pid_exists(running.pid)


def test_an_unknown_program_is_refused_by_name(temporary: Path) -> None:
    with pytest.raises(UsageError, match="--server-binary no-such-server: no such program"):
        embedded.running("no-such-server").__enter__()
    assert list(temporary.iterdir()) == []


def test_a_program_that_ends_at_once_is_told_with_its_last_words(temporary: Path) -> None:
    program = temporary / "broken-server"
    program.write_text("#!/bin/sh\necho first\necho it is broken\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(
        ServerUnreachable, match=rf"{program} did not start \(it is broken\): check --server-binary"
    ):
        embedded.running(str(program)).__enter__()
    assert list(temporary.iterdir()) == [program]


@pytest.mark.parametrize("finder", ["the next server", "a look alone"])
def test_what_a_killed_owner_left_is_removed(temporary: Path, finder: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout is not None
        url, pid, folder = json.loads(owner.stdout.readline())
        owner.kill()
    assert ask(url, "PING") is True
    if finder == "the next server":
        with embedded.running() as running:
            await_end(pid)
            assert list(temporary.iterdir()) == [running.folder]
    else:
        assert embedded.remove_abandoned() == [Path(folder)]
        await_end(pid)
    assert list(temporary.iterdir()) == []


def test_a_living_owners_server_is_left_alone() -> None:
    with embedded.running() as running:
        assert embedded.remove_abandoned() == []
        assert running.folder.exists()
        assert ask(running.url, "PING") is True


def test_the_next_process_with_a_dead_owners_number_is_not_the_owner(
    temporary: Path, bystander: psutil.Process, dead: dict[str, float]
) -> None:
    note = {
        "owner_pid": bystander.pid,
        "owner_started": bystander.create_time() - HOUR_S,
        "server_pid": dead["pid"],
        "server_started": dead["started"],
    }
    folder = leave_folder(temporary, note)
    assert embedded.remove_abandoned() == [folder]


def test_the_next_process_with_a_dead_servers_number_is_not_killed(
    temporary: Path, bystander: psutil.Process, dead: dict[str, float]
) -> None:
    note = {
        "owner_pid": dead["pid"],
        "owner_started": dead["started"],
        "server_pid": bystander.pid,
        "server_started": bystander.create_time() - HOUR_S,
    }
    folder = leave_folder(temporary, note)
    assert embedded.remove_abandoned() == [folder]
    assert not folder.exists()
    assert is_running(bystander.pid)


def test_a_folder_whose_note_is_about_to_be_written_is_left_alone(temporary: Path) -> None:
    folder = leave_folder(temporary)
    assert embedded.remove_abandoned() == []
    assert folder.exists()


def test_a_folder_that_has_long_been_without_a_note_is_removed(temporary: Path) -> None:
    folder = leave_folder(temporary, age_s=HOUR_S)
    assert embedded.remove_abandoned() == [folder]
    assert not folder.exists()


def test_folders_of_others_are_left_alone(temporary: Path) -> None:
    folder = temporary / "somebody-elses"
    folder.mkdir()
    os.utime(folder, (0, 0))
    assert embedded.remove_abandoned() == []
    assert folder.exists()


def test_an_owner_that_is_dead_but_not_yet_waited_for_is_dead(temporary: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout is not None
        _, pid, folder = json.loads(owner.stdout.readline())
        owner.kill()
        await_end(owner.pid)
        assert embedded.remove_abandoned() == [Path(folder)]
        await_end(pid)


def test_a_note_of_another_version_does_not_stop_us(temporary: Path) -> None:
    folder = leave_folder(temporary, {"pid": 1.0}, age_s=HOUR_S)
    assert embedded.remove_abandoned() == [folder]
