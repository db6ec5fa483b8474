"""How the progress of a run is drawn on a terminal, over and over in the same place."""

import io
import re

import pytest
from rich.console import Console, ConsoleDimensions

from bench.measure.trend import RunTrend, TrendPoint
from bench.reports.progress import live_view
from tests.records.fixtures import example_record
from tests.reports.test_run import progress

SCENARIO = example_record().scenario
STATE = progress(trend=RunTrend(1, (TrendPoint(3, 0.02),) * 9))
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
UP = "\x1b[1A"


class TerminalOutput(io.StringIO):
    """What a terminal of UTF-8 is sent."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True

    def taken(self) -> str:
        """What was written since the last time."""
        text = self.getvalue()
        self.seek(0)
        self.truncate()
        return text


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Console:
    monkeypatch.delenv("NO_COLOR", raising=False)
    console = Console(
        file=TerminalOutput(), force_terminal=True, width=80, height=24, color_system="standard"
    )
    monkeypatch.setattr("bench.reports.progress.console_for_progress", lambda: console)
    return console


def taken(console: Console) -> str:
    assert isinstance(console.file, TerminalOutput)
    return console.file.taken()


def lines(text: str) -> list[str]:
    """The lines of one drawing, without what moves the cursor or colours them."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", text).split("\n")


def test_each_state_is_drawn_once_and_over_the_one_before(terminal: Console) -> None:
    with live_view(SCENARIO, is_quiet=False) as show:
        show(STATE)
        first = taken(terminal)
        show(STATE)
        second = taken(terminal)
    assert lines(first) == lines(second)
    assert second.count(UP) == len(lines(first)) - 1


def test_nothing_is_drawn_without_a_new_state(terminal: Console) -> None:
    """No thread draws: it would take time from what measures."""
    with live_view(SCENARIO, is_quiet=False) as show:
        show(STATE)
        taken(terminal)
        assert taken(terminal) == ""


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_end_of_any_kind_leaves_the_terminal_as_it_was(
    terminal: Console, error: type[BaseException]
) -> None:

    def draw_and_fail() -> None:
        with live_view(SCENARIO, is_quiet=False) as show:
            show(STATE)
            drawn.append(taken(terminal))
            raise error

    drawn: list[str] = []
    with pytest.raises(error):
        draw_and_fail()
    rest = taken(terminal)
    rows = len(lines(drawn[0]))
    assert drawn[0].count(HIDE) == 1
    assert rest.rindex(SHOW) > rest.rfind(HIDE)
    assert rest.count(f"{UP}\x1b[2K") >= rows
    assert rest.split(SHOW)[1] == "\r" + f"{UP}\x1b[2K" * rows


@pytest.mark.parametrize("width", [79, 40, 20])
def test_in_a_terminal_that_was_made_narrower_the_view_begins_on_a_clear_screen(
    terminal: Console, width: int
) -> None:
    """How it has wrapped the lines that were drawn before is not known."""
    with live_view(SCENARIO, is_quiet=False) as show:
        show(STATE)
        before = lines(taken(terminal))
        terminal.size = ConsoleDimensions(width, 24)
        show(STATE)
        erased, after = taken(terminal).split("\x1b[2J\x1b[H")
    assert erased.count(UP) == sum(-(-max(len(line), 1) // width) for line in before) - 1
    assert max(map(len, lines(after))) < width


def test_in_a_terminal_that_was_made_wider_nothing_is_cleared(terminal: Console) -> None:
    with live_view(SCENARIO, is_quiet=False) as show:
        show(STATE)
        taken(terminal)
        terminal.size = ConsoleDimensions(120, 24)
        show(STATE)
        assert "\x1b[2J" not in taken(terminal)


def test_colours_are_left_out_where_they_are_not_wanted(
    terminal: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    with live_view(SCENARIO, is_quiet=False) as show:
        show(STATE)
        coloured = taken(terminal)
        terminal.no_color = True
        show(STATE)
        plain = taken(terminal)
    assert "\x1b[32m" in coloured
    assert not re.search(r"\x1b\[(\d+;)*[34]\d(;\d+)*m", plain)
    assert lines(coloured) == lines(plain)


def test_quiet_draws_nothing(terminal: Console) -> None:
    with live_view(SCENARIO, is_quiet=True) as show:
        show(STATE)
    assert taken(terminal) == ""
