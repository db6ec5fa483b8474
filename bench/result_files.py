"""Names and reserves the files and folders of results for which the user names none."""

import contextlib
import datetime
import fcntl
import itertools
import os
import re
import stat
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path

from bench import settings
from bench.errors import UsageError
from bench.files import make_folder, refusal
from bench.names import variable

RESULTS = Path("results")
"""Folder of records for which the user names no file, within a project."""
FOLDER_VARIABLE = "BENCH_RESULTS"
_OF_USER = Path("runqy-bench", "results")
_named: ContextVar[Path | None] = ContextVar("named", default=None)
_LONGEST_NAME = 100
"""Letters of a default name that are the user's: the whole must fit into any file system."""
_STAMP = "[0-9]" * 8 + "-" + "[0-9]" * 6
_reserved: dict[Path, int] = {}
"""Files and folders that this process made for results, and that may still be empty. Each has a
descriptor that holds its lock: one of a process that was killed is known by its free lock."""


def _stamped_name(name: str) -> str:
    """``YYYYmmdd-HHMMSS-NAME`` for the current second, safe as a file name."""
    moment = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    return f"{moment}-{re.sub(r'[^A-Za-z0-9_.-]+', '-', name)[:_LONGEST_NAME]}"


def use(named: Path | None) -> None:
    """Store the folder that the user names for the results of this command, or None."""
    _named.set(named)


def folder() -> Path:
    """Returns the folder of results: the one that ``use`` was given, or ``BENCH_RESULTS`` names.

    Without either it is ``results`` in the working folder where there is such a folder, or where
    the working folder belongs to a project of the user's. Anywhere else nothing is left in a folder
    that may be somebody else's: the results go to the user's own data, under ``XDG_DATA_HOME`` or
    ``~/.local/share``. Raises UsageError for a variable that is set and empty.
    """
    named = _named.get() or variable(FOLDER_VARIABLE, os.environ)
    if named is not None:
        return Path(named)
    try:
        if RESULTS.is_dir() or settings.is_project(Path.cwd()):
            return RESULTS
        return _data_folder() / _OF_USER
    except (OSError, RuntimeError):  # there is no working folder, or no home
        return RESULTS


def _data_folder() -> Path:
    """Where programs keep data of the user's. Raises RuntimeError where nobody's home is known."""
    named = os.environ.get("XDG_DATA_HOME", "")
    return Path(named) if named.startswith("/") else Path.home() / ".local" / "share"


def new_file(name: str) -> Path:
    """Make an empty record ``YYYYmmdd-HHMMSS-NAME.json`` in the folder of results that no other
    process has.

    Raises UsageError. ``release`` removes it where nothing was saved.
    """
    return _reserve(name, ".json", lambda path: path.touch(exist_ok=False))


def new_folder(name: str) -> Path:
    """Make an empty folder ``YYYYmmdd-HHMMSS-NAME`` in that of results that no other process has.

    Raises UsageError. ``release`` removes it where nothing was saved.
    """
    return _reserve(name, "", lambda path: path.mkdir())


def release() -> None:
    """Remove the results that this process reserved and never filled."""
    while _reserved:
        path, lock = _reserved.popitem()
        _remove_empty(path)
        os.close(lock)


def _reserve(name: str, suffix: str, make: Callable[[Path], object]) -> Path:
    stamped, results = _stamped_name(name), folder()
    for number in itertools.count(1):
        ending = "" if number == 1 else f".{number}"
        path = results / f"{stamped}{ending}{suffix}"
        try:
            make_folder(results)
            _remove_abandoned(results)
            make(path)
            lock = _held(path)
        except FileExistsError:
            continue
        except OSError as error:
            raise UsageError(refusal(path, error)) from None
        if lock is not None:
            _reserved[path.absolute()] = lock
            return path
    raise AssertionError  # a count never ends


def _remove_abandoned(results: Path) -> None:
    """Remove what processes reserved that were killed before they could fill it."""
    for path in results.glob(f"{_STAMP}-*"):
        with contextlib.suppress(OSError):
            status = path.lstat()
            is_empty = stat.S_ISREG(status.st_mode) and status.st_size == 0
            if (is_empty or stat.S_ISDIR(status.st_mode)) and (lock := _locked(path)) is not None:
                _remove_empty(path)
                os.close(lock)


def _remove_empty(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_dir():
            path.rmdir()  # refuses a folder that holds anything
        elif path.stat().st_size == 0:
            path.unlink()


def _held(path: Path) -> int | None:
    """As ``_locked``; without a lock on a file system that has none."""
    try:
        return _locked(path)
    except OSError:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _locked(path: Path) -> int | None:
    """A descriptor that holds the lock of a file or folder; None where another process holds it, or
    has removed it. Raises OSError, also where there are no locks."""
    try:
        lock = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(path.lstat(), os.fstat(lock)):
            return lock
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError:
        os.close(lock)
        raise
    os.close(lock)
    return None
