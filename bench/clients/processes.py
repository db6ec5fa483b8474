"""Runs one client's program as a process, which never outlives the call."""

import subprocess
import time
from collections.abc import Callable

from bench.clients.build import Program
from bench.clients.catalogue import Client
from bench.clients.result import ClientResult, decode
from bench.errors import MeasurementError
from bench.processes import start
from bench.processes.start import GuardedProcess
from bench.secrets import URL_VARIABLE, hide, url_secrets

_POLL_S = 0.1
_START_S = 60.0
_SLOWEST_TASK_S = 0.25
"""Mean time of a task above which a client counts as hanging."""
_LAST_LINES = 3


class ClientInterrupted(Exception):  # noqa: N818 - what happened, not a fault
    """The user stopped the comparison."""


def run(
    client: Client,
    program: Program,
    url: str,
    tasks: int,
    queue: str,
    should_stop: Callable[[], bool],
) -> ClientResult:
    """Let the program enqueue ``tasks`` tasks, and return what it measured.

    Raises MeasurementError when it fails, with the last lines of its standard error and without
    secrets, or when it prints anything but its result line; and ClientInterrupted once
    ``should_stop`` returns True.
    """
    command = [
        *program.command,
        *("--tasks", str(tasks)),
        *("--queue", queue),
        *("--batch", str(client.batch or tasks)),
    ]
    with start.start(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        environment={**_environment(client), URL_VARIABLE: url},
    ) as process:
        try:
            deadline_s = time.monotonic() + _START_S + tasks * _SLOWEST_TASK_S
            output, errors = _await(process, deadline_s, should_stop)
        except BaseException:
            process.end()  # with its own children: together they are one session
            raise
    if process.returncode:
        last = _last_lines(errors, url)
        raise MeasurementError(f"it ended with exit code {process.returncode}: {last}")
    try:
        return decode(output, client.name, tasks)
    except ValueError as error:
        raise MeasurementError(str(error)) from None


def _environment(client: Client) -> dict[str, str]:
    is_python = client.toolchain in ("python", "redis-cli")  # which a module of this project starts
    return start.python_environment() if is_python else start.user_environment()


def _await(
    process: GuardedProcess, deadline_s: float, should_stop: Callable[[], bool]
) -> tuple[bytes, bytes]:
    """Standard output and standard error of the process, once it has ended."""
    while True:
        try:
            return process.communicate(timeout=_POLL_S)
        except subprocess.TimeoutExpired:
            if should_stop():
                raise ClientInterrupted from None
            if time.monotonic() > deadline_s:
                raise MeasurementError("it did not end in time, and was killed") from None


def _last_lines(errors: bytes, url: str) -> str:
    """The last lines as one, without the secrets of the URL."""
    text = hide(errors.decode(errors="replace"), url_secrets(url))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-_LAST_LINES:]) or "it printed nothing"
