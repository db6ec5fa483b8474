"""The rows of our tab in Locust's page, without a browser. Importing Locust patches the process, so
another one makes them."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json
from dataclasses import replace
from pathlib import Path
from locust.stats import RequestStats
from bench.locust.load_test import Live, LoadTest
from bench.locust.live import view
from bench.measure.progress import Behind, progress_of
from bench.workload.resolve import resolve
scenario = resolve({"queues": {"inference_default": 1}, "rate": 1000, "duration": "10s"})
well = progress_of("enqueueing", 3, scenario, [], [], [12])
def notes(progress):
    test = LoadTest(scenario=scenario, setup=None, path=Path("record.json"), command="locust",
        stats=RequestStats(), fleet=None, on_end=lambda: None, on_progress=lambda _: None)
    test.live = Live(progress, [], [])
    return view(test, None)["note"]
print(json.dumps({
    "well": notes(well),
    "unserved": notes(replace(well, unserved="no worker has taken a task")),
    "behind": notes(replace(well, behind=Behind(1.5, 1000.0, 20.0))),
}))
"""


@pytest.mark.slow
def test_the_tab_notes_that_nobody_serves_the_queues_or_that_users_cannot_keep_up() -> None:
    command = [sys.executable, "-c", PROGRAM]
    printed = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60)
    assert json.loads(printed.stdout) == {
        "well": "",
        "unserved": (
            "no worker has taken a task, or the test with --start-worker, or with --enqueue-only "
            "if none is to"
        ),
        "behind": (
            "cannot keep up: 1.50 s behind the schedule, 0/s of 1,000/s; gives up 20.0 s after its "
            "start (--overrun)"
        ),
    }
