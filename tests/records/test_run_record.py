"""The run record: written whole or not at all, and read only by those who know its format."""

import contextlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from bench import files
from bench.errors import RecordError, UsageError
from bench.measure.histogram import decode
from bench.measure.ledger import imbalance, total
from bench.measure.recorder import Interval
from bench.records import run_record
from bench.records.run_record import RunRecord
from tests.records.fixtures import QUEUES, example_record


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_record_is_read_as_it_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    run_record.save(example_record(), path)
    assert run_record.load(path) == example_record()


def test_the_fixed_names_stand_in_the_file(tmp_path: Path) -> None:
    """Other programs read them: a change of these is a change of the format."""
    path = tmp_path / "run.json"
    run_record.save(example_record(), path)
    written = json.loads(path.read_bytes())
    assert written["format"] == "runqy-bench/1"
    assert list(written) == [
        *("format", "id", "started_at", "duration_s", "window_s", "command", "scenario"),
        *("environment", "server", "verdict", "warnings", "guards", "aborted"),
        *("until", "attribution", "bound_by", "counts"),
        *("queues", "rates", "arrivals", "latency", "breakdown"),
        *("observation", "inversions", "series"),
        "resources",
        *("network", "clock", "warmup", "slo", "faults", "hiccups", "canary", "selftest"),
    ]
    assert list(written["latency"]["e2e"]["all"]) == [
        *("count", "min_s", "mean_s", "p50_s", "p90_s", "p95_s", "p99_s", "p999_s", "max_s"),
        *("negative", "overflow", "hdr", "confidence"),
    ]
    assert list(written["counts"]) == [
        *("due", "enqueued", "completed", "failed", "outcome_unknown", "retried"),
        *("pending", "active", "lost", "duplicated", "unknown", "not_sent", "refused"),
        "not_replicated",
    ]
    assert list(written["rates"]) == [
        *("asked_per_s", "enqueued_per_s", "completed_per_s", "finished_per_s", "confidence")
    ]
    assert list(written["series"]) == ["interval_s", "columns", "rows"]
    assert list(written["warnings"][0]) == ["code", "message"]
    assert list(written["slo"][0]) == ["expression", "value", "passed", "at_most"]
    assert list(written["clock"]) == ["domain", "error_bound_s"]


