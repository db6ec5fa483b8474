"""``bench export``: which format, which record, and where to."""

import sys
from pathlib import Path

import msgspec
import pytest

from bench.jobs import ab_job
from bench.jobs.ab_job import CompletedPair
from bench.records import run_record
from tests.cli.conftest import Bench
from tests.jobs.test_ab_job import job
from tests.records.fixtures import example_record


@pytest.fixture
def saved() -> Path:
    """The example record in the current folder."""
    run_record.save(example_record(), Path("record.json"))
    return Path("record.json")


def test_an_export_to_a_file_prints_nothing(bench: Bench, saved: Path) -> None:
    outcome = bench("export", str(saved), "--bmf", "--output", "figures.json")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert Path("figures.json").read_text() == bench("export", str(saved), "--bmf").out


def test_a_run_that_is_not_valid_is_not_exported_to_a_tracker(bench: Bench) -> None:
    record = msgspec.structs.replace(example_record(), verdict="lossy")
    run_record.save(record, Path("lossy.json"))
    for flag in ("--bmf", "--github-smaller", "--github-bigger"):
        outcome = bench("export", "lossy.json", flag)
        assert (outcome.code, outcome.out) == (4, "")
        assert outcome.err.startswith("bench: lossy.json: the run is lossy, and such figures")


def test_the_folder_of_a_comparison_has_a_row_for_each_run(bench: Bench) -> None:
    folder = Path("job")
    folder.mkdir()
    done = []
    for number, arm in enumerate(("base", "candidate"), start=1):
        run_record.save(example_record(), folder / f"{arm}.json")
        done.append(CompletedPair("pair", 1, number - 1, arm, f"{arm}.json", "valid", 12.0))
    ab_job.save(folder, job(None, done))
    header, *rows = bench("export", "job", "--csv").out.splitlines()
    assert header.startswith("phase,pair,place,arm,verdict,file,")
    assert [row.split(",")[:4] for row in rows] == [
        ["pair", "1", "1", "base"],
        ["pair", "1", "2", "candidate"],
    ]


def test_parquet_without_its_library_says_what_to_install(
    bench: Bench, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    outcome = bench("export", str(saved), "--parquet", "-o", "series.parquet")
    assert (outcome.code, outcome.out) == (2, "")
    assert "pip install 'runqy-bench[parquet]'" in outcome.err
    assert not Path("series.parquet").exists()
