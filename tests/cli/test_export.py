"""``bench export``: which format, which record, and where to."""

import csv
import sys
from pathlib import Path

import msgspec
import pytest

from bench.jobs import ab_state
from bench.jobs.ab_state import CompletedPair
from bench.records import run_record
from tests.cli.conftest import Bench
from tests.jobs.test_ab_job import job
from tests.records.fixtures import example_record, faulty_record


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
    ab_state.save(folder, job(None, done))
    header, *rows = bench("export", "job", "--csv").out.splitlines()
    assert header.startswith("phase,pair,place,arm,verdict,file,")
    assert [row.split(",")[:4] for row in rows] == [
        ["pair", "1", "1", "base"],
        ["pair", "1", "2", "candidate"],
    ]


def test_a_folder_of_runs_has_a_row_for_each_with_the_settings_in_which_they_differ(
    bench: Bench,
) -> None:
    first = example_record()
    scenario = msgspec.structs.replace(first.scenario, name="other", rate_per_s=1700.0)
    second = msgspec.structs.replace(first, started_at="2026-01-16T00:00Z", scenario=scenario)
    run_record.save(second, Path("runs/a.json"))
    run_record.save(first, Path("runs/b.json"))
    outcome = bench("export", "runs", "--csv")
    assert (outcome.code, outcome.err) == (0, "")
    rows = list(csv.DictReader(outcome.out.splitlines()))
    assert [row["file"] for row in rows] == ["runs/b.json", "runs/a.json"]
    assert [row["scenario"] for row in rows] == ["priority", "other"]
    assert [row["scenario.rate_per_s"] for row in rows] == ["850.0", "1700.0"]
    assert float(rows[0]["e2e.p99"]) == first.latency["e2e"]["all"].p99_s
    assert "scenario.seed" not in rows[0]


@pytest.mark.parametrize("flag", ["--bmf", "--hgrm", "--hdr", "--github-smaller"])
def test_figures_of_a_folder_are_those_of_its_only_run(bench: Bench, flag: str) -> None:
    run_record.save(example_record(), Path("runs/a.json"))
    assert bench("export", "runs", flag).out == bench("export", "runs/a.json", flag).out
    run_record.save(example_record(), Path("runs/b.json"))
    outcome = bench("export", "runs", flag)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        f"bench: runs: {flag} is for a single record, and the folder holds 2 runs: name one, or "
        "use --csv for a table of them\n"
    )


def test_parquet_without_its_library_says_what_to_install(
    bench: Bench, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    outcome = bench("export", str(saved), "--parquet", "-o", "series.parquet")
    assert (outcome.code, outcome.out) == (2, "")
    assert "pip install 'runqy-bench[parquet]'" in outcome.err
    assert not Path("series.parquet").exists()


def test_faults_are_a_table_of_their_own(bench: Bench) -> None:
    run_record.save(faulty_record(), Path("faulty.json"))
    lines = bench("export", "faulty.json", "--csv", "--faults").out.splitlines()
    assert lines[0].startswith("kind,fault,planned_s,began_s,ended_s,problem,lost,duplicated")
    assert len(lines) == 5


@pytest.mark.parametrize(
    ("flag", "message"),
    [("--hdr", "--faults is for --csv and --parquet"), ("--csv", "no fault was planned")],
)
def test_faults_are_refused_where_there_are_none(
    flag: str, message: str, bench: Bench, saved: Path
) -> None:
    outcome = bench("export", str(saved), flag, "--faults")
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err
