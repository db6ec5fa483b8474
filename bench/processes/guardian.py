"""Ends the processes whose parent has died, however it died. Run as a script, by its path.

Its input names process groups, one in each line: ``+GROUP`` for one that has been started, and
``-GROUP`` for one that is gone. When the input ends, the parent has ended: the groups that are left
get SIGTERM, and after a while SIGKILL. Until that is done, the script holds a lock on each file
that a line ``hold PATH`` names and no later line ``free PATH``, with the path in hexadecimal:
whoever gets that lock knows that nobody writes any more. The script's arguments are a command that
removes what the parent left, and that takes its place; after the line ``done`` the parent has left
nothing.

It imports the standard library alone and runs without site-packages, so that it starts at once.
"""

import contextlib
import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

GRACE_S = 10.0
"""How long a process may take to end after SIGTERM."""
_POLL_S = 0.02
_PROCESSES = Path("/proc")
_DEAD = ("Z", "X")


@dataclass(frozen=True)
class ProcessEntry:
    """A living process: its number, its parent's, and its process group's."""

    pid: int
    parent: int
    group: int


def main() -> None:
    """Read until the parent has ended, then end what it has left."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    held: dict[bytes, int] = {}
    is_done = False
    for line in sys.stdin.buffer:
        if line.startswith(b"+"):
            groups.add(int(line[1:]))
        elif line.startswith(b"-"):
            groups.discard(int(line[1:]))
        elif line.startswith((b"hold ", b"free ")):
            _hold_or_free(held, line)
        is_done = line == b"done\n"
    end(groups)
    if not is_done and len(sys.argv) > 1:
        os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 - without a shell, as our parent said


def _hold_or_free(held: dict[bytes, int], line: bytes) -> None:
    """Lock a file or free it again: ``held`` has the descriptors by their paths."""
    path = bytes.fromhex(line[5:].decode())
    with contextlib.suppress(OSError):
        if line.startswith(b"hold"):
            held[path] = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            # Not flock, which the parent uses: on Linux the two do not exclude one another.
            fcntl.lockf(held[path], fcntl.LOCK_EX | fcntl.LOCK_NB)
        elif path in held:
            os.close(held.pop(path))


def end(groups: Iterable[int]) -> None:
    """End these process groups, and what their members have started, whatever its group."""
    left = {group for group in groups if _signal_group(group, 0)}
    if not left:  # as after every command that ends in order: the parent waits for this
        return
    family = _family(left)
    for number in (signal.SIGTERM, signal.SIGCONT):  # one that is stopped would not notice its end
        _signal(left, family, number)
    deadline_s = time.monotonic() + GRACE_S
    while _are_alive(left, family) and time.monotonic() < deadline_s:
        family |= _family(left)
        time.sleep(_POLL_S)
    _signal(left, family & set(_processes()), signal.SIGKILL)


def _signal(groups: AbstractSet[int], processes: Iterable[ProcessEntry], number: int) -> None:
    for group in groups:
        _signal_group(group, number)
    for process in processes:
        if process.group not in groups:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process.pid, number)


def _signal_group(group: int, number: int) -> bool:
    """Signal a group, or with 0 only look for it; return whether it exists."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _are_alive(groups: set[int], family: set[ProcessEntry]) -> bool:
    """Whether one of the groups has a living member, or one of the family lives."""
    if not _PROCESSES.is_dir():
        return any(_signal_group(group, 0) for group in groups)
    alive = set(_processes())
    return bool(family & alive) or any(process.group in groups for process in alive)


def _family(groups: set[int]) -> set[ProcessEntry]:
    """The members of the groups and their descendants, as far as they live."""
    alive = list(_processes())
    found = {process for process in alive if process.group in groups}
    while True:
        parents = {process.pid for process in found}
        more = {process for process in alive if process.parent in parents} - found
        if not more:
            return found
        found |= more


def _processes() -> Iterable[ProcessEntry]:
    """All living processes; nothing on a system that does not list them as files."""
    for folder in _PROCESSES.glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            text = (folder / "stat").read_text(errors="replace")
            state, parent, group = text.rpartition(")")[2].split()[:3]
            if state not in _DEAD:
                yield ProcessEntry(int(folder.name), int(parent), int(group))


if __name__ == "__main__":
    main()
