"""Whatever happens to a command or to its output, it ends in a line and a documented code."""

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cyclopts
import pytest
import redis

from bench.cli import app
from bench.records import run_record
from bench.reports import unforeseen
from tests.cli.conftest import SHORT_RUN, Bench, interrupted
from tests.records.fixtures import example_record

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.is_char_device(), reason="needs a full device")


def shell(
    line: str, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a line of shell, in which ``$BENCH`` is the command; the code is that of ``bench``."""
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        env={**os.environ, "BENCH": f"{sys.executable} -m bench", **(variables or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def record(folder: Path) -> Path:
    """A record of a valid run."""
    run_record.save(example_record(), folder / "run.json")
    return folder / "run.json"


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``failing(error)``: let the command ``scenarios`` raise that error."""

    def fail(error: Exception) -> None:
        def scenarios() -> int:
            raise error

        broken = cyclopts.App(name="bench")
        broken.command(scenarios)
        monkeypatch.setattr(app, "app", broken)

    return fail


# What is unforeseen.


def test_a_fault_of_the_program_is_one_line_and_no_decision(
    bench: Bench, failing: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Exit code 1 would say that a comparison found a regression, and 0 that it found none."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("BENCH_REDIS_URL", "redis://:hunter2@localhost/0")
    failing(ValueError("two\nlines, hunter2"))
    outcome = bench("scenarios")
    assert outcome.code == 70
    (saved,) = tmp_path.glob("runqy-bench-error-*.txt")
    assert outcome.err == (
        f"bench: internal error: ValueError: two lines, … (traceback in {saved})\n"
    )
    text = saved.read_text()
    assert "raise error\n" in text
    assert "hunter2" not in text
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600


def test_a_fault_is_told_where_its_traceback_cannot_be_saved(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    told = unforeseen.translated(RecursionError())
    assert str(told) == (
        "internal error: RecursionError: no message (its traceback could not be saved: No such "
        "file or directory)"
    )


def test_a_full_disk_is_no_fault_of_the_program(bench: Bench, failing: Any) -> None:
    """Wherever it is met: the error of a write to an open file does not name the file."""
    failing(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    outcome = bench("scenarios")
    assert outcome.code == 2
    assert outcome.err == (
        "bench: a file cannot be written: No space left on device: free space on the disk, or set "
        "TMPDIR to a folder with space\n"
    )


@pytest.mark.parametrize(
    "error",
    [
        redis.exceptions.InvalidResponse("Protocol Error: b'HTTP/1.1 400'"),
        redis.exceptions.ResponseError("NOPERM no permissions to run the 'time' command"),
        redis.exceptions.DataError("a list"),
    ],
)
def test_an_error_of_the_server_that_nothing_has_translated_means_no_server(
    bench: Bench, failing: Any, error: Exception
) -> None:
    failing(error)
    outcome = bench("scenarios")
    assert outcome.code == 6
    assert outcome.err == f"bench: the server's answer cannot be used: {error}\n"


def test_a_file_that_cannot_be_used_is_named(bench: Bench, failing: Any) -> None:
    failing(PermissionError(13, "Permission denied", "/etc/shadow"))
    outcome = bench("scenarios")
    assert (outcome.code, outcome.err) == (2, "bench: cannot use /etc/shadow: Permission denied\n")


@pytest.mark.slow
def test_a_broken_installation_is_no_regression(folder: Path) -> None:
    """Found before there is a command line."""
    (folder / "cyclopts.py").write_text("raise ImportError('no cyclopts\\nhere')")
    outcome = shell("$BENCH scenarios", {"PYTHONPATH": str(folder), "TMPDIR": str(folder)})
    assert outcome.returncode == 70
    assert outcome.stderr.startswith("bench: internal error: ImportError: no cyclopts here (")
    assert outcome.stderr.count("\n") == 1


# Output that cannot be written.


@pytest.mark.slow
@pytest.mark.parametrize(
    ("output", "code"),
    [
        ("| true", 5),
        ("2>&1 | head -n 1", 5),
        ("2>&-", 5),
        (">&-", 5),
        pytest.param("2>/dev/full >/dev/full", 5, marks=needs_full),
    ],
)
def test_a_run_that_nobody_watches_is_saved_and_judged(
    folder: Path, output: str, code: int
) -> None:
    words = " ".join(SHORT_RUN)
    outcome = shell(f"$BENCH {words} --slo 'lost == 5' --output run.json {output}")
    assert run_record.load(folder / "run.json").verdict
    assert outcome.returncode in (code, 4)  # 4: a busy machine may spoil a measurement
    assert "Traceback" not in outcome.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("output", "code"),
    [("| true", 0), (">&-", 2), pytest.param(">/dev/full", 2, marks=needs_full)],
)
def test_a_command_that_only_prints_fails_when_its_output_is_lost(
    record: Path, output: str, code: int
) -> None:
    """A reader that has seen enough is no failure."""
    outcome = shell(f"$BENCH report {record} --json {output}")
    assert outcome.returncode == code
    assert outcome.stderr.count("\n") == (code != 0)


@pytest.mark.slow
def test_a_report_is_printed_in_any_locale(record: Path) -> None:
    outcome = shell(f"$BENCH report {record}", {"PYTHONIOENCODING": "ascii"})
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert "completed, end to end p50" in outcome.stdout
    assert " +/-" in outcome.stdout


# The first moments.


@pytest.mark.slow
def test_ctrl_c_while_modules_are_loaded_is_one_line(folder: Path) -> None:
    """A KeyboardInterrupt would surface as a traceback from the middle of an import."""
    (folder / "cyclopts.py").write_text(
        "import pathlib, signal\npathlib.Path('importing').touch()\nsignal.pause()"
    )
    code, said = interrupted(
        folder, ["run"], (folder / "importing").exists, {"PYTHONPATH": str(folder)}
    )
    assert (code, said) == (130, "bench: interrupted\n")


def test_ctrl_c_that_python_has_made_another_error_is_still_ctrl_c(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it does in the middle of a class that is being made."""

    def interrupted_import(*_: object, **__: object) -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as interrupt:
            raise RuntimeError("Error calling __set_name__") from interrupt

    monkeypatch.setattr("bench.cli.app.app", interrupted_import)
    outcome = bench("scenarios")
    assert (outcome.code, outcome.err) == (130, "bench: interrupted\n")
