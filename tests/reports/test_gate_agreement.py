"""Whatever two samples are compared, all reports show the same changes, with the same sign."""

import io
import json
import re
import statistics
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bench.analysis import compare, gate
from bench.analysis.compare import Criteria, Pair
from bench.analysis.rule import Decision
from bench.errors import RecordError
from bench.records import comparison_record
from bench.records.comparison_record import GateRecord
from bench.records.run_record import RunRecord
from bench.reports.figures import signed_share
from bench.reports.gate import text
from bench.reports.gate.github import annotations
from bench.reports.gate.junit import junit
from bench.reports.gate.markdown import markdown
from bench.reports.gate.terminal import render
from bench.reports.html import gate_page
from bench.reports.plots import forest
from bench.workload.metrics import parse_metric
from tests.records import data
from tests.records.fixtures import example_record

EXAMPLE = example_record()
METRICS = ("e2e.p50", "completed.rate")
WIDE = 160

figures = st.floats(1e-4, 10.0)
samples = st.lists(st.tuples(figures, figures), min_size=1, max_size=9)


def measured(figure: float) -> RunRecord:
    """The example with a latency of so many seconds, and a rate of as many thousand tasks."""
    latency = dict(EXAMPLE.latency)
    replaced = msgspec.structs.replace(latency["e2e"]["all"], p50_s=figure)
    latency["e2e"] = {**latency["e2e"], "all": replaced}
    rates = msgspec.structs.replace(EXAMPLE.rates, completed_per_s=figure * 1e3)
    return msgspec.structs.replace(EXAMPLE, latency=latency, rates=rates)


def compared(sample: list[tuple[float, float]]) -> GateRecord:
    pairs: list[Pair] = [(measured(base), measured(candidate)) for base, candidate in sample]
    comparison = compare.compare(pairs, Criteria([parse_metric(each) for each in METRICS]))
    sides = (gate.side("A", "", [base for base, _ in pairs]), gate.side("B", "", []))
    return gate.assemble(comparison, sides, pairs, "bench ab")


def texts_of(made: GateRecord) -> dict[str, str]:
    """Every report as text, in which no line is wrapped."""
    return {
        "terminal": _printed(made, WIDE),
        "narrow terminal": _printed(made, 60),
        "Markdown": markdown(made),
        "JUnit": junit(made),
        "page": " ".join(map(str, _cells(made))),
    }


def _printed(made: GateRecord, width: int) -> str:
    out = io.StringIO()
    console = Console(width=WIDE, file=out, highlight=False)
    for part in render(made, None, width):
        console.print(part)
    return out.getvalue()


def _cells(made: GateRecord) -> list[str]:
    view = gate_page.section(made).view["metrics"]
    return [cell for row in view.rows for cell in row]  # type: ignore[attr-defined]


@given(sample=samples)
def test_every_report_shows_the_same_paired_change_and_the_difference_of_its_medians(
    sample: list[tuple[float, float]],
) -> None:
    made = compared(sample)
    for row in made.rows:
        assert row.base is not None
        assert row.candidate is not None
        assert row.difference == pytest.approx(row.candidate / row.base - 1)
        assert row.paired_change is not None
        change, difference = f"{signed_share(row.paired_change)}%", text.difference(row)
        for name, shown in texts_of(made).items():
            assert change in shown, name
            assert difference in shown, name
        assert change in forest._label(row)
        lines = [line for line in annotations(made) if row.metric in line]
        assert all(change.replace("%", "%25") in line for line in lines)
    written = json.loads(comparison_record.encode(made))
    assert [each["paired_change"] for each in written["rows"]] == [
        each.paired_change for each in made.rows
    ]


@given(sample=samples)
def test_the_same_figures_change_alike_whether_higher_is_better_or_worse(
    sample: list[tuple[float, float]],
) -> None:
    """A latency and a rate of the same figures: one regresses where the other improves."""
    latency, rate = compared(sample).rows
    assert rate.paired_change is not None
    assert rate.paired_change == pytest.approx(latency.paired_change, rel=1e-9, abs=1e-12)
    assert (rate.low is None) == (latency.low is None)
    if rate.low is not None and rate.high is not None:
        assert rate.low == pytest.approx(latency.low, rel=1e-9, abs=1e-12)
        assert rate.high == pytest.approx(latency.high, rel=1e-9, abs=1e-12)
        assert rate.low <= rate.paired_change <= rate.high
    opposite = {Decision.REGRESSION: Decision.IMPROVEMENT, Decision.IMPROVEMENT: "regression"}
    if latency.decision in opposite:
        assert rate.decision == opposite[Decision(latency.decision)]


@given(figure=figures, ratios=st.lists(st.floats(0.5, 2.0), min_size=6, max_size=9))
def test_a_decision_and_the_sign_of_its_change_agree(figure: float, ratios: list[float]) -> None:
    for row in compared([(figure, figure * each) for each in ratios]).rows:
        assert row.paired_change is not None
        is_higher = row.paired_change > 0
        if row.decision == Decision.REGRESSION:
            assert is_higher != text.higher_is_better(row)
        elif row.decision == Decision.IMPROVEMENT:
            assert is_higher == text.higher_is_better(row)


def test_medians_that_contradict_the_pairs_are_explained() -> None:
    """In most pairs the candidate is slower, while the median of its runs is lower."""
    sample = [(1.0, 0.97), (0.42, 0.46), (0.35, 0.41), (0.6, 0.62), (1.55, 1.8), (1.36, 1.61)]
    base, candidate = (statistics.median(each) for each in zip(*sample, strict=True))
    made = compared(sample)
    row = made.rows[0]
    assert row.paired_change is not None
    assert candidate / base - 1 < 0 < row.paired_change
    for name, shown in texts_of(made).items():
        if name != "page":
            assert "the medians differ by −" in shown.replace("\\", ""), name
    assert any("the medians differ by −" in line for line in text.footer(made))


def test_the_first_format_is_read_with_its_changes_turned_to_the_figure() -> None:
    """There a rate that fell by a fifth was written as a quarter worse."""
    path = data.FOLDER / "comparison.json"
    old = {row["metric"]: row for row in json.loads(path.read_text(encoding="utf-8"))["rows"]}
    for row in comparison_record.load(path).rows:
        worse = old[row.metric]["change"]
        wanted = 1 / (1 + worse) - 1 if text.higher_is_better(row) else worse
        assert row.paired_change == pytest.approx(wanted)
    low, change, high = comparison_record.figure_changes(True, (-0.2, 0.25, None))
    assert low is None
    assert (change, high) == pytest.approx((-0.2, 0.25))


def test_a_change_of_the_first_format_that_cannot_be_is_refused(tmp_path: Path) -> None:
    tree = json.loads((data.FOLDER / "comparison.json").read_text(encoding="utf-8"))
    tree["rows"][0]["change"] = -1
    path = tmp_path / "gate.json"
    path.write_text(json.dumps(tree), encoding="utf-8")
    with pytest.raises(RecordError, match=re.escape("below −100%")):
        comparison_record.load(path)
