"""A trace that a run replays, from its file to the record."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Bench

QUEUES = ("inference_high", "inference_low", "inference_low")


@pytest.mark.slow
def test_a_run_sends_every_task_of_its_trace_and_names_it(bench: Bench) -> None:
    rows = [f"{number / 500:.3f},{QUEUES[number % 3]},{60 + number}\n" for number in range(300)]
    Path("trace.csv").write_text("time_s,queue,size\n" + "".join(rows))
    words = ("--trace", "trace.csv", "--speed", "2x", "--producers", "2", "-o", "run.json")
    outcome = bench("run", *words, "--warmup", "0")
    assert outcome.code in (0, 4), outcome.err
    record = json.loads(Path("run.json").read_text())
    assert {name: each["completed"] for name, each in record["queues"].items()} == {
        "inference_high": 100,
        "inference_low": 200,
    }
    assert record["scenario"]["trace"]["file"] == "trace.csv"
    assert len(record["scenario"]["trace"]["sha256"]) == 64
    assert record["rates"]["asked_per_s"] == pytest.approx(1000)
