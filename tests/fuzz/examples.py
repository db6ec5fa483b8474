"""Valid examples of all files that bench reads, as trees of dicts and lists."""

import functools
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.jobs.ab_plan import PairPlan
from bench.jobs.ab_state import CompletedPair, Job
from bench.jobs.arms import Arm
from bench.measure.histogram import Histogram
from bench.records import formats, run_record
from bench.records.restarts_record import RestartsRecord, Spread, StartedRun
from bench.workload import library
from tests.records.chaos_fixtures import lossy
from tests.records.fixtures import example_record
from tests.records.selftest_fixtures import wrong
from tests.records.sweep_fixtures import with_limit

DATA = Path(__file__).parent.parent / "records" / "data"

RECORDS = {
    "run": ("example", "run-default", "run-external", "run-smoke-1"),
    "capacity": ("capacity",),
    "comparison": ("comparison",),
    "clients": ("clients",),
    "restarts": ("restarts",),
    "chaos": ("chaos",),
    "sweep": ("sweep",),
    "selftest": ("selftest",),
    "job": ("job",),
}
"""Examples of each kind of file that bench writes and reads back."""


def scenario_names() -> list[str]:
    """The names of the examples that are scenarios."""
    return [f"scenario:{name}" for name in library.names()]


@functools.cache
def tree(name: str) -> Any:
    """The tree of an example, not to be changed; None for the empty name."""
    if not name:
        return None
    if name.startswith("scenario:"):
        return tomllib.loads(library.text_of(name.partition(":")[2]))
    if name in _MADE:
        return json.loads(_MADE[name]())
    return json.loads((DATA / f"{name}.json").read_bytes())


def _restarts() -> bytes:
    run = example_record()
    runs = [StartedRun(file=f"r-{n}.json", verdict="valid", slo=run.slo) for n in (1, 2)]
    spreads = [
        Spread(metric="completed.rate", values=[848.7, 851.0], between=0.01, within=0.02),
        Spread(metric="e2e.p99", values=[0.18, None]),
    ]
    return formats.encode(
        RestartsRecord(
            started_at=run.started_at,
            duration_s=30.0,
            command="bench run priority --restarts 2",
            starts=2,
            is_complete=True,
            scenario=run.scenario,
            environment=run.environment,
            server=run.server,
            runs=runs,
            spreads=spreads,
        )
    )


def _job() -> bytes:
    arm = Arm(label="A", text="", arguments=("smoke", "--workers=1"))
    other = Arm(label="B", text="--prefetch 4", arguments=("smoke", "--workers=1", "--prefetch=4"))
    done = CompletedPair("noise", 1, 0, "A", "noise-01-1-A.json", "valid", 4.5)
    return formats.encode(
        Job(
            started_at="2026-01-01T08:00:00+00:00",
            command="bench ab smoke --b '--prefetch 4'",
            arms=(arm, other),
            gated=["e2e.p50", "e2e.p99"],
            shown=["completed.rate"],
            margin=0.05,
            budget_s=300.0,
            pairs_asked=None,
            noise_pairs=3,
            base_ref=None,
            differing=["prefetch"],
            plan=PairPlan(3, 10, 7.5, 5.0),
            done=[done],
        )
    )


_MADE: dict[str, Callable[[], bytes]] = {
    "example": lambda: run_record.encode(example_record()),
    "restarts": _restarts,
    "chaos": lambda: formats.encode(lossy()),
    "sweep": lambda: formats.encode(with_limit()),
    "selftest": lambda: formats.encode(wrong()),
    "job": _job,
}


@functools.cache
def histogram_text() -> str:
    """A valid encoding of a histogram with a few samples."""
    histogram = Histogram()
    for value_us in (0, 1, 900, 12_345, 3_000_000):
        histogram.record(value_us)
    return histogram.encode()
