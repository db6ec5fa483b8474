"""Reads files that a user names, in bounded time and memory whatever they are."""

import errno
import os
import stat
from pathlib import Path


def read_file(path: Path, most_bytes: int) -> bytes:
    """Returns the content of a file, which may be a pipe.

    A pipe into which nobody writes is empty. Raises OSError for a file that cannot be read or holds
    more than ``most_bytes``, as a device without an end does.
    """
    try:
        # Opened like this, a pipe without a writer makes nobody wait.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:  # a path with a NUL
        raise OSError(errno.EINVAL, str(error)) from None
    os.set_blocking(descriptor, True)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        size = found.st_size if stat.S_ISREG(found.st_mode) else 0
        data = b"" if size > most_bytes else file.read(most_bytes + 1)
    if max(size, len(data)) > most_bytes:
        raise OSError(errno.EFBIG, f"larger than {most_bytes >> 20} MiB")
    return data
