"""Text of others is shown in a terminal, and does nothing else there."""

import io
import json
import sys
import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from bench import inert
from bench.inert import in_json
from bench.records.run_record import RecordWarning
from bench.reports.console import console_for_progress, fault_line, note_line, print_parts
from bench.reports.run import print_report
from bench.reports.tables import fitting, inert_text, plain_table
from tests.records.fixtures import example_record

HOSTILE = "in_[/red]\x1b[31m\x9b2J\u202eevil\u2028\nVALID\x7f"
SHOWN = r"in_[/red]\x1b[31m\x9b2J\u202eevil\u2028\nVALID\x7f"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("queue_1 日本 ±", "queue_1 日本 ±"),
        ("no\u00a0break", "no\u00a0break"),
        (HOSTILE, SHOWN),
        ("a\tb\rc\0", r"a\tb\rc\x00"),
        ("\u200e\u2066\ufeff\udcff", r"\u200e\u2066\ufeff\udcff"),
    ],
)
def test_what_no_reader_sees_is_written_out(text: str, shown: str) -> None:
    assert inert.visible(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::error::x", r"\x3a:error::x"),
        ("see ::stop-commands::x", r"see \x3a:stop-commands::x"),
        ("##[error]x", r"\x23#[error]x"),
        ("a::b 1:2", "a::b 1:2"),
    ],
)
def test_a_line_holds_no_command_of_a_ci_system(text: str, shown: str) -> None:
    """A name may begin a line of the log, by itself or where the line is wrapped."""
    assert inert.line(text) == shown


def test_styles_stay_with_their_letters() -> None:
    text = inert_text(Text.assemble(("a\x1b", "bold"), "b\x1b", ("c", "red")))
    assert text.plain == r"a\x1bb\x1bc"
    assert [text.plain[each.start : each.end] for each in text.spans] == [r"a\x1b", "c"]


def test_a_hostile_record_is_only_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Names, warnings and what the server says of itself."""
    record = example_record()
    queues = {HOSTILE: record.counts, **record.queues}
    latency = {
        interval: {**by_queue, HOSTILE: by_queue["all"]}
        for interval, by_queue in record.latency.items()
    }
    print_report(
        msgspec.structs.replace(
            record,
            queues=queues,
            latency=latency,
            warnings=[RecordWarning(code="x", message=HOSTILE)],
            scenario=msgspec.structs.replace(record.scenario, name=HOSTILE),
            attribution=HOSTILE,
            server={"product": HOSTILE, "version": HOSTILE, "address": HOSTILE},
        ),
        None,
    )
    out = capsys.readouterr().out
    assert {each for each in out if not each.isprintable()} == {"\n"}
    assert out.count(SHOWN) >= 2


@pytest.mark.parametrize("line", [note_line, fault_line])
def test_a_message_is_one_line(line: object) -> None:
    assert callable(line)
    assert line("a\nVALID b").plain.endswith(r"a\nVALID b")


NAMES = ("q" * 60, "in_[/red]", "日本" * 20)


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_no_figure_of_a_table_is_cut(width: int) -> None:
    """Names wrap; where even that leaves too little, each row becomes a line."""
    table = plain_table("queue", "p50", "p99", "count", text_columns=1)
    for name in NAMES:
        table.add_row(name, "123.4 ms", "1,234.5 ms", "1,234,567")
    out = io.StringIO()
    console = Console(file=out, width=width, markup=False)
    for part in fitting(table, width):
        console.print(part)
    text = out.getvalue()
    together = "".join(text.split())
    assert "…" not in text
    for figure in ("123.4ms", "1,234.5ms", "1,234,567"):
        assert together.count(figure) == 3
    assert "in_[/red]" in text


def test_a_name_that_rows_share_is_in_each_of_their_lines() -> None:
    table = plain_table("queue", "interval", "p50", text_columns=2)
    table.add_row("a", "e2e", "1 ms")
    table.add_row("", "enqueue", "2 ms")
    lines = [str(each).replace("\u00a0", " ") for each in fitting(table, 10)]
    assert lines == ["a  interval e2e · p50 1 ms", "a  interval enqueue · p50 2 ms"]


def test_a_width_that_was_asked_for_is_used(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    widths: list[int] = []

    def render(width: int) -> list[Text]:
        widths.append(width)
        return []

    for columns in ("40", "1", "none", ""):
        monkeypatch.setenv("COLUMNS", columns)
        print_parts(render)
    assert widths == [40, 20, 100, 100]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("is_terminal", [True, False])
@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_only_a_terminal_that_can_gets_lines_that_move(
    monkeypatch: pytest.MonkeyPatch, is_terminal: bool, term: str
) -> None:
    """Colours that are asked for in a log do not make it a terminal."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    assert (console_for_progress() is not None) == (is_terminal and term == "xterm")


@given(st.text())
def test_json_means_the_same_and_no_terminal_acts_upon_it(text: str) -> None:
    shown = in_json(json.dumps(text, ensure_ascii=False))
    assert json.loads(shown) == text
    assert not any(unicodedata.category(each) in ("Cc", "Cf", "Zl", "Zp") for each in shown)


@pytest.mark.parametrize("letter", ["\x7f", "\x9b", "\u202e", "\u2028", "\ufeff", "\U000e0041"])
def test_each_of_them_is_escaped_in_json(letter: str) -> None:
    assert in_json(f'"{letter}"') == json.dumps(letter)
