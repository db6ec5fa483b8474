"""Writes files whole or not at all, and names them."""

import contextlib
import datetime
import errno
import os
import re
import tempfile
from pathlib import Path

from bench.errors import UsageError

RESULTS = Path("results")
"""Folder of records and pages for which the user names no file."""


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees all of it or the previous one, and never a part.

    Missing folders are made. Raises UsageError when the file cannot be written.
    """
    try:
        make_folder(path.parent)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            umask = os.umask(0)
            os.umask(umask)
            Path(temporary).chmod(0o666 & ~umask)
            Path(temporary).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from None


def require_writable(path: Path) -> None:
    """Raise UsageError when a file cannot be written, before a measurement rather than after it.

    Missing folders are made.
    """
    if path.is_dir():
        raise UsageError(f"cannot write {path}: it is a folder; name a file")
    try:
        make_folder(path.parent)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from None


def make_folder(folder: Path) -> None:
    """Make a folder and its missing parents. Raises OSError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:  # "file exists" would be misleading
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), folder) from None


def stamped_name(name: str) -> str:
    """``YYYYmmdd-HHMMSS-NAME`` for the current second, safe as a file name."""
    moment = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    return f"{moment}-{re.sub(r'[^A-Za-z0-9_.-]+', '-', name)}"