def test_the_file_is_text_that_people_can_read(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    run_record.save(example_record(), path)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[:2] == ["{", ' "format": "runqy-bench/1",']
    assert path.read_bytes().endswith(b"}\n")


def test_nothing_but_the_record_is_left_in_the_folder(tmp_path: Path) -> None:
    """Folders on the way are made; a record that was there is replaced."""
    path = tmp_path / "results" / "today" / "run.json"
    changed = msgspec.structs.replace(example_record(), verdict="lossy")
    run_record.save(example_record(), path)
    run_record.save(changed, path)
    assert names_in(path.parent) == ["run.json"]
    assert run_record.load(path) == changed


def test_a_record_that_cannot_be_encoded_leaves_the_old_one_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    run_record.save(example_record(), path)
    before = path.read_bytes()
    broken = msgspec.structs.replace(example_record(), server={"address": object()})
    with pytest.raises(TypeError):
        run_record.save(broken, path)
    assert names_in(tmp_path) == ["run.json"]
    assert path.read_bytes() == before


def test_a_record_that_cannot_be_put_in_place_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.mkdir()
    with pytest.raises(UsageError, match=rf"^cannot write {path}: it is a folder; name a file; "):
        run_record.save(example_record(), path)
    assert names_in(tmp_path) == ["run.json"]
    assert names_in(path) == []


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("")
    path = tmp_path / "results" / "run.json"
    with pytest.raises(UsageError, match=f"^cannot write {path}: "):
        run_record.save(example_record(), path)
    with pytest.raises(UsageError, match=f"^cannot write {path}: "):
        files.require_writable(path)


def test_a_saved_record_can_be_read_by_whom_any_new_file_can(tmp_path: Path) -> None:
    """A temporary file is the owner's alone; the record is not."""
    plain, saved = tmp_path / "plain", tmp_path / "run.json"
    plain.write_text("")
    run_record.save(example_record(), saved)
    assert saved.stat().st_mode == plain.stat().st_mode


def test_whether_a_record_could_be_written_is_found_out_without_a_trace(tmp_path: Path) -> None:
    path = tmp_path / "results" / "run.json"
    files.require_writable(path)
    assert names_in(path.parent) == []
    run_record.save(example_record(), path)
    before = path.read_bytes()
    files.require_writable(path)
    assert (names_in(path.parent), path.read_bytes()) == (["run.json"], before)


def test_a_folder_is_no_place_for_a_record(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="it is a folder; name a file"):
        files.require_writable(tmp_path)


WHOLE = run_record.encode(example_record())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a run record: Input data was truncated"),
        (b"nonsense", "not a run record: JSON is malformed"),
        (b"[1, 2]", "not a run record: Expected `object`, got `array`"),
        (WHOLE[:40], "not a run record: Input data was truncated"),
        (WHOLE[: len(WHOLE) // 2], "not a run record: "),
        (WHOLE[:-2], "not a run record: Input data was truncated"),
        (WHOLE + b"x", "not a run record: JSON is malformed"),
        (b"\xff\xfe", "not a run record: "),
        (b"{}", "not a run record: it has no format that begins runqy-bench/"),
        (b'{"format": "other/1"}', "not a run record: it has no format that begins runqy-bench/"),
        (b'{"format": 1}', "not a run record: Expected `str`, got `int`"),
        (
            b'{"format": "runqy-bench/2"}',
            "format runqy-bench/2; this version of bench reads runqy-bench/1",
        ),
        (
            b'{"format": "runqy-bench/10"}',
            "format runqy-bench/10; this version of bench reads runqy-bench/1",
        ),
        (b'{"format": "runqy-bench/1"}', "not a run record: Object missing required field `id`"),
        (
            WHOLE.replace(b'"duration_s": 12.84', b'"duration_s": "long"'),
            "not a run record: Expected `float`, got `str` - at `$.duration_s`",
        ),
    ],
)
def test_what_is_no_record_is_refused_in_one_line_that_names_the_file(
    tmp_path: Path, data: bytes, message: str
) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(data)
    with pytest.raises(RecordError) as caught:
        run_record.load(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing.json"
    with pytest.raises(RecordError, match=f"^{missing}: No such file or directory$"):
        run_record.load(missing)
    with pytest.raises(RecordError, match=f"^{tmp_path}: Is a directory$"):
        run_record.load(tmp_path)


def test_fields_that_a_later_version_may_add_do_not_stand_in_the_way(tmp_path: Path) -> None:
    """Names may stand beside the fixed ones without another format."""
    path = tmp_path / "run.json"
    path.write_bytes(WHOLE.replace(b'"id":', b'"new": {"a": [1]}, "id":', 1))
    assert run_record.load(path) == example_record()


def sums_of_columns(each: RunRecord) -> dict[str, float]:
    rows = zip(*each.series.rows, strict=True)
    return {
        name: sum(value for value in column if value is not None)
        for name, column in zip(each.series.columns, rows, strict=True)
    }


def test_the_example_is_the_same_always_and_its_figures_fit_each_other() -> None:
    """Other tests rely on it: the ledger adds up, histograms and series match the counts."""
    each = example_record()
    assert each == example_record()
    assert list(each.queues) == list(QUEUES) == list(each.scenario.queues)
    assert each.counts == total(each.queues.values())
    assert [imbalance(counts) for counts in each.queues.values()] == [None] * 3
    assert set(each.latency) == set(Interval) - {
        Interval.E2E_EARLIEST,
        Interval.DURABLE,
    }  # of some runs
    for by_queue in each.latency.values():
        assert list(by_queue) == ["all", *QUEUES]
        assert by_queue["all"].count == sum(by_queue[queue].count for queue in QUEUES)
        for summary in by_queue.values():
            assert decode(summary.hdr).recorded == summary.count
    assert each.latency["e2e"]["all"].count + each.warmup.tasks == each.counts.due
    sums = sums_of_columns(each)
    assert sums["offered"] == sums["enqueued"] == each.counts.enqueued
    assert sums["finished"] == each.counts.completed + each.counts.failed
    assert sums["started"] == sums["finished"] + each.counts.retried


def test_a_file_has_the_record_as_soon_as_the_run_is_measured(tmp_path: Path) -> None:
    first, last = example_record(), replace(example_record(), id="of the end")
    with run_record.RecordFile(tmp_path / "run.json") as file:
        file.save_measured(first)
        assert run_record.load(file.path) == first
        file.save(last)
    assert run_record.load(file.path) == last


@pytest.mark.parametrize("ends_well", [True, False])
def test_a_pipe_gets_one_record_however_the_run_ends(ends_well: bool) -> None:
    """The last one that there is: a reader takes what it gets for one document."""
    first, last = example_record(), replace(example_record(), id="of the end")
    reading, writing = os.pipe()
    with ThreadPoolExecutor() as pool, os.fdopen(reading, "rb") as reader:
        read = pool.submit(reader.read)
        with (
            contextlib.suppress(KeyboardInterrupt),
            run_record.RecordFile(Path(f"/dev/fd/{writing}")) as file,
        ):
            file.save_measured(first)
            if not ends_well:
                raise KeyboardInterrupt
            file.save(last)
        os.close(writing)
        assert read.result(timeout=10) == run_record.encode(last if ends_well else first)
