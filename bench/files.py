"""Files that are there whole or not at all, whatever happens while they are written."""

import contextlib
import datetime
import errno
import os
import re
import tempfile
from pathlib import Path

from bench.errors import UsageError

RESULTS = Path("results")
"""Where things go when nobody says."""


def write_whole(path: Path, data: bytes) -> None:
    """Write to a temporary file beside ``path``, sync it, and rename it.

    A reader never sees half of it. Raises UsageError when the folder cannot be written.
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
    """Find out before a measurement, rather than after it, that its file could not be written.

    Raises UsageError.
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
    """Make a folder and those above it, where they are not there. Raises OSError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:  # mkdir's own words would suggest the contrary
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), folder) from None


def stamped_name(name: str) -> str:
    """The name behind this second's date and time, with nothing in it that a path would mind."""
    moment = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    return f"{moment}-{re.sub(r'[^A-Za-z0-9_.-]+', '-', name)}"
