"""Processes that are forked from one that has already imported what they need.

The processes of a run need the same libraries, and importing these takes longer than anything else
in their start. One process, the fork server, imports them while the run is being prepared. What it
forks is guarded like every other child (``bench.processes.start``).
"""

import atexit
import contextlib
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from bench.errors import MeasurementError
from bench.processes import start
from bench.processes.start import GroupLeader, GuardedProcess

_SERVER = "bench.processes.fork_server"
_MOST_BYTES = 4096
_ANSWER_TIMEOUT_S = 30.0
_POLL_S = 0.01
_PROCESSES = Path("/proc")
_ENDED = ("Z", "X")
"""States of a process that has ended and that its parent has not waited for."""


class ForkedProcess(GroupLeader):
    """A process that a fork server has forked."""

    def __init__(self, server: "ForkServer", pid: int) -> None:
        self.pid = pid
        self._server = server
        start.guard(pid)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; its exit code, or the server's where that has ended before.

        Raises ``subprocess.TimeoutExpired``.
        """
        code = self._server.await_end(self.pid, timeout)
        self._noted(code)
        return code


@dataclass
class ForkServer:
    """A fork server, and which of its processes have ended so far."""

    process: GuardedProcess
    channel: socket.socket
    errors: IO[bytes]
    modules: tuple[str, ...]
    _unread: bytes = b""
    _answers: list[list[str]] = field(default_factory=list)
    _codes: dict[int, int] = field(default_factory=dict)
    """Exit codes by process."""

    @classmethod
    def start(cls, modules: Sequence[str]) -> "ForkServer":
        """Start a server that imports these modules. Raises OSError where there can be none."""
        ours, theirs = start.socket_pair()
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the server
        try:
            process = start.start(
                start.python(_SERVER, str(theirs), *modules),
                stderr=errors,
                environment=start.python_environment(),
                descriptors=(theirs,),
            )
        except BaseException:
            os.close(ours)
            errors.close()
            raise
        finally:
            os.close(theirs)
        return cls(process, socket.socket(fileno=ours), errors, tuple(modules))

    def fork(self, module: str, errors: IO[bytes], descriptors: Sequence[int]) -> ForkedProcess:
        """Fork a process that runs a module's ``main``, with the descriptors as its arguments.

        Raises OSError where it cannot be forked, and MeasurementError where the server has ended.
        """
        given = [errors.fileno(), *descriptors]
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # its output says why
            socket.send_fds(self.channel, [f"{module}\n".encode()], given)
        deadline_s = time.monotonic() + _ANSWER_TIMEOUT_S
        while not self._answers:
            if not self._read(deadline_s - time.monotonic()):
                raise MeasurementError(f"{module} could not be started{self._last_error()}")
        kind, number = self._answers.pop()
        if kind == "refused":
            raise OSError(int(number), os.strerror(int(number)))
        return ForkedProcess(self, int(number))

    def await_end(self, pid: int, timeout_s: float | None) -> int:
        """Wait for the end of a process. Raises ``subprocess.TimeoutExpired``."""
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        while pid not in self._codes:
            left_s = None if deadline_s is None else max(deadline_s - time.monotonic(), 0.0)
            if self._read(left_s):
                continue
            if deadline_s is not None and time.monotonic() >= deadline_s:
                raise subprocess.TimeoutExpired(str(pid), timeout_s or 0.0)
            self._orphaned(pid)
        return self._codes[pid]

    def _orphaned(self, pid: int) -> None:
        """Look whether a process lives of which no server can tell any more."""
        if _is_alive(pid):
            time.sleep(_POLL_S)
        else:
            self._codes[pid] = self.process.wait()

    def _read(self, timeout_s: float | None) -> bool:
        """Read what the server tells; False where nothing has come in time, or it has ended."""
        if not select.select([self.channel], [], [], timeout_s)[0]:
            return False
        received = b""
        with contextlib.suppress(ConnectionResetError):
            received = self.channel.recv(_MOST_BYTES)
        *lines, self._unread = (self._unread + received).split(b"\n")
        for line in lines:
            kind, *numbers = line.decode().split()
            if kind == "ended":
                pid, code = map(int, numbers)
                self._codes[pid] = code
            else:
                self._answers.append([kind, *numbers])
        return bool(received)

    def _last_error(self) -> str:
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""

    def close(self) -> None:
        """End the server. Its processes live on, unless they have ended before."""
        self.channel.close()
        self.process.end()
        self.errors.close()


def _is_alive(pid: int) -> bool:
    """Whether a process has not ended.

    One that has, and for which nobody waits, is not alive: an orphan stays like that for ever
    where the first process of a container waits for none.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with contextlib.suppress(OSError):  # there are no such files on macOS, where nothing is forked
        status = (_PROCESSES / str(pid) / "stat").read_text(errors="replace")
        return status.rpartition(")")[2].split()[0] not in _ENDED
    return True


@dataclass
class _Spare:
    """A server that was started in advance and is not used yet."""

    server: ForkServer | None = None


_spare = _Spare()


def can_fork() -> bool:
    """Whether processes may be forked: on macOS, libraries of the system do not survive it."""
    return sys.platform != "darwin"


def prepare(modules: Sequence[str]) -> None:
    """Start a server that ``serving`` will use, while the caller goes on. Nothing is raised."""
    if can_fork() and _spare.server is None:
        with contextlib.suppress(OSError):  # whoever needs it says so
            _spare.server = ForkServer.start(modules)


@contextlib.contextmanager
def serving(modules: Sequence[str]) -> Iterator[ForkServer | None]:
    """A server that has imported these modules, and that ends with the context; None where
    processes cannot be forked. Raises OSError where it cannot be started."""
    if not can_fork():
        yield None
        return
    spare, _spare.server = _spare.server, None
    server = ForkServer.start(modules) if spare is None else spare
    try:
        yield server
    finally:
        server.close()


def _discard() -> None:
    """End a server that nobody has used."""
    spare, _spare.server = _spare.server, None
    if spare is not None:
        spare.close()


def _forget() -> None:
    """In a process that was forked from this one: the server is its parent's."""
    _spare.server = None


atexit.register(_discard)
os.register_at_fork(after_in_child=_forget)
