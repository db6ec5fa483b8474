"""The page on faults: each of its examples is a plan or an objective that a run takes."""

import re
import tomllib

import pytest

from bench.workload.fault_text import parse_faults
from bench.workload.faults import FaultKind
from bench.workload.resolve import resolve
from tests.sources import ROOT

PAGE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
PLAN = PAGE.partition("## The plan")[2].partition("\n## ")[0]
BASE: dict[str, object] = {"queues": {"a_b": 1}, "rate": 100, "duration": "60s", "workers": 4}

FAULT_ROWS = re.findall(r"^\| `((?:random )?\d[^`]*)` \|", PLAN, re.MULTILINE)
OBJECTIVE_ROWS = re.findall(r"^\| `(\w+\{\w+\}[^`]*)` \|", PAGE, re.MULTILINE)
IN_SENTENCES = re.findall(r"`((?:random )?\d+s[^`]*)`", PLAN)
FILES = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("text", sorted({*FAULT_ROWS, *IN_SENTENCES}))
def test_each_fault_of_the_page_can_be_planned(text: str) -> None:
    assert resolve({**BASE, "faults": text}).faults


def test_the_page_has_an_example_of_every_kind_of_fault() -> None:
    kinds = {each.fault.kind for text in FAULT_ROWS for each in parse_faults(text)}
    assert kinds == {*FaultKind}


@pytest.mark.parametrize("objective", OBJECTIVE_ROWS)
def test_each_objective_of_the_page_is_taken_by_a_run_with_such_faults(objective: str) -> None:
    faults = "1s..2s fill memory, 3s restart server, 5s failover, 9s..10s network loss"
    scenario = resolve({**BASE, "faults": f"{faults}, 20s kill worker 1", "slo": objective})
    assert scenario.slo == (objective,)


def test_each_file_of_the_page_can_be_run() -> None:
    assert len(FILES) == 2
    scenarios = [resolve({**BASE, **tomllib.loads(text)}) for text in FILES]
    assert scenarios[0].faults == scenarios[1].faults
    assert len(scenarios[0].faults) == 4


def test_the_page_names_every_kind_that_an_objective_can_be_about() -> None:
    section = PAGE.partition("## Objectives")[2]
    assert {str(kind) for kind in FaultKind} <= {*re.findall(r"`(\w+)`", section)}
