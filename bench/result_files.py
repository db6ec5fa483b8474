"""Names and reserves the files and folders of results for which the user names none."""

import contextlib
import datetime
import fcntl
import itertools
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

from bench.errors import UsageError
from bench.files import make_folder, refusal

RESULTS = Path("results")
"""Folder of records and pages for which the user names no file."""
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


def new_file(name: str) -> Path:
    """Make an empty record ``results/YYYYmmdd-HHMMSS-NAME.json`` that no other process has.

    Raises UsageError. ``release`` removes it where nothing was saved.
    """
    return _reserve(name, ".json", lambda path: path.touch(exist_ok=False))


def new_folder(name: str) -> Path:
    """Make an empty folder ``results/YYYYmmdd-HHMMSS-NAME`` that no other process has.

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
    stamped = _stamped_name(name)
    for number in itertools.count(1):
        ending = "" if number == 1 else f".{number}"
        path = RESULTS / f"{stamped}{ending}{suffix}"
        try:
            make_folder(RESULTS)
            _remove_abandoned()
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


def _remove_abandoned() -> None:
    """Remove what processes reserved that were killed before they could fill it."""
    for path in RESULTS.glob(f"{_STAMP}-*"):
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
