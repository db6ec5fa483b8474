"""What the reports of a run say of its faults."""

import itertools
from pathlib import Path
from typing import Any

import msgspec
import pytest
from matplotlib.figure import Figure

from bench.measure.faults import FaultOutcome
from bench.records import run_record
from bench.reports import fault_rows
from bench.reports.data_tables import table_of_faults
from bench.reports.html import run_page
from bench.reports.html.page import page
from bench.reports.markdown.run import markdown
from bench.reports.plots import over_time
from bench.reports.run import print_report
from tests import golden
from tests.records.fixtures import example_record, faulty_record


@pytest.mark.parametrize("width", [100, 120, 60])
def test_a_terminal_shows_a_row_for_each_fault_and_cuts_no_figure(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    print_report(faulty_record(), None)
    out = capsys.readouterr().out
    golden.check(f"faults-{width}.txt", out)
    assert max(map(len, out.splitlines())) <= width
    assert "…" not in out


def test_markdown_shows_the_same() -> None:
    golden.check("run-faults.md.txt", markdown(faulty_record()))


def test_a_page_has_both_tables_and_bands_on_every_time_line() -> None:
    made = page([run_page.section(faulty_record())])
    assert "What each fault did" in made
    assert "When each figure was back" in made
    assert "there are only 2 workers" in made
    pictures = run_page.section(faulty_record()).pictures
    for picture in pictures:
        drawn = picture.inline("x", is_narrow=False)
        assert ("fault, by number" in drawn) == (
            picture.name in ("rates", "backlog", "latency", "cpu")
        )


@pytest.mark.parametrize(("faults", "is_narrow"), [(2, False), (60, False), (60, True)])
def test_numbers_of_faults_that_are_close_do_not_overlap(faults: int, is_narrow: bool) -> None:
    """Some are left out where there is no room, and the first of them never."""
    moments = [3.0 + each * 0.2 for each in range(faults)]
    outcomes = [
        msgspec.structs.replace(outcome(), began_s=each, ended_s=each + 0.1) for each in moments
    ]
    record = msgspec.structs.replace(example_record(), faults=outcomes)
    axes = Figure(figsize=(3.9 if is_narrow else 8.0, 3.0)).add_subplot()
    over_time.time_axis(axes, record.series)
    over_time.draw_faults(axes, record, is_narrow=is_narrow)
    places = [each.get_window_extent() for each in axes.texts]
    assert [each.get_text() for each in axes.texts][:2] == ["1", "2"]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(places, 2))


def test_without_faults_no_report_mentions_any(capsys: pytest.CaptureFixture[str]) -> None:
    record = example_record()
    print_report(record, None)
    made = page([run_page.section(record)])
    for text in (capsys.readouterr().out, markdown(record), made):
        assert "no completion" not in text
        assert "fault, by number" not in text


def outcome(**fields: Any) -> FaultOutcome:
    return FaultOutcome(kind="stall", fault="1s stall server", planned_s=1, began_s=1, **fields)


@pytest.mark.parametrize(
    ("fields", "back"),
    [
        ({"recovered_s": {"a": 1.5, "b": 0.5}}, "after 1.50 s"),
        ({"recovered_s": {"a": 0.0}}, "at once"),
        ({"recovered_s": {"a": 1.5, "b": None}}, "not by the end"),
        ({"recovered_s": {"a": 1.5, "b": None}, "without_level": ("b",)}, "no level before"),
        ({"recovered_s": {"a": None, "b": None}, "without_level": ("b",)}, "not by the end"),
        ({}, "–"),
    ],
)
def test_a_fault_is_back_only_with_every_figure(fields: dict[str, Any], back: str) -> None:
    """Where nothing was measured there is no recovery, not one of zero."""
    assert fault_rows.back_after(outcome(**fields)) == back
    is_known = back.startswith("after") or back == "at once"
    assert (outcome(**fields).recovery_s is not None) == is_known


@pytest.mark.parametrize(
    ("gap", "at_least", "shown"),
    [(1.0, 1.0, "1.00 s"), (1.0, 0.5, "≤ 1.00 s"), (None, 4.0, "≥ 4.00 s"), (None, None, "–")],
)
def test_a_gap_that_is_not_known_exactly_is_told_as_a_bound(
    gap: float | None, at_least: float | None, shown: str
) -> None:
    (row,) = fault_rows.rows([outcome(enqueue_gap_s=gap, enqueue_gap_at_least_s=at_least)])
    assert row[fault_rows.headings([outcome()]).index("no reply")] == shown


def test_the_exported_table_has_a_row_for_each_fault_and_a_column_for_each_figure() -> None:
    table = table_of_faults(faulty_record())
    assert len(table.rows) == 4
    first = dict(zip(table.columns, table.rows[0], strict=True))
    assert (first["recovery_s"], first["recovered{backlog}_s"]) == (1.95, 1.95)
    assert dict(zip(table.columns, table.rows[2], strict=True))["recovered{backlog}_s"] is None


def test_earlier_records_without_faults_are_read(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    written = msgspec.json.decode(run_record.encode(example_record()))
    del written["faults"]
    path.write_bytes(msgspec.json.encode(written))
    assert run_record.load(path).faults == []
    path.write_bytes(run_record.encode(faulty_record()))
    assert run_record.load(path) == faulty_record()
