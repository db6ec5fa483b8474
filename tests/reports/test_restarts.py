"""The report of a run that was repeated."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from bench.measure.priorities import Inversion
from bench.records.restarts_record import RestartsRecord, Spread, StartedRun
from bench.records.run_record import SloResult
from bench.reports.restarts import render, sentence
from tests import golden
from tests.records.fixtures import example_record

ALIKE = Spread(metric="e2e.p50", values=[1.0, 1.0], between=0.012, within=0.1)
SHORT = Spread(metric="e2e.p50", values=[1.0, 2.0], between=0.5)
MISSED = SloResult("e2e{inference_high}.p99 < 50ms", 0.144, passed=False)
MET = SloResult("e2e{inference_high}.p99 < 50ms", 0.044, passed=True)
LOW_FIRST = Inversion(
    statistic="p50",
    interval="e2e",
    higher="inference_high",
    higher_s=0.534,
    lower="inference_low",
    lower_s=0.211,
    least_difference_s=0.3,
)


def record(**changes: object) -> RestartsRecord:
    run = example_record()
    fields: dict[str, object] = {
        "started_at": "2026-01-15T09:30:00+00:00",
        "duration_s": 61.5,
        "command": "bench run mixed --restarts 3",
        "starts": 3,
        "is_complete": True,
        "scenario": run.scenario,
        "environment": {},
        "server": {},
        "runs": [
            StartedRun(file="r-1.json", verdict="valid", inversions=[], slo=[MET]),
            StartedRun(file="r-2.json", verdict="valid", inversions=[LOW_FIRST], slo=[MISSED]),
            StartedRun(file="r-3.json", verdict="generator_limited", inversions=None),
        ],
        "spreads": [
            Spread(
                metric="completed.rate", values=[850.0, 849.0, 851.0], between=0.0, within=0.001
            ),
            Spread(
                metric="e2e.p50",
                values=[0.2, 0.5, 0.21],
                between=0.41,
                within=0.3,
                error=0.03,
                low=0.075,
                high=1.02,
            ),
            Spread(metric="e2e{inference_high}.p50", values=[0.2, None, 0.21], between=0.02),
        ],
        **changes,
    }
    return RestartsRecord(**fields)  # type: ignore[arg-type]


def test_starts_that_differ_are_told_with_what_differs() -> None:
    text = io.StringIO()
    console = Console(width=98, file=text, highlight=False)
    for part in render(record(), Path("r.json")):
        console.print(part)
    golden.check("restarts.txt", text.getvalue())


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "3 starts differ by 41% in e2e.p50 (within one: 3%); one run is not enough"),
        ({"spreads": [ALIKE]}, "differ by hardly more than what varies within one (1.2%)"),
        ({"spreads": [SHORT]}, "too short to tell"),
        ({"runs": [StartedRun(file="r-1.json", verdict="valid")]}, "1 start, too few to compare"),
    ],
)
def test_the_answer_says_whether_one_run_is_enough(changes: dict[str, object], told: str) -> None:
    assert told in sentence(record(**changes))
