"""Temporary folders that a command removes at its end, and the next one if it was killed.

They are in one folder of the user's in the temporary directory, which no other user can enter. A
command holds a lock on each of its folders while it lives, which the system releases at its death,
whatever the cause: neither clocks nor process numbers are trusted.
"""

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from bench.errors import UsageError
from bench.processes import git

_NAME = "runqy-bench."
"""Begins as the folders of version 0.1 do not, since that removes those that it does not know."""
NOTE = "processes"
"""Names the processes that work in the folder, one in each line, and the programs that do."""
_MODE = 0o700
_ATTEMPTS = 100
_END_TIMEOUT_S = 1.0
WORKTREE = "worktree"
"""Folder in a temporary folder that is a worktree of a git repository."""


def root() -> Path:
    """The folder of all temporary folders of this user, made if needed.

    Raises UsageError where it cannot be made, or where others may have put something there.
    """
    wanted = os.environ.get("TMPDIR")
    if wanted and not (Path(wanted).is_dir() and os.access(wanted, os.W_OK | os.X_OK)):
        raise UsageError(f"TMPDIR={wanted} is no folder that can be written to: set it to one")
    try:
        path = Path(tempfile.gettempdir()) / f"{_NAME}{os.getuid()}"
        with contextlib.suppress(FileExistsError):
            path.mkdir(_MODE)
        status = path.lstat()
    except OSError as error:
        raise UsageError(
            f"there is no place for temporary files: {error.strerror or error}: set TMPDIR to a "
            "folder that can be written to"
        ) from None
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise UsageError(f"{path} is not this user's folder: remove it, or set TMPDIR to another")
    # Not the group's bit: below a folder that has it, every new folder does.
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(f"{path} is open to other users: remove it, or set TMPDIR to another")
    return path


@contextlib.contextmanager
def held(kind: str, parent: Path | None = None) -> Iterator[Path]:
    """Make a folder that no other user can enter, and remove it at the end.

    Folders of that kind in the same ``parent``, which is ``root()`` by default, are removed first
    if their owners are gone. Raises UsageError for an unusable root, and OSError for a parent.
    """
    if parent is None:
        parent = root()
        remove_abandoned(parent)
    else:
        remove_abandoned(parent, kind)
    path, lock = _made(parent, kind)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def note_process(folder: Path, pid: int) -> None:
    """Note that a process works in the folder: it is ended with it."""
    with (folder / NOTE).open("a") as note:
        note.write(f"{pid}\n")


def note_program(folder: Path, program: str) -> None:
    """Note that this program is about to be started in the folder: if its owner is killed before it
    knows the process, that one is ended with the folder all the same."""
    with (folder / NOTE).open("ab") as note:
        note.write(os.fsencode(os.path.realpath(program)) + b"\n")


def remove_abandoned(parent: Path, kind: str = "") -> list[Path]:
    """Remove the folders of that kind, or of any, whose owners are gone. Returns their paths.

    A process that is noted in one, or whose program is, and that works there is killed; a
    worktree's repository forgets it.
    """
    removed = []
    for path in sorted(parent.glob(f"{kind}-*" if kind else "*-*")):
        lock = _locked(path)
        if lock is None:
            continue
        try:
            _end_processes(path)
            if (path / WORKTREE / ".git").is_file():
                git.remove_worktree(path / WORKTREE)
            shutil.rmtree(path, ignore_errors=True)
            removed.append(path)
        finally:
            os.close(lock)
    return removed


def _made(parent: Path, kind: str) -> tuple[Path, int]:
    """A new folder and the descriptor that holds its lock."""
    for _ in range(_ATTEMPTS):
        path = Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=parent))
        lock = _locked(path)
        # Another command may have taken it for abandoned before it was locked.
        if lock is not None:
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(path.lstat(), os.fstat(lock)):
                    return path, lock
            os.close(lock)
    raise UsageError(f"{parent}: no folder in it can be locked: set TMPDIR to a local folder")


def _locked(path: Path) -> int | None:
    """A descriptor that holds the lock of a folder of this user; None where another process holds
    it, or where it is none."""
    try:
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if os.fstat(lock).st_uid != os.getuid():
            raise PermissionError
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def _end_processes(folder: Path) -> None:
    """Kill the processes that are noted in an abandoned folder, and that do work there."""
    note = folder / NOTE
    if note.is_symlink() or not note.is_file():
        return
    lines = note.read_bytes().splitlines()
    numbers = {int(line) for line in lines if line.isdigit()}
    programs = {os.fsdecode(line) for line in lines if line.startswith(b"/")}
    for process in _processes(numbers, any_other=bool(programs)):
        with contextlib.suppress(OSError, psutil.Error):
            # A process of another user, or one that got the number later, works elsewhere.
            is_noted = process.pid in numbers or process.exe() in programs
            if is_noted and Path(process.cwd()) == folder.resolve():
                process.kill()
                process.wait(_END_TIMEOUT_S)


def _processes(numbers: set[int], *, any_other: bool) -> Iterator[psutil.Process]:
    """The processes with these numbers, and if asked all others."""
    if any_other:
        yield from psutil.process_iter()
        return
    for number in numbers:
        with contextlib.suppress(psutil.Error, ValueError, OverflowError):
            yield psutil.Process(number)
