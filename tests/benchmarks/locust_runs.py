"""Locust as its users start it, headless, for the benchmarks."""

import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

LOCUSTFILES = Path(__file__).parents[2] / "locustfiles"
ENQUEUE_MAX = (
    *("-u", "12", "-r", "12", "-t", "30s", "--enqueue-only", "--tasks", "1000000"),
    *("--pipeline", "176", "--queues", "inference_default=1"),
)
"""As the scenario enqueue-max: a million tasks, twelve batches of 176 on the way."""
PACED = ("-u", "10", "-r", "10", "-t", "10s", "--rate", "5000/s", "--start-worker")
_PLAIN = ("-u", "20", "-r", "20", "-t", "10s")


def _locust(file: str, folder: str, *words: str) -> None:
    environment = {name: each for name, each in os.environ.items() if "REDIS" not in name}
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILES / file), "--headless"]
    subprocess.run(
        [*command, "--only-summary", "--loglevel", "ERROR", *words],
        check=False,
        capture_output=True,
        cwd=folder,
        env=environment,
    )


def record_of(binary: str | None, *words: str) -> dict[str, Any]:
    """The record of a run of ``locustfiles/runqy.py`` on a server of its own."""
    where = ("--server-binary", binary) if binary else ("--embedded",)
    with tempfile.TemporaryDirectory() as folder:
        _locust("runqy.py", folder, "--record", "record.json", *where, *words)
        record: dict[str, Any] = json.loads((Path(folder) / "record.json").read_text())
    return record


def plain_rate(url: str) -> float:
    """Tasks a second of ``locustfiles/plain.py``, by Locust's own table."""
    with tempfile.TemporaryDirectory() as folder:
        _locust("plain.py", folder, "--host", url, "--csv", "plain", *_PLAIN)
        with (Path(folder) / "plain_stats.csv").open(newline="") as file:
            rows = {row["Name"]: row for row in csv.DictReader(file)}
    return float(rows["Aggregated"]["Requests/s"])
