"""Starts child processes, none of which outlives this one.

Each child is the leader of a session of its own, so that Ctrl-C reaches this process alone. A
guardian, one small process, learns of each child and sees when this process ends: by itself, by an
error, or by SIGKILL. It then ends the children that are left, with all that they have started.
"""

import atexit
import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bench.usage import limits_of_threads, without_limits

_FOLDER = Path(__file__).resolve().parent
_FIRST_FREE = 3
"""The first file descriptor that is none of the standard ones."""
_SWEEP = "bench.processes.sweep"
"""Module that removes what this process leaves if it is killed."""
_GUARDIAN_END_S = 2.0
_PATH_VARIABLE = "PYTHONPATH"
Stream = int | IO[bytes]


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs a module, of this package or an installed one, in an interpreter.

    It finds this package where this process did, and never imports from the working folder.
    """
    return [sys.executable, "-P", str(_FOLDER / "entry.py"), module, *arguments]


def python_environment() -> dict[str, str]:
    """The environment of a child interpreter of this project: one thread for linear algebra where
    the user has not said how many, and no empty entry in the path of modules, which stands for the
    working folder."""
    environment = {**os.environ, **limits_of_threads(os.environ)}
    path = [each for each in environment.pop(_PATH_VARIABLE, "").split(os.pathsep) if each]
    return environment | ({_PATH_VARIABLE: os.pathsep.join(path)} if path else {})


def user_environment() -> dict[str, str]:
    """The environment of a program of others: the user's, as it was before this project's limits,
    which would change how fast the program is."""
    return without_limits(os.environ)


def pipe() -> tuple[int, int]:
    """A pipe: the end to read and the end to write, neither of which has a standard stream's number
    even where this process was started without one."""
    return _above_standard(os.pipe())


def socket_pair() -> tuple[int, int]:
    """The two ends of a connection, neither of which has a standard stream's number."""
    one, other = socket.socketpair()
    return _above_standard((one.detach(), other.detach()))


def _above_standard(ends: tuple[int, int]) -> tuple[int, int]:
    try:
        one, other = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE) for end in ends)
    finally:
        for end in ends:
            os.close(end)
    return one, other


class GroupLeader:
    """A process that leads a session of its own and does not outlive this one."""

    pid: int
    is_gone = False
    """Whether nothing of its session is left: its number may then be that of another process."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; its exit code. Raises ``subprocess.TimeoutExpired``."""
        raise NotImplementedError

    def signal_group(self, number: signal.Signals) -> None:
        """Signal the process, and what it has started in its session."""
        if not self.is_gone:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def end(self) -> None:
        """Kill the process with what it has started in its session, and wait for its end."""
        self.signal_group(signal.SIGKILL)
        self.wait()

    def _noted(self, code: int | None) -> int | None:
        """Let the guardian forget the process, once nothing of its session is left."""
        if code is not None and not self.is_gone:
            try:
                os.killpg(self.pid, 0)
            except ProcessLookupError:
                self.is_gone = True
                _tell(f"-{self.pid}")
            except PermissionError:
                pass
        return code


class GuardedProcess(GroupLeader, subprocess.Popen[bytes]):
    """A child process that does not outlive this one. ``start`` makes it."""

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""
        return self._noted(subprocess.Popen.poll(self))

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; its exit code. Raises ``subprocess.TimeoutExpired``."""
        code = subprocess.Popen.wait(self, timeout)
        self._noted(code)
        return code


def guard(group: int) -> None:
    """Let the guardian end a process group, too, which a child of this process has started."""
    _tell(f"+{group}")


def start(
    command: Sequence[str],
    *,
    stdin: Stream = subprocess.DEVNULL,
    stdout: Stream = subprocess.DEVNULL,
    stderr: Stream = subprocess.DEVNULL,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    descriptors: Sequence[int] = (),
    cores: Sequence[int] = (),
) -> GuardedProcess:
    """Start a command; ``descriptors`` stay open in it. Raises OSError where it cannot be started.

    ``environment`` is the user's by default, the working ``folder`` that of this process, and
    ``cores`` all that this process may use.
    """
    _require_guardian()  # first: without one, there must be no child
    with _on(cores):
        process = GuardedProcess(
            command,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=user_environment() if environment is None else dict(environment),
            cwd=folder,
            pass_fds=descriptors,
            start_new_session=True,
        )
    _tell(f"+{process.pid}")
    return process


@contextlib.contextmanager
def _on(cores: Sequence[int]) -> Iterator[None]:
    """Let this thread alone run on these cores, if any: what it starts inherits them, with every
    thread of its own from the first one on."""
    if not cores or sys.platform != "linux":
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def pin(pid: int, cores: Sequence[int]) -> None:
    """Let a process of one thread, and what it will start, run on these cores alone, if any."""
    if cores and sys.platform == "linux":
        with contextlib.suppress(ProcessLookupError):  # it has ended, which others notice
            os.sched_setaffinity(pid, cores)


def hold(path: Path) -> None:
    """Let the guardian hold a lock on a file, by ``fcntl.lockf``, until ``free``, or until this
    process and all that it has started have ended. Raises OSError where there can be none."""
    _require_guardian()
    _tell(f"hold {os.fsencode(path.absolute()).hex()}")


def free(path: Path) -> None:
    """Let the guardian give back the lock that ``hold`` got."""
    _tell(f"free {os.fsencode(path.absolute()).hex()}")


@dataclass(frozen=True)
class FinishedCommand:
    """What a command that has ended has printed, and its exit code."""

    code: int
    output: str
    errors: str


def run(
    command: Sequence[str],
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> FinishedCommand:
    """Run a command to its end. It is killed with all that it has started after ``timeout_s``, and
    when this call is left by an exception.

    Raises OSError where it cannot be started, and ``subprocess.TimeoutExpired``.
    """
    with start(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        environment=environment,
        folder=folder,
    ) as process:
        try:
            output, errors = process.communicate(timeout=timeout_s)
        except BaseException:
            process.end()
            raise
    text = (each.decode(errors="replace") for each in (output, errors))
    return FinishedCommand(process.returncode, *text)


@dataclass
class _Guardian:
    """The guardian of this process, if there is one yet."""

    process: subprocess.Popen[bytes] | None = None


_guardian = _Guardian()


def _require_guardian() -> None:
    """Start the guardian, unless there is one. Raises OSError where it cannot be started."""
    if _guardian.process is None:
        _guardian.process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_FOLDER / "guardian.py"), *python(_SWEEP)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=python_environment(),  # for the sweep
            start_new_session=True,
        )


def _tell(line: str) -> None:
    """Tell the guardian something, if there is one."""
    if _guardian.process is None or _guardian.process.stdin is None:
        return
    with contextlib.suppress(OSError):  # it was killed: that is no reason to stop
        os.write(_guardian.process.stdin.fileno(), f"{line}\n".encode())


def _dismiss() -> None:
    """End the guardian: everything has been ended and removed by now."""
    _tell("done")
    process, _guardian.process = _guardian.process, None
    if process is not None and process.stdin is not None:
        process.stdin.close()
        try:
            process.wait(_GUARDIAN_END_S)
        except subprocess.TimeoutExpired:  # somebody has stopped it: nothing is left for it to do
            process.kill()
            process.wait()


def _forget() -> None:
    """In a process that was forked from this one: the guardian is its parent's."""
    process, _guardian.process = _guardian.process, None
    if process is not None and process.stdin is not None:
        process.stdin.close()
        process.returncode = 0  # it is no child of the new process, which must not wait for it


atexit.register(_dismiss)
os.register_at_fork(after_in_child=_forget)
