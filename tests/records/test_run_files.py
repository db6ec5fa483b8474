"""Folders of run records: which files count, in which order, and what is said of the others."""

from pathlib import Path

import msgspec
import pytest

from bench.errors import RecordError
from bench.records import capacity_record, run_files, run_record
from tests.records.capacity_fixtures import found as capacity
from tests.records.fixtures import example_record

OTHERS = {
    "capacity.json": capacity_record.encode(capacity()),
    "foreign.json": b'{"name": "a-package"}',
    "later.json": run_record.encode(example_record()).replace(b"runqy-bench/1", b"runqy-bench/7"),
    "reserved.json": b"",
    "truncated.json": run_record.encode(example_record())[:1000],
    "text.txt": b"no JSON at all",
}


def save(folder: Path, *days: int) -> None:
    """A run of each day of January, in files whose names are in another order."""
    for day in days:
        run = msgspec.structs.replace(example_record(), started_at=f"2026-01-{day:02}T09:30:00Z")
        run_record.save(run, folder / f"{99 - day}.json")


def test_a_folder_stands_for_its_runs_in_the_order_in_which_they_began(tmp_path: Path) -> None:
    save(tmp_path, 3, 1, 2)
    found = run_files.find([tmp_path])
    assert [path.name for path in found.paths] == ["98.json", "97.json", "96.json"]
    assert [each.started_at[8:10] for each in found.records] == ["01", "02", "03"]
    assert found.note == ""
    run_files.require_readable(found)


def test_files_and_folders_stay_in_the_order_in_which_they_are_named(tmp_path: Path) -> None:
    save(tmp_path / "late", 20, 21)
    save(tmp_path / "early", 1)
    found = run_files.find([tmp_path / "late", tmp_path / "early/98.json"])
    assert [each.started_at[8:10] for each in found.records] == ["20", "21", "01"]


def test_whatever_else_a_folder_holds_is_skipped_and_counted_by_what_it_is(
    tmp_path: Path,
) -> None:
    save(tmp_path, 1)
    for name, content in OTHERS.items():
        (tmp_path / name).write_bytes(content)
    found = run_files.find([tmp_path])
    assert len(found.records) == 1
    assert found.note == (
        "skipped 5 files, not run records: 1 of a capacity search, 1 no record at all, "
        "2 unreadable (later.json, truncated.json), 1 of a run that goes on"
    )


@pytest.mark.parametrize("name", ["later.json", "truncated.json"])
def test_a_decision_can_refuse_what_may_be_a_run_that_cannot_be_read(
    tmp_path: Path, name: str
) -> None:
    save(tmp_path, 1)
    (tmp_path / name).write_bytes(OTHERS[name])
    with pytest.raises(RecordError, match=name):
        run_files.require_readable(run_files.find([tmp_path]))


@pytest.mark.parametrize("name", ["capacity.json", "foreign.json", "reserved.json"])
def test_a_folder_without_a_run_says_what_it_holds(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordError, match="no run record in this folder; name one that"):
        run_files.find([tmp_path])
    (tmp_path / name).write_bytes(OTHERS[name])
    with pytest.raises(RecordError, match="no run record in this folder: skipped 1 file"):
        run_files.find([tmp_path])


@pytest.mark.parametrize("name", OTHERS)
def test_a_file_that_is_named_itself_must_be_a_run(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(OTHERS[name])
    with pytest.raises(RecordError, match=name):
        run_files.find([tmp_path / name])
