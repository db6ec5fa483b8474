"""However Locust's output or one of its greenlets fails, the run ends with a line and a code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.records import run_record
from tests.locust.conftest import LOCUSTFILES

pytestmark = pytest.mark.slow

WORDS = (
    *("--headless", "--only-summary", "--loglevel", "ERROR", "-u", "1"),
    *("--embedded", "--tasks", "50", "--rate", "500/s", "--record", "record.json"),
    "--enqueue-only",
)
BROKEN = """
from bench.locust import OpenLoopUser, hooks

class Orders(OpenLoopUser):
    pass

def fail(*_):
    raise ValueError("two\\nlines")

hooks.print_report = fail
"""
SHAPE = """
from bench.locust import OpenLoopUser, Trace

class Orders(OpenLoopUser):
    pass

class Shape(Trace):
    pass
"""


def locust(
    folder: Path, locustfile: Path, *words: str, output: str = "", encoding: str = "utf-8"
) -> "subprocess.CompletedProcess[str]":
    """Run Locust to its end; ``output`` says in words of the shell where its output goes."""
    arguments = " ".join(["-m", "locust", "-f", str(locustfile), *words])
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} {arguments} {output}"],
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": encoding, "TMPDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("output", "encoding"),
    [
        ("", "ascii"),
        ("2>&1 | true", "utf-8"),
        (">&- 2>&-", "utf-8"),
        pytest.param(
            ">/dev/full 2>/dev/full",
            "utf-8",
            marks=pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs it"),
        ),
    ],
)
def test_a_test_whose_output_is_lost_is_saved_and_judged(
    tmp_path: Path, output: str, encoding: str
) -> None:
    done = locust(tmp_path, LOCUSTFILES / "runqy.py", *WORDS, output=output, encoding=encoding)
    record = run_record.load(tmp_path / "record.json")
    assert record.counts.due == 50
    assert done.returncode == run_record.exit_code(record)
    assert "Traceback" not in done.stderr


def test_a_fault_in_a_greenlet_ends_the_test_with_one_line(tmp_path: Path) -> None:
    """The greenlet that prints the report is the one that stops Locust."""
    (tmp_path / "broken.py").write_text(BROKEN)
    done = locust(tmp_path, tmp_path / "broken.py", *WORDS)
    assert done.returncode == 70
    (line,) = [each for each in done.stderr.splitlines() if each.startswith("bench: ")]
    assert line.startswith("bench: internal error: ValueError: two lines (traceback in ")
    assert "Traceback" not in done.stderr
    assert run_record.load(tmp_path / "record.json").counts.due == 50


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--trace", "missing.csv"), "bench: trace missing.csv: No such file or directory"),
        (("--shape-duration", "x"), "bench: --shape-duration: 'x' is not a duration: "),
    ],
)
def test_a_shape_that_cannot_be_made_is_one_line(
    tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    """Locust asks for it in a greenlet of its own, before the test has begun."""
    (tmp_path / "shape.py").write_text(SHAPE)
    headless = ("--headless", "--only-summary", "--loglevel", "ERROR", "--embedded")
    done = locust(tmp_path, tmp_path / "shape.py", *headless, *words)
    assert done.returncode == 2
    assert [each for each in done.stderr.splitlines() if each.startswith(message)]
    assert "Traceback" not in done.stderr


def test_what_is_refused_at_the_start_cannot_control_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    words = ("--headless", "--embedded", "--start-worker", "--record", r"$'file/\x1b[31mred.json'")
    done = locust(tmp_path, LOCUSTFILES / "runqy.py", *words)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        r"bench: cannot write file/\x1b[31mred.json: Not a directory"
    )


def test_an_interrupt_that_kills_a_starting_server_is_an_interrupt(tmp_path: Path) -> None:
    """A new process belongs to the terminal's group for a moment, and Ctrl-C ends it then."""
    server = tmp_path / "server"
    server.write_text("#!/bin/sh\nkill -INT $PPID\nexit 1\n")
    server.chmod(0o755)
    words = [each for each in WORDS if each != "--embedded"]
    done = locust(tmp_path, LOCUSTFILES / "runqy.py", *words, "--server-binary", str(server))
    assert done.returncode == 130
    assert "did not start" in done.stderr
    assert "Traceback" not in done.stderr
