"""A real run watches its machine, and records which cores it was pinned to."""

import json
from pathlib import Path

import pytest

from bench import machine
from bench.cli.app import main
from bench.records import run_record
from bench.reports import machine_text
from tests.sources import ROOT

pytestmark = pytest.mark.slow

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
