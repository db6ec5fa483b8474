"""Paths that lead to an open descriptor: ``/dev/stdout``, ``/dev/fd/63``, ``/proc/self/fd/1``.

Whoever opened the descriptor has said how it is written to: with ``-o /dev/stdout >> all.txt``,
behind what the file holds. What is written there goes through the descriptor. The file behind it is
not replaced: what the descriptor's other users write would be lost.
"""

import errno
import fcntl
import os
import re
from pathlib import Path

STANDARD_OUTPUT = 1
_MOST_LINKS = 40
_PLACE = re.compile(
    r"/proc/(?P<process>[0-9]+)(?:/task/[0-9]+)?/fd/(?P<linux>[0-9]+)|/dev/fd/(?P<bsd>[0-9]+)"
)


def is_descriptor(path: Path) -> bool:
    """Whether a path leads to a descriptor, of this process or of another, that may be closed."""
    return _found(path) is not None


def opened(path: Path) -> int | None:
    """Returns a new descriptor that writes where the one behind the path does; None where there is
    none.

    Raises OSError where that one is closed or not open for writing.
    """
    found = _found(path)
    if found is None:
        return None
    if found["process"] not in (None, str(os.getpid())):
        return os.open(found[0], os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY)
    number = int(found["linux"] or found["bsd"])
    try:
        access = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE
    except OverflowError:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF)) from None
    if access == os.O_RDONLY:
        raise OSError(errno.EBADF, "it is not open for writing")
    return os.dup(number)


def _found(path: Path) -> re.Match[str] | None:
    """The descriptor that a path names, itself or by links."""
    name = str(path)
    for _ in range(_MOST_LINKS):
        folder = os.path.realpath(os.path.dirname(name) or os.curdir)  # noqa: PTH120
        name = os.path.join(folder, os.path.basename(name))  # noqa: PTH118, PTH119
        found = _PLACE.fullmatch(name)
        if found is not None:
            return found
        try:
            name = os.path.join(folder, os.readlink(name))  # noqa: PTH115, PTH118
        except (OSError, ValueError):
            return None
    return None
