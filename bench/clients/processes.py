"""One client's program as a process: started, awaited, and never left behind."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable

from bench.clients.build import Program
from bench.clients.catalogue import Client
from bench.clients.result import ClientResult, decode
from bench.errors import MeasurementError
from bench.secrets import URL_VARIABLE, hide, url_secrets

_POLL_S = 0.1
_START_S = 60.0
_SLOWEST_TASK_S = 0.25
"""A client that takes longer than this for each task hangs, or might as well."""
_LAST_LINES = 3


class ClientInterrupted(Exception):  # noqa: N818 - what happened, not a fault
    """The user stopped it all."""


def run(
    client: Client,
    program: Program,
    url: str,
    tasks: int,
    queue: str,
    should_stop: Callable[[], bool],
) -> ClientResult:
    """Let the program enqueue so many tasks, and return what it measured of itself.

    Raises MeasurementError, with the last lines that it said, when it failed or printed something
    else than its line, and Interrupted when ``should_stop`` says so.
    """
    words = [
        *program.words,
        *("--tasks", str(tasks)),
        *("--queue", queue),
        *("--batch", str(client.batch or tasks)),
    ]
    with subprocess.Popen(
        words,
        env={**os.environ, URL_VARIABLE: url},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is ours to handle
    ) as process:
        try:
            deadline_s = time.monotonic() + _START_S + tasks * _SLOWEST_TASK_S
            printed, said = _await(process, deadline_s, should_stop)
        except BaseException:
            # With it whatever it started: they are a session of their own.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode:
        last = _last_lines(said, url)
        raise MeasurementError(f"it ended with exit code {process.returncode}: {last}")
    try:
        return decode(printed, client.name, tasks)
    except ValueError as error:
        raise MeasurementError(str(error)) from None


def _await(
    process: "subprocess.Popen[bytes]", deadline_s: float, should_stop: Callable[[], bool]
) -> tuple[bytes, bytes]:
    """What it printed, and what it said on standard error, once it has ended."""
    while True:
        try:
            return process.communicate(timeout=_POLL_S)
        except subprocess.TimeoutExpired:
            if should_stop():
                raise ClientInterrupted from None
            if time.monotonic() > deadline_s:
                raise MeasurementError("it hung: it did not end in time") from None


def _last_lines(said: bytes, url: str) -> str:
    """In one line, and without what the URL holds of a secret."""
    text = hide(said.decode(errors="replace"), url_secrets(url))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-_LAST_LINES:]) or "it said nothing"
