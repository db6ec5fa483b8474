"""Every report that shows a percentile says how sure it is, or that this is not known."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bench.analysis.history import trends
from bench.analysis.side_by_side import side_by_side
from bench.names import ALL_QUEUES
from bench.records.run_record import RunRecord
from bench.reports import confidence_text, history, side_by_side_text
from bench.reports.html import run_page, side_by_side_page
from bench.reports.markdown import run
from bench.workload.metrics import parse_metric
from tests.cli.conftest import Bench, bench, folder
from tests.records import data
from tests.records.fixtures import example_record
from tests.reports.test_side_by_side import older

__all__ = ["bench", "folder"]

GOLDEN = Path(__file__).parents[1] / "golden"
PERCENTILE = re.compile(r"\bp(50|9\d(\.9+)?)\b|\bmedian", re.IGNORECASE)
FIGURE = re.compile(r"\d (µs|ms|s)\b")
SURE = re.compile(
    r"[Hh]ow sure|95% (confidence|interval)|90% interval|interval: 95%|no interval"
    r"|enclose the median of all such trials"
    # In an annotation of one line: the interval of a change, or that the pairs are too few for it.
    r"|\[[+−][\d.]+, [+−][\d.]+\]|inconclusive: needs"
)
NO_REPORTS: Mapping[str, str] = {
    "help-": "a command's help",
    "panel-": "the view of a run that lasts: docs/confidence.md says that it has no intervals",
    "plain-lines": "likewise",
    "init-": "a scenario",
    "sweep-plan": "what is going to be measured",
    "e2e.hgrm": "a histogram, in a format of others",
    "histograms.hdr": "likewise",
    "series.csv": "a table for programs",
}


def reports() -> list[str]:
    """The golden files that are reports and show a percentile with a figure."""
    found = []
    for path in sorted(GOLDEN.iterdir()):
        if path.suffix not in (".txt", ".xml") or path.name.startswith(tuple(NO_REPORTS)):
            continue
        text = path.read_text(encoding="utf-8")
        if PERCENTILE.search(text) and FIGURE.search(text):
            found.append(path.name)
    return found


def is_sure(text: str) -> bool:
    """Whether a report says how sure its percentiles are, or that this is not known."""
    return bool(SURE.search(" ".join(text.split())))


@pytest.mark.parametrize("name", reports())
def test_every_report_that_was_looked_at_says_how_sure_its_percentiles_are(name: str) -> None:
    assert is_sure((GOLDEN / name).read_text(encoding="utf-8"))


def test_a_percentile_alone_is_not_taken_for_a_sure_one() -> None:
    assert not is_sure("e2e p50 1.31 ms and p99 3.14 ms over 10.0 s")


def test_all_kinds_of_reports_are_looked_at() -> None:
    kinds = [
        *("valid.", "side-by-side.", "gate-", "capacity-", "clients-", "chaos-", "restarts-"),
        *("sweep-", "selftest-"),
    ]
    assert [each for each in kinds if not any(n.startswith(each) for n in reports())] == []


@pytest.mark.parametrize("kind", [[], ["--markdown"]])
@pytest.mark.parametrize("file", data.FORMATS)
def test_a_record_of_an_earlier_version_says_that_it_is_not_known(
    bench: Bench, file: str, kind: list[str]
) -> None:
    outcome = bench("report", str(data.FOLDER / file), *kind)
    assert outcome.code == 0
    assert is_sure(outcome.out)
    if data.FORMATS[file] == "record":
        assert " ".join(outcome.out.split()).count("how sure the percentiles are is not known") == 1


PAGES: Mapping[str, Callable[[RunRecord], list[str]]] = {
    "a run": lambda record: [str(run_page.section(record).view["confidence"])],
    "side by side": lambda record: [
        *side_by_side_page.part([(Path("a.json"), record), (Path("b.json"), record)]).captions
    ],
    "markdown": lambda record: run.markdown(record).splitlines(),
}


@pytest.mark.parametrize("page", PAGES)
def test_pages_explain_margins_and_say_once_of_older_records_that_there_are_none(page: str) -> None:
    record = example_record()
    now, then = "\n".join(PAGES[page](record)), "\n".join(PAGES[page](older(record)))
    assert "95% confidence interval" in now
    assert "is not known" not in now
    assert "95% confidence interval" not in then
    assert then.count("is not known") == 1


def test_side_by_side_a_figure_has_a_margin_exactly_where_its_record_has_an_interval() -> None:
    records = [example_record(), example_record()]
    for row in side_by_side(records).figures:
        cells = side_by_side_text.figure_cells(row, records)
        assert ("±" in cells[1]) == has_interval(row.metric.name, records[0]), row.metric.name


@pytest.mark.parametrize(
    ("statistic", "notes"),
    [
        ("p99", ["± is the larger", "how sure 1 of 2 figures are is not known"]),
        ("p99.9", ["no figure has a confidence", "how sure 1 of 2 figures are is not known"]),
        ("max", []),
    ],
)
def test_a_trend_says_of_how_many_runs_it_is_not_known(statistic: str, notes: list[str]) -> None:
    runs = [older(example_record()), example_record()]
    (trend,) = trends(runs, {"priority": [parse_metric(f"e2e.{statistic}")]})
    said = list(history.how_sure(trend))
    assert len(said) == len(notes)
    assert all(line.startswith(note) for line, note in zip(said, notes, strict=True))


def has_interval(name: str, record: RunRecord) -> bool:
    """Whether the record holds an interval of the metric, looked up by hand."""
    subject, _, statistic = name.partition(".")
    interval, _, queue = subject.partition("{")
    if statistic == "rate":
        field = {"enqueue": "enqueued_per_s", "completed": "completed_per_s"}[interval]
        return record.rates.confidence[field].is_known
    summary = record.latency.get(interval, {}).get(queue.rstrip("}") or ALL_QUEUES)
    field = "p999_s" if statistic == "p99.9" else f"{statistic}_s"
    found = None if summary is None else summary.confidence.get(field)
    return found is not None and confidence_text.margin(0.0, found) is not None
