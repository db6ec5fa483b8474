"""Shapes as rates over time. Importing Locust patches the process, so another one does it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import json, sys
from pathlib import Path
from bench.errors import BenchError
from bench.locust import shapes
from bench.workload.schedule import RateProfile
name, options = sys.argv[1], json.loads(sys.argv[2])
shape = getattr(shapes, name)()
try:
    shape.prepare(options)
except BenchError as error:
    print(json.dumps({"error": str(error)}))
else:
    profile = RateProfile(shape._stages)
    print(json.dumps({
        "stages": [(s.duration_s, s.start_per_s, s.end_per_s) for s in shape._stages],
        "duration_s": shape.duration_s, "total": profile.total, "text": shape.stages_text(),
    }))
"""


def prepared(name: str, **options: object) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, name, json.dumps(options)],
        capture_output=True,
        text=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize(
    ("name", "mean_share"),
    [("Steps", 0.6), ("Ramp", 0.55), ("Spike", 0.28), ("DailySine", 0.55)],
)
def test_a_shape_has_the_length_and_the_peak_that_it_is_given(name: str, mean_share: float) -> None:
    made = prepared(name, rate="2000/s", shape_duration="60s")
    assert made["duration_s"] == pytest.approx(60)
    assert max(max(begin, end) for _, begin, end in made["stages"]) == pytest.approx(2000)
    assert made["total"] == pytest.approx(mean_share * 2000 * 60, rel=1e-3)
    assert made["text"].count("@") == len(made["stages"])


def test_a_trace_follows_its_file(tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    file.write_text("time_s,rate_per_s\n0,100\n10,300\n30,300\n")
    made = prepared("Trace", trace=str(file))
    assert made["stages"] == [[10, 100, 300], [20, 300, 300]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time_s,rate\n0,1\n", "no column 'rate_per_s'"),
        ("time_s,rate_per_s\n0,1\n", "fewer than two rows"),
        ("time_s,rate_per_s\n0,1\nx,2\n", "line 3: not two numbers"),
        ("time_s,rate_per_s\n0,1\n1,-2\n", "line 3: a rate is finite and not negative"),
        ("time_s,rate_per_s\n0,1\n0,2\n", "line 3: time_s does not increase"),
        (None, "No such file"),
    ],
)
def test_a_trace_that_cannot_be_read_names_the_line(
    tmp_path: Path, text: str | None, message: str
) -> None:
    file = tmp_path / "rates.csv"
    if text is not None:
        file.write_text(text)
    assert message in prepared("Trace", trace=str(file))["error"]
