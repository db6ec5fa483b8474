"""A run that a job starts as a process, and the record that it is to leave."""

import sys
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.jobs import runs
from tests.sources import ROOT

EXAMPLE = ROOT / "results/example-default.json"


def make(path: Path, code: str) -> None:
    """A run whose process does what this code says; the record's path is its last argument."""
    options = runs.RunOptions((), path, bench=(sys.executable, "-c", code))
    runs.make(options, lambda: False, lambda: None)


def test_what_an_interrupted_run_had_saved_is_not_taken_for_that_of_one_that_failed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(EXAMPLE.read_bytes())
    with pytest.raises(BenchError, match="the server is gone"):
        make(path, "import sys; sys.exit('bench: the server is gone')")
    assert path.read_bytes() == EXAMPLE.read_bytes()


def test_a_record_that_is_written_anew_is_that_of_the_run(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(EXAMPLE.read_bytes())
    copied = f"import shutil, sys; shutil.copyfile({str(EXAMPLE)!r}, sys.argv[-1])"
    make(path, copied)
