"""The reports of a set of faults: terminal, Markdown, page, progress."""

import io
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from bench.records.chaos_record import LeftOut
from bench.reports import chaos_progress, chaos_text
from bench.reports.chaos import print_chaos, render
from bench.reports.data_tables import table_of
from bench.reports.html import chaos_page
from bench.reports.html.page import page
from bench.reports.markdown.chaos import markdown
from bench.reports.tracked import tracked_values
from tests import golden
from tests.records.chaos_fixtures import case, lossy, outcome, record, row


def text_of(made: object) -> str:
    text = io.StringIO()
    console = Console(width=98, file=text, highlight=False)
    for part in render(made, Path("c.json")):  # type: ignore[arg-type]
        console.print(part)
    return text.getvalue()


def repeated() -> object:
    runs = [
        row("kill", outcome("kill", lost=n, recovered_s={"backlog": n / 10}), number=n)
        for n in range(6)
    ]
    return record(runs=runs, cases=[case("kill", ())], repeat=6, slo=())


@pytest.mark.parametrize(
    ("name", "made"), [("chaos-lossy", lossy), ("chaos-repeated", repeated)], ids=lambda each: each
)
def test_the_report_is_the_one_that_was_looked_at(name: str, made: object) -> None:
    golden.check(f"{name}.txt", text_of(made()))  # type: ignore[operator]


def test_the_sentence_names_every_fault_that_loses_tasks_and_the_longest_way_back() -> None:
    assert "loses tasks with kill (1), restart (12); not back by the end with restart" in (
        chaos_text.sentence(lossy())
    )
    assert chaos_text.sentence(record()).endswith(
        "4 faults: no acknowledged task was lost; back after 1.20 s at the latest (stall)"
    )
    assert chaos_text.sentence(record(runs=[])).endswith("no fault was measured")


def test_the_sentence_says_of_how_many_faults_it_speaks_where_some_were_not_measured() -> None:
    made = record(runs=[row("kill"), row("restart", verdict="unstable")])
    assert "1 of 4 faults: no acknowledged task was lost" in chaos_text.sentence(made)


def test_a_narrow_terminal_shows_each_figure_behind_its_heading(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    print_chaos(lossy(), None)
    told = capsys.readouterr().out.replace("\u00a0", " ").replace("\n", " ")
    assert "kill  lost 1 · twice 0 · again 3" in told
    assert "no completion 330 ms" in told


def test_a_loss_in_one_of_several_runs_is_in_the_sentence_although_the_median_is_none() -> None:
    runs = [row("kill", outcome("kill", lost=40 * (n == 3)), number=n) for n in range(1, 6)]
    made = record(runs=runs, repeat=5)
    assert "loses tasks with kill (40)" in chaos_text.sentence(made)
    assert "0 (0–40)" in text_of(made)


def test_a_run_that_was_not_measured_and_a_fault_that_was_not_made_have_no_figures() -> None:
    made = record(
        runs=[row("kill", verdict="unstable")],
        left_out=(LeftOut(name="failover", reason="no program"),),
    )
    ends = {name: cells for name, *cells in chaos_text.rows(made)}
    assert {cells[-1] for cells in ends.values()} == {"unmeasured", "left out", "not made"}
    assert set(ends["kill"][:-1]) == {"–"}
    assert list(chaos_text.failures(made)) == ["kill: unstable"]


def test_what_is_still_to_be_made_is_told() -> None:
    made = record(runs=[row("kill")], is_complete=False, ended="interrupted")
    assert "3 runs are still to be made" in list(chaos_text.notes(made))
    assert "bench chaos --resume c.json" in text_of(made)


def test_without_objectives_the_report_says_how_a_loss_becomes_a_failure() -> None:
    assert "with --slo 'lost == 0' it exits with 5" in text_of(record(slo=()))
    assert "exits with 5" not in text_of(record())


def test_the_markdown_is_the_one_that_was_looked_at() -> None:
    golden.check("chaos.md.txt", markdown(lossy()))


@pytest.mark.parametrize(
    ("made", "verdict", "tone"),
    [
        (record, "MET", "good"),
        (lambda: record(slo=()), "MEASURED", "good"),
        (lossy, "MISSED", "bad"),
        (lambda: record(runs=[row("kill", verdict="unstable")]), "NOT MEASURED", "bad"),
        (lambda: record(is_complete=False, ended="interrupted"), "INCOMPLETE", "open"),
    ],
)
def test_the_badge_of_the_page(made: object, verdict: str, tone: str) -> None:
    section = chaos_page.section(made())  # type: ignore[operator]
    assert (section.verdict, section.tone) == (verdict, tone)


def test_the_page_has_every_table_and_no_name_acts_as_markup() -> None:
    hostile = LeftOut(name="<b>", reason="<script>alert(1)</script>")
    html = page([chaos_page.section(msgspec.structs.replace(lossy(), left_out=[hostile]))])
    for part in ("What each fault did", "When each figure was back", "Objectives", "6s failover"):
        assert part in html
    assert "<script>alert" not in html


def test_the_progress_tells_the_time_left_and_what_the_last_fault_did() -> None:
    made = record(runs=[row("kill", outcome("kill", lost=1))], is_complete=False, ended="")
    line = chaos_progress.plain_line(made, (made.cases[1], 1))
    assert line == "run 2 of 4: restart · about 51.6 s left · kill: 1 lost, back after 1.20 s"
    assert chaos_progress.plain_line(record(), None).startswith("all runs are done")


def test_the_opening_tells_what_is_made_what_is_left_out_and_how_long_it_takes() -> None:
    made = record(
        runs=[], left_out=(LeftOut(name="failover", reason="no program"),), is_complete=False
    )
    first, second = chaos_progress.opening(made, "c.json").split("\n")
    assert first == (
        "kill, restart, failover, stall: 3 runs of 15.0 s, about 52.5 s in all; saved in c.json"
    )
    assert second == "failover is left out: no program"


def test_the_table_has_a_row_for_each_run_and_the_tracked_values_those_of_each_fault() -> None:
    table = table_of(lossy())
    assert [each[0] for each in table.rows] == ["kill", "restart", "stall"]
    assert all(len(each) == len(table.columns) for each in table.rows)
    values = {
        each.name.rpartition("/")[0].rpartition("/")[2] + each.measure: each.value
        for each in tracked_values(lossy())
    }
    assert values["killlost"] == 1
    assert values["restartlost"] == 12
    assert values["stalllatency"] == 1.2
    assert "restartlatency" not in values  # it was not back
