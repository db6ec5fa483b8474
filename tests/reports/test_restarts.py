"""The report of a run that was repeated."""

import html
import io
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from bench.measure.confidence import ConfidenceInterval
from bench.measure.priorities import Inversion
from bench.records.restarts_record import RestartsRecord, Spread, StartedRun
from bench.records.run_record import SloResult
from bench.reports.html import restarts_page
from bench.reports.html.page import page
from bench.reports.plots.restarts import restarts_pictures
from bench.reports.restarts import render
from bench.reports.restarts_text import explanation, figures, sentence, start_rows
from tests import golden
from tests.records.fixtures import example_record

ALIKE = Spread(
    metric="e2e.p50", values=[1.0, 1.0], between=0.012, between_low=0.0, between_high=0.031
)
UNPROVEN = Spread(
    metric="e2e.p50",
    values=[1.0, 1.03, 0.98],
    between=0.025,
    between_low=0.0,
    between_high=0.159,
    error=0.004,
)
WIDE = Spread(
    metric="e2e.p50",
    values=[0.01, 9.0, 8.0],
    between=3.9,
    between_low=2.0,
    between_high=24.5,
    within=0.9,
)
OLDER = Spread(metric="e2e.p50", values=[1.0, 2.0], between=0.5, within=0.1)
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

VALID = [StartedRun(file=f"r-{n}.json", verdict="valid") for n in (1, 2, 3)]


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
                metric="completed.rate",
                values=[850.0, 849.0, 851.0],
                between=0.0,
                between_low=0.0,
                between_high=0.006,
                within=0.05,
            ),
            Spread(
                metric="e2e.p50",
                values=[0.2, 0.5, 0.21],
                intervals=[
                    ConfidenceInterval(low=0.195, high=0.206),
                    ConfidenceInterval(withheld="periods", periods=3.0),
                    None,
                ],
                between=0.51,
                between_low=0.264,
                between_high=3.22,
                error=0.03,
                pooled=0.22,
                low=0.075,
                high=1.02,
            ),
            Spread(metric="e2e{inference_high}.p50", values=[0.2, None, 0.21], between=0.02),
        ],
        **changes,
    }
    return RestartsRecord(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [80, 98])
def test_starts_that_differ_are_told_with_what_differs(width: int) -> None:
    text = io.StringIO()
    console = Console(width=width, file=text, highlight=False)
    for part in render(record(), Path("r.json")):
        console.print(part)
    golden.check(f"restarts-{width}.txt", text.getvalue())


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {},
            "one run is not enough: 3 starts differ by 51% in e2e.p50 (95% confidence: 26.4% to "
            "322%; within one: 3%)",
        ),
        ({"spreads": [ALIKE]}, "one run is enough: 3 starts differ by 3.1% at most, in e2e.p50"),
        (
            {"spreads": [UNPROVEN]},
            "3 starts do not show whether one run is enough: they differ by 2.5% in e2e.p50 (95% "
            "confidence: 0% to 15.9%); some 9 starts may show it",
        ),
        ({"spreads": [WIDE]}, "200% to 2,450%; how much of that is within one is not known"),
        ({"spreads": [OLDER]}, "and how sure that is, is not known"),
        ({"runs": [StartedRun(file="r-1.json", verdict="valid")]}, "1 start, too few to compare"),
    ],
)
def test_the_answer_says_whether_one_run_is_enough(changes: dict[str, object], told: str) -> None:
    assert told in sentence(record(**changes))


def test_a_spread_from_second_to_second_is_marked_and_explained() -> None:
    assert figures(WIDE)[-1] == "90% *"
    assert any(line.startswith("*: ") for line in explanation(record(spreads=[WIDE])))
    assert figures(UNPROVEN)[-1] == "0.4%"
    assert not any(line.startswith("*: ") for line in explanation(record(spreads=[UNPROVEN])))


def test_each_start_has_its_figure_and_how_sure_it_is() -> None:
    assert [row[4] for row in start_rows(record())] == [
        "200 ms (195 ms to 206 ms)",
        "500 ms (?)",
        "210 ms (?)",
    ]


def test_a_start_that_was_cut_short_has_no_figures_and_moves_none_to_another() -> None:
    cut = StartedRun(file="r-0.json", verdict="incomplete")
    rows = start_rows(record(runs=[cut, *record().runs]))
    assert rows[0] == ["1", "r-0.json", "incomplete", "–", "–", "–"]
    assert rows[1][4] == "200 ms (195 ms to 206 ms)"


VERDICTS = {
    "not valid": (record(), "1 OF 3 STARTS NOT VALID"),
    "different": (record(runs=VALID), "ONE RUN IS NOT ENOUGH"),
    "alike": (record(runs=VALID, spreads=[ALIKE]), "ONE RUN IS ENOUGH"),
    "unproven": (record(runs=VALID, spreads=[UNPROVEN]), "TOO FEW STARTS TO TELL"),
    "older": (record(runs=VALID, spreads=[OLDER]), "NOT KNOWN HOW SURE"),
    "nothing": (record(runs=VALID[:1], spreads=[]), "TOO FEW STARTS TO COMPARE"),
    "interrupted": (record(runs=VALID, is_complete=False), "INCOMPLETE"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", VERDICTS)
def test_a_page_has_the_answer_every_start_and_a_picture_of_each_metric(name: str) -> None:
    made, verdict = VERDICTS[name]
    section = restarts_page.section(made)
    assert section.verdict == verdict
    text = page([section])
    assert html.escape(sentence(made)) in text
    assert all(run.file in text for run in made.runs)
    assert [f"starts-{n}" for n, _ in enumerate(made.spreads, 1)] == [
        each.name for each in section.pictures
    ]
    assert text.count("<figure>") == len(made.spreads)
    for picture in section.pictures:
        ElementTree.fromstring(picture.file("svg"))  # noqa: S314 - our own


def test_what_a_picture_does_not_know_its_caption_says() -> None:
    captions = [each.caption for each in restarts_pictures(record())]
    assert "of 2 of the starts it is not known how sure their figure is" in captions[1]
    assert "of 3 of the starts" in captions[0]
    assert "percentile of the tasks of all starts together" in captions[1]
    assert "together" not in captions[0]
