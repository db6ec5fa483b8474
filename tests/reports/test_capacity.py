"""A capacity search at a terminal and as a page."""

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from bench.analysis.capacity.plan import make_plan
from bench.analysis.capacity.plan_request import PlanRequest
from bench.records.capacity_record import CapacityRecord
from bench.reports import capacity, plan
from bench.reports.html import capacity_page
from bench.reports.html.page import page
from tests.records.capacity_fixtures import broken, found, hopeless, new_record

pytestmark = pytest.mark.slow

RECORDS: dict[str, Callable[[], CapacityRecord]] = {
    "found": found,
    "broken": broken,
    "none": hopeless,
    "begun": lambda: new_record([1, 2]),
}


def at_terminal(parts: object, width: int) -> str:
    text = io.StringIO()
    console = Console(width=width, file=text, highlight=False)
    for part in parts:  # type: ignore[attr-defined]
        console.print(part)
    return text.getvalue()


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("width", [80, 100])
def test_the_answer_comes_first_and_no_figure_is_cut(name: str, width: int) -> None:
    text = at_terminal(capacity.render(RECORDS[name](), None), width)
    assert text.startswith(
        "8 slots on valkey" if name == "found" else ("4 slots", "No tested rate", "No rate was")
    )
    assert "…" not in text


def test_a_rejected_model_is_reported_at_the_top() -> None:
    lines = at_terminal(capacity.render(broken(), None), 100).splitlines()
    assert any("scaling law is rejected" in line for line in lines[:8])
    assert any(", rejected" in line for line in lines)


@pytest.mark.parametrize("rate", [10.0, 400.0, 1000.0, 90_000.0])
def test_a_plan_answers_first_and_cuts_no_figure(rate: float) -> None:
    made = make_plan(found(), PlanRequest(rate_per_s=rate, headroom=0.3))
    text = at_terminal(plan.render(made), 100)
    chosen = made.chosen
    assert text.startswith("The record does not show" if chosen is None else f"{chosen.units} slot")
    assert "…" not in text


@pytest.mark.parametrize("name", RECORDS)
def test_every_state_of_a_search_makes_a_page(name: str) -> None:
    text = page([capacity_page.section(RECORDS[name]())])
    assert "<script" not in text
    assert len(text) < 2_000_000
    for objective in RECORDS[name]().slo:
        assert objective.replace("<", "&lt;") in text


def test_the_page_shows_every_trial_and_every_check() -> None:
    text = page([capacity_page.section(found())])
    assert all(trial.file in text for trial in found().trials)
    assert text.count(", confirmed") + text.count(", rejected") >= len(found().predictions)
