"""Files that are no records, of any size and shape: refused in one line, and in bounded memory."""

import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.errors import RecordError
from bench.measure.histogram import Histogram
from bench.records import (
    capacity_record,
    chaos_record,
    clients_record,
    comparison_record,
    formats,
    restarts_record,
    run_record,
    sweep_record,
)
from bench.records.summaries import histogram_of
from tests.records.fixtures import example_record

WHOLE = run_record.encode(example_record())
LOADERS: list[Callable[[Path], object]] = [
    run_record.load,
    capacity_record.load,
    chaos_record.load,
    clients_record.load,
    comparison_record.load,
    restarts_record.load,
    sweep_record.load,
]


def refusal(path: Path, load: Callable[[Path], object] = run_record.load) -> str:
    """The message with which a file is refused, without its path."""
    with pytest.raises(RecordError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def with_value(*path: str | int, value: object) -> bytes:
    """The example record with another value at a path."""
    tree: Any = json.loads(WHOLE)
    place = tree
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return json.dumps(tree).encode()


@pytest.mark.parametrize("load", LOADERS, ids=lambda load: load.__module__.rpartition(".")[2])
@pytest.mark.parametrize("depth", [2_000, 100_000])
@pytest.mark.parametrize("opening", [b"[", b'{"a":'], ids=["lists", "objects"])
def test_nesting_is_refused_however_deep(
    tmp_path: Path, load: Callable[[Path], object], depth: int, opening: bytes
) -> None:
    path = tmp_path / "deep.json"
    for inside in (b'{"environment": %s', b'{"unknown": %s'):
        path.write_bytes(inside % (opening * depth))
        assert "nested too deeply" in refusal(path, load) or "Expected" in refusal(path, load)


def test_nesting_that_can_be_read_but_not_written_again_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep.json"
    value: object = 1
    for _ in range(100):
        value = [value]
    path.write_bytes(with_value("environment", "deep", value=value))
    assert "is nested too deeply" in refusal(path)


def test_a_file_larger_than_any_record_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(formats.MOST_BYTES + 1)
    tracemalloc.start()
    assert refusal(path) == "not a record: larger than 128 MiB"
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000


@pytest.mark.slow
def test_a_device_without_an_end_is_read_only_as_far_as_a_record_can_be(tmp_path: Path) -> None:
    path = tmp_path / "endless.json"
    path.symlink_to("/dev/zero")
    assert refusal(path) == "not a record: larger than 128 MiB"


def test_a_pipe_is_read_and_one_without_a_writer_makes_nobody_wait(tmp_path: Path) -> None:
    """A shell's <(...) is a pipe."""
    reading, writing = os.pipe()
    os.write(writing, WHOLE[:60_000])
    os.close(writing)
    assert formats.read(Path(f"/dev/fd/{reading}")) == WHOLE[:60_000]
    os.close(reading)
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe") == "not a run record: Input data was truncated"


@pytest.mark.parametrize(
    "inside",
    [
        b'{"format": "runqy-bench/1", "environment": [[]' + b",[]" * 1_000_000 + b"]}",
        b'{"format": "runqy-bench/1", "unknown": [0' + b",0" * 8_000_000 + b"]}",
    ],
    ids=["lists", "numbers"],
)
def test_more_values_than_any_record_has_are_refused_before_they_take_memory(
    tmp_path: Path, inside: bytes
) -> None:
    path = tmp_path / "many.json"
    path.write_bytes(inside)
    assert refusal(path) == "not a run record: it holds more values than any record has"


def test_a_path_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(RecordError, match="null byte"):
        run_record.load(Path("a\0b"))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("duration_s",), 1e300, "$.duration_s is beyond every measure"),
        (("environment", "cores"), 1e20, "$.environment.cores is beyond every measure"),
        (("scenario", "tasks"), -(10**20), "$.scenario.tasks is beyond every measure"),
        (("series", "rows", 3, 2), 1e30, "$.series.rows[3][2] is beyond every measure"),
        (("counts", "due"), 10**12, "$.counts contradicts itself: due 1000000000000 is not"),
        (("counts", "retried"), -1, "$.counts.retried is a negative number of tasks"),
        (("queues",), {}, "$.counts is not the sum of those in $.queues"),
        (("started_at",), "soon", "$.started_at is not a date with a time"),
        (("series", "columns"), ["second"], "$.series.rows has a row without the 1 values"),
        (
            ("latency", "e2e", "all", "p99_s"),
            0.0,
            "$.latency.e2e.all has percentiles that are not in ascending order",
        ),
        (("latency", "e2e", "all", "count"), -1, "$.latency.e2e.all has a negative number of"),
        (("latency", "e2e", "all", "min_s"), -1.0, "$.latency.e2e.all has a time below zero"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else None,
)
def test_figures_that_cannot_be_true_are_refused_with_their_place(
    tmp_path: Path, path: tuple[str | int, ...], value: object, message: str
) -> None:
    file = tmp_path / "run.json"
    file.write_bytes(with_value(*path, value=value))
    assert refusal(file).startswith(f"not a run record: {message}")


@pytest.mark.parametrize("digits", [20, 5_000])
def test_a_number_of_any_length_is_refused(tmp_path: Path, digits: int) -> None:
    path = tmp_path / "run.json"
    for place in (b'"seed": 7', b'"cores": 8', b'"window_s": 10.0'):
        assert WHOLE.count(place) == 1
        name = place.partition(b":")[0]
        path.write_bytes(WHOLE.replace(place, name + b":" + b"9" * digits))
        assert refusal(path).startswith("not a run record: ")


def test_a_comparison_that_decided_something_unknown_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gate.json"
    data = (Path(__file__).parent / "data" / "comparison.json").read_text(encoding="utf-8")
    tree = json.loads(data)
    tree["decision"] = "splendid"
    path.write_text(json.dumps(tree), encoding="utf-8")
    assert "$.decision" in refusal(path, comparison_record.load)


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        ("AAAA", "run.json: not a histogram in HdrHistogram V2 encoding"),
        (Histogram().encode(), "run.json: it contradicts itself: a histogram of 0 samples"),
    ],
    ids=["damaged", "of other samples"],
)
def test_a_histogram_that_cannot_be_used_is_told_with_the_file(encoded: str, message: str) -> None:
    summary = msgspec.structs.replace(example_record().latency["e2e"]["all"], hdr=encoded)
    with pytest.raises(RecordError) as caught, formats.naming(Path("run.json")):
        histogram_of(summary)
    assert str(caught.value).startswith(message)


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    """Editors and shells of Windows put one in front."""
    path = tmp_path / "record.json"
    run_record.save(example_record(), path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert run_record.load(path) == example_record()
