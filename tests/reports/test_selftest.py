"""The reports of a self-test, on its own and in a run: terminal, Markdown, page, progress."""

import io
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from bench.records.run_record import RunRecord
from bench.records.selftest_record import SelftestProblem, SelftestRecord
from bench.reports import run as run_report
from bench.reports import selftest_progress, selftest_text
from bench.reports.data_tables import table_of
from bench.reports.html import run_page, selftest_page
from bench.reports.html.page import page
from bench.reports.html.section import Table
from bench.reports.markdown import run as run_markdown
from bench.reports.markdown.selftest import markdown
from bench.reports.selftest import render
from bench.reports.tracked import tracked_values
from tests import golden
from tests.records.fixtures import example_record
from tests.records.selftest_fixtures import compared, delay, good, wrong


def text_of(record: SelftestRecord, width: int) -> str:
    text = io.StringIO()
    console = Console(width=width, file=text, highlight=False)
    for part in render(record, Path("s.json"), width):
        console.print(part)
    return text.getvalue()


def attached(selftest: SelftestRecord) -> RunRecord:
    return msgspec.structs.replace(example_record(), selftest=selftest)


@pytest.mark.parametrize("width", [80, 120])
def test_the_report_is_the_one_that_was_looked_at(width: int) -> None:
    golden.check(f"selftest-{width}.txt", text_of(good(), width) + text_of(wrong(), width))


def test_the_markdown_is_the_one_that_was_looked_at() -> None:
    golden.check("selftest.md.txt", markdown(good()) + markdown(wrong()))


def test_the_sentence_says_how_many_checks_agree_or_failed() -> None:
    assert selftest_text.sentence(good()).startswith("selftest: all 7 checks agree, each median to")
    assert selftest_text.sentence(wrong()) == "selftest: 4 of 9 checks failed"
    unclear = good(delays=wrong().delays[-1:])
    assert "3 of 4 checks agree and 1 are unclear" in selftest_text.sentence(unclear)
    assert "nothing was compared" in selftest_text.sentence(good(delays=[], counts=[]))


@pytest.mark.parametrize(
    ("started_at", "age"),
    [
        ("2026-01-15T10:00:00+00:00", "3 days earlier"),
        ("2026-01-12T10:00:00+00:00", "less than a day earlier"),
        ("2026-01-10T09:00:00+00:00", "2 days later"),
        ("2026-01-15T10:00:00", "of unknown age"),
    ],
)
def test_a_run_says_how_old_its_selftest_is(started_at: str, age: str) -> None:
    assert f"selftest of this machine, {age}: all 7" in selftest_text.in_short(good(), started_at)


def test_a_run_shows_its_selftest_in_every_report() -> None:
    run = attached(wrong())
    lines = "\n".join(str(part) for part in run_report.render(run, None, 120))
    for text in (lines, run_markdown.markdown(run), page([run_page.section(run)])):
        assert "quick selftest of this machine" in text.lower()
        assert "5 planted, 4 measured" in text
    assert "selftest" not in run_markdown.markdown(example_record())
    assert "what is known" not in page([run_page.section(example_record())])


@pytest.mark.parametrize(
    ("made", "verdict", "tone"),
    [
        (good(), "AGREES", "good"),
        (wrong(), "DIFFERS", "bad"),
        (good(delays=wrong().delays[-1:]), "UNCLEAR", "open"),
        (good(ended="interrupted"), "INCOMPLETE", "open"),
        (good(delays=[], counts=[]), "DIFFERS", "bad"),
    ],
)
def test_the_badge_of_the_page(made: SelftestRecord, verdict: str, tone: str) -> None:
    section = selftest_page.section(made)
    assert (section.verdict, section.tone) == (verdict, tone)


def test_the_page_has_every_table_and_no_name_acts_as_markup() -> None:
    hostile = SelftestProblem(step="<b>", reason="<script>alert(1)</script>")
    html = page([selftest_page.section(good(problems=[hostile]))])
    for part in (
        "Planted delays",
        "Lost and doubled tasks",
        "How punctually one producer sends",
        "How identical runs differ",
    ):
        assert part in html
    assert "<script>alert" not in html


def test_an_early_end_and_an_unmeasured_delay_are_told() -> None:
    made = good(ended="interrupted", delays=[delay("observer", "e2e", 0.01, measured_samples=0)])
    assert "interrupted after 3 steps: the others are missing" in list(selftest_text.notes(made))
    assert list(selftest_text.failures(made)) == ["e2e, external, 10.0 ms: 0 of 200 tasks measured"]


def test_a_spread_beyond_a_share_is_a_factor() -> None:
    noisy = msgspec.structs.replace(good().noise[0], differs=13.5)
    assert selftest_text.noise_rows(good(noise=[noisy]))[0][-1] == "a factor of 14"


def test_the_table_has_a_row_for_each_statistic_and_the_figures_can_be_tracked() -> None:
    assert len(table_of(good()).rows) == 6
    names = [each.name for each in tracked_values(good())]
    assert names == [
        "selftest/ceiling/embedded server",
        "selftest/ceiling/none",
        "selftest/e2e.p50",
    ]


def test_the_progress_tells_the_step_and_the_failures_so_far() -> None:
    steps = ["delays", "losses", "ceiling", "pacing"]
    late = delay("built-in", "service", 0.1, compared("p50", 0.1, 0.2))
    made = good(ended="", delays=[late])
    assert selftest_progress.plain_line(steps, made, "pacing") == (
        "step 4 of 4: pacing · 4 checks made, 1 failed"
    )
    assert selftest_progress.plain_line(steps, good(), None).startswith("all steps are done")


def test_the_page_has_the_verdict_beside_the_name_and_every_other_cell() -> None:
    """The last of seven columns would be off a narrow screen."""
    table = selftest_page.view(wrong())["delays"]
    assert isinstance(table, Table)
    assert table.columns[:2] == ["interval", "verdict"]
    assert [[row[0], *row[2:], row[1]] for row in table.rows] == selftest_text.delay_rows(wrong())
    assert {table.rows[index][1] for index in table.strong} == {"DIFFERS", "unclear"}
