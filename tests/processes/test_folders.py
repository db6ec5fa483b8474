"""Temporary folders: private, held while their owner lives, and removed after it."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from bench.errors import UsageError
from bench.processes import folders, start

OWNER = """
import sys, subprocess
from bench.processes import folders
with folders.held("test") as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""
HOUR_S = 3600


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary directory: one of the test's own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@contextmanager
def owner() -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Another process that holds a folder, and the folder."""
    command = [sys.executable, "-c", OWNER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().decode().strip())
        process.kill()


@contextmanager
def process_in(folder: Path) -> Iterator[psutil.Process]:
    """A living process whose working folder that is."""
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, cwd=folder) as process:
        yield psutil.Process(process.pid)
        process.kill()


def abandoned() -> Path:
    """A folder whose owner was killed."""
    with owner() as (process, folder):
        process.kill()
        process.wait()
    return folder


def test_a_folder_is_the_user_s_own_and_gone_afterwards(temporary: Path) -> None:
    with folders.held("test") as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert folder.parent == folders.root()
        assert folder.parent.parent == temporary
        assert folder.parent.stat().st_mode & 0o777 == 0o700
        (folder / "file").write_text("text")
    assert list(folders.root().iterdir()) == []


def test_the_folder_of_a_killed_owner_is_removed_by_the_next_command() -> None:
    left = abandoned()
    assert left.is_dir()
    with folders.held("test") as folder:
        assert list(folders.root().iterdir()) == [folder]


@pytest.mark.parametrize("moved_s", [-10 * HOUR_S, 10 * HOUR_S])
def test_the_folder_of_a_living_owner_is_kept_whatever_its_times(moved_s: int) -> None:
    """A clock that was set anew, and a run that waits for hours, change nothing."""
    with owner() as (_, folder):
        moment = time.time() + moved_s
        os.utime(folder, (moment, moment))
        assert folders.remove_abandoned(folders.root()) == []
        assert folder.is_dir()


def test_the_folder_of_a_stopped_owner_is_kept() -> None:
    with owner() as (process, folder):
        process.send_signal(signal.SIGSTOP)
        assert folders.remove_abandoned(folders.root()) == []
        assert folder.is_dir()


def test_a_process_that_worked_in_an_abandoned_folder_is_ended() -> None:
    left = abandoned()
    with process_in(left) as process:
        folders.note_process(left, process.pid)
        assert folders.remove_abandoned(folders.root()) == [left]
        assert not process.is_running()


@pytest.mark.parametrize(("program", "is_ended"), [(sys.executable, True), ("/bin/sh", False)])
def test_a_program_is_ended_whose_owner_was_killed_before_it_knew_the_process(
    program: str, is_ended: bool
) -> None:
    left = abandoned()
    folders.note_program(left, program)
    with process_in(left) as process:
        assert folders.remove_abandoned(folders.root()) == [left]
        assert process.is_running() is not is_ended


@pytest.mark.parametrize("is_noted", [True, False])
def test_a_process_that_only_has_the_number_or_only_the_folder_is_left_alone(
    temporary: Path, is_noted: bool
) -> None:
    left = abandoned()
    with process_in(temporary if is_noted else left) as process:
        if is_noted:
            folders.note_process(left, process.pid)
        assert folders.remove_abandoned(folders.root()) == [left]
        assert process.status() != psutil.STATUS_ZOMBIE


def put_link(path: Path, outside: Path) -> None:
    path.symlink_to(outside)


def put_fifo(path: Path, _: Path) -> None:
    os.mkfifo(path)


def put_file(path: Path, _: Path) -> None:
    path.write_text("text")


@pytest.mark.parametrize("put", [put_link, put_fifo, put_file])
def test_only_folders_are_removed_and_no_link_is_followed(
    tmp_path_factory: pytest.TempPathFactory, put: Callable[[Path, Path], None]
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "precious").write_text("text")
    put(folders.root() / "server-x", outside)
    assert folders.remove_abandoned(folders.root()) == []
    assert (outside / "precious").exists()


@pytest.mark.parametrize("put", [put_link, put_fifo])
def test_a_note_that_is_no_file_is_not_read(
    temporary: Path, put: Callable[[Path, Path], None]
) -> None:
    left = abandoned()
    with process_in(left) as process:
        (temporary / "note").write_text(f"{process.pid}\n")
        put(left / "processes", temporary / "note")
        assert folders.remove_abandoned(folders.root()) == [left]
        assert process.status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("text", ["", "half", "-1\n", "1\n", "99999999999999999999\n", "\0\xff"])
def test_a_note_without_sense_is_passed_over(text: str) -> None:
    left = abandoned()
    (left / "processes").write_text(text)
    assert folders.remove_abandoned(folders.root()) == [left]


def squat_by_link(root: Path) -> None:
    elsewhere = root.with_name("elsewhere")
    elsewhere.mkdir(0o700)
    root.symlink_to(elsewhere)


def squat_by_file(root: Path) -> None:
    root.write_text("text")


def squat_by_open_folder(root: Path) -> None:
    root.mkdir()
    root.chmod(0o777)


@pytest.mark.parametrize("squat", [squat_by_link, squat_by_file, squat_by_open_folder])
def test_what_others_may_have_put_in_the_place_of_the_folder_is_refused(
    temporary: Path, squat: Callable[[Path], None]
) -> None:
    squat(temporary / f"runqy-bench.{os.getuid()}")
    with pytest.raises(UsageError, match="remove it, or set TMPDIR to another"):
        folders.root()


def test_a_temporary_directory_may_pass_its_group_on(temporary: Path) -> None:
    """As one with the set-group-id bit does to all folders that are made in it."""
    temporary.chmod(0o2700)
    root = folders.root()
    root.chmod(0o2700)  # as made there, whatever the group of this test's user
    assert folders.root() == root
    with folders.held("test") as folder:
        assert folder.parent == root


@pytest.mark.parametrize("value", ["/no/such/folder", "/etc/hostname"])
def test_a_temporary_directory_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("TMPDIR", value)
    with pytest.raises(UsageError, match=f"^TMPDIR={value} is no folder that can be written to"):
        folders.root()


def test_a_temporary_directory_whose_name_is_too_long_is_one_line(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TMPDIR")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / ("n" * 300)))
    with pytest.raises(UsageError, match="no place for temporary files: File name too long"):
        folders.root()


def test_only_folders_of_the_same_kind_are_looked_for_elsewhere(temporary: Path) -> None:
    """A cache also holds what is to stay."""
    cache = temporary / "cache"
    for name in (".go-left", "go-0123456789abcdef"):
        (cache / name).mkdir(parents=True)
    with folders.held(".go", cache) as folder:
        assert sorted(path.name for path in cache.iterdir()) == sorted(
            [folder.name, "go-0123456789abcdef"]
        )


def test_what_is_left_is_removed_as_soon_as_its_owner_is_killed() -> None:
    """By the guardian of the owner, even if no other command follows."""
    script = OWNER.replace("print(folder", "start.run(['true'], 10)\n    print(folder")
    command = [sys.executable, "-c", f"from bench.processes import start{script}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().decode().strip())
        process.kill()
    deadline_s = time.monotonic() + 20
    while folder.exists():
        assert time.monotonic() < deadline_s, start.__name__
