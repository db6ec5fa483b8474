"""Runs with a stalled server that are ended from outside: nothing stays, and nothing is lost."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.slow

TIMEOUT_S = 40.0
FLAGS = (
    *("--rate", "200", "--duration", "60s", "--warmup", "0", "--drain-timeout", "2s"),
    *("--queues", "inference_default", "--quiet"),
)


def await_true(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


@contextlib.contextmanager
def run_with(fault: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A run with a fault, as a process."""
    command = [sys.executable, "-m", "bench", "run", *FLAGS, "--faults", fault]
    environment = {**os.environ, "TMPDIR": str(folder)}
    process = subprocess.Popen(
        [*command, "--output", "run.json"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def family_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def stopped(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The processes of a run that are stopped."""
    found = []
    for each in family_of(process):
        with contextlib.suppress(psutil.Error):
            if each.status() == psutil.STATUS_STOPPED:
                found.append(each)
    return found


def is_gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("fault", ["300ms stall server 50s", "300ms stall worker all 50s"])
def test_after_sigkill_of_a_run_nothing_stays_that_was_stopped(fault: str, tmp_path: Path) -> None:
    with run_with(fault, tmp_path) as process:
        await_true(lambda: bool(stopped(process)))
        family = family_of(process)
        process.kill()
        process.wait()
        await_true(lambda: all(map(is_gone, family)))
    await_true(lambda: not list(tmp_path.glob("runqy-bench.*/*")))


@pytest.mark.parametrize("fault", ["300ms stall server 50s", "300ms stall worker all 50s"])
def test_a_run_that_is_interrupted_lets_go_on_what_it_stopped_and_saves_its_record(
    fault: str, tmp_path: Path
) -> None:
    with run_with(f"{fault}, 55s restart server", tmp_path) as process:
        await_true(lambda: bool(stopped(process)))
        family = family_of(process)
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT_S) == 130
        assert all(map(is_gone, family))
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["verdict"] == "incomplete"
    assert record["counts"]["enqueued"] > 0
    told = [each["message"] for each in record["warnings"] if each["code"] == "fault_failed"]
    assert ["restart server" in each for each in told] == [True]
    assert record["duration_s"] < 30
