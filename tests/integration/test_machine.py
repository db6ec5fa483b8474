"""A real run watches its machine, and records which cores it was pinned to."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from bench import machine
from bench.cli.app import main
from bench.records import run_record
from bench.redisio.connection import open_client
from bench.redisio.embedded import EmbeddedServer
from bench.reports import machine_text
from tests.sources import ROOT

pytestmark = pytest.mark.slow

STOP_S = 0.05
MOST_OFF_S = 0.005
SHORT = ("--duration=600ms", "--rate=200/s", "--warmup=0")


def recorded(path: Path, *flags: str) -> run_record.RunRecord:
    """The record of a short run on a server of its own."""
    assert main(["run", *SHORT, f"--output={path}", "--quiet", *flags]) in (0, 4)
    return run_record.load(path)


def test_a_run_writes_hiccups_and_canaries_to_its_record(tmp_path: Path) -> None:
    record = recorded(tmp_path / "run.json")
    assert record.hiccups is not None
    late = record.hiccups.lateness
    assert late.count * record.hiccups.interval_s >= 0.3
    assert late.negative == 0
    assert record.hiccups.longest[0].late_s == late.max_s
    assert 0 < record.hiccups.cpu_cores < 0.05
    assert record.canary is not None
    assert record.canary.after is not None
    assert "a process that only slept woke" in machine_text.hiccups(record)
    assert "after)" in machine_text.canary(record)


@pytest.mark.skipif(not machine.usable(), reason="cores cannot be chosen here")
def test_a_pinned_run_without_a_trace_says_so_in_its_record(tmp_path: Path) -> None:
    core = min(machine.usable())
    pinned = f"server={core},producers={core},workers={core}"
    record = recorded(tmp_path / "run.json", "--no-hiccups", f"--pin={pinned}")
    assert record.hiccups is None
    assert record.canary is not None
    assert record.environment["pinning"] == pinned


def test_a_record_from_before_the_machine_was_watched_is_still_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.loads((ROOT / "results/example-default.json").read_text(encoding="utf-8"))
    for name in ("hiccups", "canary"):
        content.pop(name, None)
    path = tmp_path / "older.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    assert main(["report", str(path), "--html", str(tmp_path / "page.html")]) == 0
    assert "hiccups" not in capsys.readouterr().out
    assert "hiccups" not in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.skipif(not machine.usable(), reason="cores cannot be chosen here")
def test_too_few_cores_are_refused_before_anything_starts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Bare ``--pin`` means one core for each process."""
    workers = len(machine.usable())
    assert main(["run", f"--workers={workers}", "--pin"]) == 2
    assert f"need {workers + 2} cores of their own" in capsys.readouterr().err


def stopped_s(processes: Sequence[psutil.Process]) -> float:
    """Stop all of these processes for 50 ms; returns how long that took."""
    began_s = time.monotonic()
    for each in processes:
        os.kill(each.pid, signal.SIGSTOP)
    time.sleep(STOP_S)
    for each in processes:
        os.kill(each.pid, signal.SIGCONT)
    return time.monotonic() - began_s


def test_a_stop_of_all_processes_of_a_run_is_a_hiccup_of_its_length_to_within_5_ms(
    embedded: EmbeddedServer, tmp_path: Path
) -> None:
    """A stop is never reported as shorter by more than that; a busy machine may make it longer, so
    that one of several must be right on both sides."""
    path = tmp_path / "run.json"
    flags = ("--redis-url", embedded.url, "--rate=200/s", "--duration=4s", "--warmup=0", "--quiet")
    command = [sys.executable, "-m", "bench", "run", *flags, f"--output={path}"]
    with open_client(embedded.url) as client, subprocess.Popen(command) as run:
        while client.dbsize() < 50:
            assert run.poll() is None
            time.sleep(0.01)
        everything = [psutil.Process(embedded.pid), psutil.Process(run.pid)]
        everything += psutil.Process(run.pid).children(recursive=True)
        planted_s = []
        for _ in range(4):
            time.sleep(0.3)
            planted_s.append(stopped_s(everything))
        assert run.wait() in (0, 4)
    record = run_record.load(path)
    assert record.hiccups is not None
    found_s = sorted(each.late_s for each in record.hiccups.longest)[-len(planted_s) :]
    pairs = zip(found_s, sorted(planted_s), strict=True)
    off_by_s = [found - planted for found, planted in pairs]
    assert min(off_by_s) >= -MOST_OFF_S, (planted_s, found_s)
    assert min(map(abs, off_by_s)) <= MOST_OFF_S, (planted_s, found_s)
    end_to_end = record.latency["e2e"]["all"]
    assert end_to_end.max_s is not None
    assert end_to_end.max_s >= STOP_S - MOST_OFF_S
