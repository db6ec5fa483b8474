"""The command line called in process, in a folder of the test's own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.cli.app import main
from bench.processes.signals import ending_signals
from bench.records.run_record import RunRecord

_VARIABLES = ("BENCH_REDIS_URL", "REDIS_URL", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE")


@dataclass(frozen=True)
class Outcome:
    """What a command ended in."""

    code: int
    out: str
    err: str


Bench = Callable[..., Outcome]

SHORT_RUN = ("run", "smoke", "--duration", "300ms", "--rate", "200/s")
"""Sixty tasks and the start of three processes."""


def expected_code(run: RunRecord) -> int:
    """The exit code of a run that came to its end: a busy machine may spoil a measurement."""
    if run.verdict != "valid":
        return 4
    return 0 if all(objective.passed for objective in run.slo) else 5


def interrupted(
    folder: Path,
    words: Sequence[str],
    is_time: Callable[[], bool],
    variables: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Run a command as a process, press Ctrl-C when it is time; its exit code and what it said."""
    with subprocess.Popen(
        [sys.executable, "-m", "bench", *words],
        cwd=folder,
        env={**os.environ, **(variables or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            deadline_s = time.monotonic() + 60
            while not is_time() and time.monotonic() < deadline_s:
                time.sleep(0.01)
            os.killpg(process.pid, signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        except BaseException:
            process.kill()
            raise
    return process.returncode, errors


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: empty, and without the user's environment."""
    monkeypatch.chdir(tmp_path)
    for variable in _VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


@pytest.fixture
def bench(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """``bench(*words)``: run one command line."""

    def run(*words: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["bench", *words])
        capsys.readouterr()
        code = main(words)
        return Outcome(int(code), *capsys.readouterr())

    before = {number: signal.getsignal(number) for number in ending_signals()}
    yield run
    for number, handler in before.items():
        signal.signal(number, handler)
