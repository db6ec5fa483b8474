"""Locust as its users start it, headless, for the benchmarks."""

import csv
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.arms import Tree

ENQUEUE_MAX = (
    *("-u", "12", "-r", "12", "-t", "30s", "--enqueue-only", "--tasks", "1000000"),
    *("--pipeline", "176", "--queues", "inference_default=1"),
)
"""As the scenario enqueue-max: a million tasks, twelve batches of 176 in flight."""
PACED = ("-u", "10", "-r", "10", "-t", "10s", "--rate", "5000/s", "--start-worker")
_PLAIN = ("-u", "20", "-r", "20", "-t", "10s")


def _locust(
    tree: Tree, file: str, folder: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    command = ["-m", "locust", "-f", str(tree.path / "locustfiles" / file), "--headless"]
    quiet = ["--only-summary", "--loglevel", "ERROR"]
    return tree.run_python(*command, *quiet, *arguments, folder=Path(folder))


def record_of(tree: Tree, *arguments: str) -> dict[str, Any]:
    """The record of a run of ``locustfiles/runqy.py`` on a server of its own."""
    where = tree.server_arguments or ("--embedded",)
    with tempfile.TemporaryDirectory() as folder:
        done = _locust(tree, "runqy.py", folder, "--record", "record.json", *where, *arguments)
        return tree.load(Path(folder) / "record.json", done)


def plain_rate(tree: Tree, url: str) -> float:
    """Tasks a second of ``locustfiles/plain.py``, by Locust's own table."""
    with tempfile.TemporaryDirectory() as folder:
        _locust(tree, "plain.py", folder, "--host", url, "--csv", "plain", *_PLAIN)
        with (Path(folder) / "plain_stats.csv").open(newline="") as file:
            rows = {row["Name"]: row for row in csv.DictReader(file)}
    return float(rows["Aggregated"]["Requests/s"])
