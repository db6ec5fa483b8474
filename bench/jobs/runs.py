"""Starts one ``bench run`` as a process and returns the record that it saves."""

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import settings
from bench.errors import ExitCode, RunAborted, error_of_process
from bench.processes import git, start
from bench.processes.start import GuardedProcess
from bench.records import run_record
from bench.records.run_record import RunRecord
from bench.secrets import URL_VARIABLE, hide, url_secrets

_POLL_S = 0.05
_KILL_AFTER_S = 30.0
"""Time that an interrupted run has to save what it measured."""


@dataclass(frozen=True)
class RunOptions:
    """What to run."""

    arguments: Sequence[str]
    """Arguments of ``bench run``, without the record's path and the server's URL."""
    path: Path
    """File of the record."""
    url: str | None = None
    """URL of an existing server; None starts one. It is passed in the environment, since other
    users can read a process's arguments."""
    bench: Sequence[str] = ()
    """Command that starts ``bench``; empty for the running interpreter and package."""
    folder: Path | None = None
    """Working folder of the run; None for this process's own."""
    is_isolated: bool = False
    """Whether Python must not search the current folder for modules."""


class RunInterrupted(Exception):  # noqa: N818 - what happened, not a fault
    """The user stopped the run. What it had measured is saved."""


def make(
    options: RunOptions, should_stop: Callable[[], bool], on_wait: Callable[[], None]
) -> RunRecord:
    """Make a run and return its record, whatever its verdict.

    ``on_wait`` is called every few hundredths of a second until the run ends. Raises
    RunInterrupted once ``should_stop`` returns True, RunAborted where a guard ended the run, and
    the error that the run ended with when it left no record: one that was there before is not its.
    """
    command = [*(options.bench or start.python("bench")), "run", *options.arguments]
    saved_before = _saved(options.path)
    with start.start(
        [*command, "--quiet", "--output", str(options.path.absolute())],
        stderr=subprocess.PIPE,
        environment=_environment(options),
        folder=options.folder,
    ) as process:
        try:
            errors = _await(process, should_stop, on_wait)
        except BaseException:
            process.end()
            raise
    if process.returncode == ExitCode.INTERRUPTED or should_stop():
        raise RunInterrupted
    if _saved(options.path) == saved_before:  # none, or that of a run that was interrupted
        shown = hide(errors, url_secrets(options.url or ""))
        raise error_of_process(process.returncode, shown, "bench run")
    record = run_record.load(options.path)
    if record.aborted is not None:  # the next run would load the same server again
        raise RunAborted(
            f"{record.aborted.reason}: no further run is made; 'bench report {options.path}' shows "
            "this one"
        )
    return record


def _saved(path: Path) -> tuple[int, int] | None:
    """What changes when a file is written again; None without one."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _await(
    process: GuardedProcess, should_stop: Callable[[], bool], on_wait: Callable[[], None]
) -> str:
    """Wait for the end and return what the run wrote to standard error."""
    deadline_s: float | None = None
    while True:
        try:
            return process.communicate(timeout=_POLL_S)[1].decode(errors="replace")
        except subprocess.TimeoutExpired:
            on_wait()
        if should_stop() and deadline_s is None:
            process.send_signal(signal.SIGTERM)  # a job in the background ignores SIGINT
            deadline_s = time.monotonic() + _KILL_AFTER_S
        if deadline_s is not None and time.monotonic() > deadline_s:
            process.end()


def _environment(options: RunOptions) -> dict[str, str]:
    environment = settings.without(start.python_environment())  # its flags hold them already
    if options.url is not None:
        environment[URL_VARIABLE] = options.url
    if options.folder is not None:  # in another repository than that of a hook at hand
        environment = git.without_variables(environment)
    if options.is_isolated:  # of another revision, which may call git and Python in another way
        environment = {**git.without_variables(environment), "PYTHONSAFEPATH": "1"}
        environment.pop("PYTHONPATH", None)
    return environment
