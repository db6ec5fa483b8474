"""One ``bench run`` as a process of its own, and the record that it leaves."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError, ExitCode, error_for
from bench.records import run_record
from bench.records.run_record import RunRecord
from bench.secrets import URL_VARIABLE, hide, url_secrets

_POLL_S = 0.05
_KILL_AFTER_S = 30.0
"""How long an interrupted run may take to save what it measured."""


@dataclass(frozen=True)
class RunOptions:
    """A run to be made."""

    words: Sequence[str]
    """What follows ``bench run``."""
    path: Path
    """Where its record goes."""
    url: str | None = None
    """A server that is there; goes through the environment, as process lists can be read."""
    bench: Sequence[str] = ()
    """The command that is ``bench``; empty for the one that is running."""
    is_isolated: bool = False
    """Whether Python must not look for modules in the current folder."""


class RunInterrupted(Exception):  # noqa: N818 - what happened, not a fault
    """The user stopped the run; what it had measured is saved."""


def make(
    asked: RunOptions, should_stop: Callable[[], bool], on_wait: Callable[[], None]
) -> RunRecord:
    """Make a run, and return its record, whatever its verdict.

    ``on_wait`` is called often meanwhile. Raises RunInterrupted when ``should_stop`` says so, and
    the error that the run ended with where there is no record.
    """
    command = [*(asked.bench or (sys.executable, "-m", "bench")), "run", *asked.words]
    with subprocess.Popen(
        [*command, "--quiet", "--output", str(asked.path)],
        env=_environment(asked),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C reaches the job, which passes it on
    ) as process:
        try:
            errors = _await(process, should_stop, on_wait)
        except BaseException:
            process.kill()
            raise
    if process.returncode == ExitCode.INTERRUPTED or should_stop():
        raise RunInterrupted
    if not asked.path.exists():
        raise _error_of(process.returncode, hide(errors, url_secrets(asked.url or "")))
    return run_record.load(asked.path)


def _await(
    process: subprocess.Popen[str], should_stop: Callable[[], bool], on_wait: Callable[[], None]
) -> str:
    """Wait for the end; what it said on standard error."""
    deadline_s: float | None = None
    while True:
        try:
            return process.communicate(timeout=_POLL_S)[1]
        except subprocess.TimeoutExpired:
            on_wait()
        if should_stop() and deadline_s is None:
            process.send_signal(signal.SIGINT)
            deadline_s = time.monotonic() + _KILL_AFTER_S
        if deadline_s is not None and time.monotonic() > deadline_s:
            process.kill()


def _environment(asked: RunOptions) -> dict[str, str]:
    environment = dict(os.environ)
    if asked.url is not None:
        environment[URL_VARIABLE] = asked.url
    if asked.is_isolated:
        environment["PYTHONSAFEPATH"] = "1"
        environment.pop("PYTHONPATH", None)
    return environment


def _error_of(code: int, errors: str) -> BenchError:
    lines = errors.strip().splitlines()
    last = lines[-1].removeprefix("bench: ") if lines else f"no word, exit code {code}"
    return error_for(code, last)
