"""The console that reports are printed to: no text of others does anything there but appear."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rich.console import Console, RenderableType
from rich.text import Text

from bench import inert
from bench.reports.tables import ReportTable, fitting, inert_text

_PLAIN_WIDTH = 100
_LEAST_WIDTH = 20


def console_for_stdout() -> Console:
    """Returns a console on standard output.

    It is as wide as the terminal, or as ``COLUMNS`` says; else 100 columns wide. Names that look
    like markup are printed as they are.
    """
    width = None if sys.stdout.isatty() else _PLAIN_WIDTH
    wanted = os.environ.get("COLUMNS", "")
    if wanted.isdecimal() and int(wanted) > 0:
        width = max(int(wanted), _LEAST_WIDTH)
    return Console(highlight=False, markup=False, emoji=False, width=width)


def console_for_progress() -> Console | None:
    """Returns a console for lines that are updated in place; None where they would be a mess.

    That is the case unless standard error is a terminal that can move its cursor, whatever is said
    about colours.
    """
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    return console if sys.stderr.isatty() and not console.is_dumb_terminal else None


def print_parts(render: Callable[[int], Iterable[RenderableType]]) -> None:
    """Print a report to standard output, one part below the other.

    ``render`` takes the width of the console in columns and returns the parts, top to bottom. A
    part is a line or a table: any other line break in it came with text of others, and is shown as
    ``\\n``. A table that does not fit is printed as lines, so that no figure is cut.
    """
    console = console_for_stdout()
    for part in render(console.width):
        for each in fitting(part, console.width) if isinstance(part, ReportTable) else [part]:
            console.print(each if isinstance(each, ReportTable) else inert_text(each))


def note_line(note: str) -> Text:
    """Returns a line that draws attention to something the reader must know."""
    return Text.assemble(("! ", "bold yellow"), inert.line(note))


def fault_line(fault: str) -> Text:
    """Returns a line that reports a failure."""
    return Text.assemble(("✗ ", "bold red"), inert.line(fault))


def next_lines(steps: Sequence[str]) -> Iterable[Text]:
    """Yields what to do next, a line for each step."""
    for number, step in enumerate(steps):
        yield Text.assemble("      " if number else "next: ", (inert.line(step), "cyan"))


def record_lines(path: Path | None, steps: Sequence[str] = ()) -> Iterable[Text]:
    """Yields the end of a report: what to do next, and last the record's file; nothing without a
    file."""
    if path is not None:
        yield from next_lines(steps)
        yield Text.assemble("record: ", (inert.line(str(path)), "bold"))
