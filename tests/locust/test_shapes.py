"""Shapes as rates over time. Importing Locust patches the process, so another one does it."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import json, sys
from bench.errors import BenchError
from bench.locust import shapes
from bench.workload.schedule import RateProfile
for line in sys.stdin:
    name, options = json.loads(line)
    shape = getattr(shapes, name)()
    try:
        shape.prepare(options)
    except BenchError as error:
        print(json.dumps({"error": str(error)}), flush=True)
    else:
        profile = RateProfile(shape._stages)
        print(json.dumps({
            "stages": [(s.duration_s, s.start_per_s, s.end_per_s) for s in shape._stages],
            "duration_s": shape.duration_s, "total": profile.total, "text": shape.stages_text(),
        }), flush=True)
"""
Plan = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def prepared() -> Iterator[Plan]:
    """``prepared(name, **options)``: what the shape of that name plans, or its error."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        asked, answered = process.stdin, process.stdout
        assert asked is not None
        assert answered is not None

        def ask(name: str, **options: object) -> dict[str, Any]:
            asked.write(json.dumps([name, options]) + "\n")
            asked.flush()
            answer: dict[str, Any] = json.loads(answered.readline())
            return answer

        yield ask


@pytest.mark.parametrize(
    ("name", "mean_share"),
    [("Steps", 0.6), ("Ramp", 0.55), ("Spike", 0.28), ("DailySine", 0.55)],
)
def test_a_shape_has_the_length_and_the_peak_that_it_is_given(
    prepared: Plan, name: str, mean_share: float
) -> None:
    made = prepared(name, rate="2000/s", shape_duration="60s")
    assert made["duration_s"] == pytest.approx(60)
    assert max(max(begin, end) for _, begin, end in made["stages"]) == pytest.approx(2000)
    assert made["total"] == pytest.approx(mean_share * 2000 * 60, rel=1e-3)
    assert made["text"].count("@") == len(made["stages"])


def test_a_trace_follows_its_file(prepared: Plan, tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    file.write_text("time_s,rate_per_s\n0,100\n10,300\n30,300\n")
    made = prepared("Trace", trace=str(file))
    assert made["stages"] == [[10, 100, 300], [20, 300, 300]]


def test_a_byte_order_mark_is_not_a_part_of_a_trace(prepared: Plan, tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    file.write_text("time_s,rate_per_s\n0,100\n10,300\n", encoding="utf-8-sig")
    assert prepared("Trace", trace=str(file))["stages"] == [[10, 100, 300]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape_duration": "5"}, "--shape-duration: '5' has no unit: write 5ms or 5s"),
        ({"shape_duration": "15d"}, "--shape-duration: '15d' is too long"),
        ({"rate": "10m"}, "--rate: '10m' is not a rate"),
        ({"rate": "max"}, "--rate: 'max' is not a rate"),
        ({"rate": "11M/s"}, "--rate: a rate of 1.1e+07/s is out of range"),
    ],
)
def test_a_shape_is_not_made_of_what_could_be_meant_otherwise(
    prepared: Plan, options: dict[str, str], message: str
) -> None:
    assert message in prepared("Ramp", **options)["error"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time_s\n0\n1\n", "no column of rates: rate_per_s"),
        ("time_s,rate_per_s\n0,1\n", "fewer than two rows"),
        ("time_s,rate_per_s\n0,1\nx,2\n", "line 3, column 'time_s': 'x' is not a number"),
        ("time_s,rate_per_s\n0,1\n1,-2\n", "line 3, column 'rate_per_s': '-2' is out of range"),
        ("time_s,rate_per_s\n0,1\n0,2\n", "line 3, column 'time_s': it does not increase"),
        ("time_s,rate_per_s\n0,1\n" + "9" * 200_000 + ",2\n", "not CSV: field larger"),
        (None, "No such file"),
    ],
)
def test_a_trace_that_cannot_be_read_names_the_line(
    prepared: Plan, tmp_path: Path, text: str | None, message: str
) -> None:
    file = tmp_path / "rates.csv"
    if text is not None:
        file.write_text(text)
    assert message in prepared("Trace", trace=str(file))["error"]
