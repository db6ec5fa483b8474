"""Shows how far a command is that makes many runs, on standard error: a panel, or a line a step."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from bench import inert
from bench.reports.console import console_for_progress

_BAR = 50
RecordT = TypeVar("RecordT")
StepT = TypeVar("StepT")


@dataclass(frozen=True)
class JobTexts(Generic[RecordT, StepT]):
    """How the state of one kind of job is shown. A step is None between two runs."""

    runs_of: Callable[[RecordT], int]
    """Returns how many runs have been made."""
    plain_line: Callable[[RecordT, StepT | None], str]
    """Returns the state as one line."""
    panel: Callable[[RecordT, StepT | None, float], Group]
    """Returns the state as a panel; the number is the time since the step began, in seconds."""


@contextlib.contextmanager
def job_view(
    texts: JobTexts[RecordT, StepT], *, is_quiet: bool
) -> Iterator[Callable[[RecordT, StepT | None], None]]:
    """Yields a function that shows each new state of a job; it may be called at any rate.

    With ``is_quiet`` it does nothing.
    """
    if is_quiet:
        yield lambda _record, _step: None
        return
    state: tuple[RecordT, StepT | None, float] | None = None
    console = console_for_progress()

    def note(record: RecordT, step: StepT | None) -> None:
        nonlocal state
        now = (texts.runs_of(record), step)
        if state is None or now != (texts.runs_of(state[0]), state[1]):
            state = (record, step, time.monotonic())
            if console is None:
                sys.stderr.write(inert.line(texts.plain_line(record, step)) + "\n")
                sys.stderr.flush()

    def drawn() -> Group:
        if state is None:
            return Group()
        record, step, began_s = state
        return texts.panel(record, step, time.monotonic() - began_s)

    if console is None:
        yield note
        return
    # Rendered at each refresh, so that the time goes on and a resized terminal is filled correctly.
    with Live(get_renderable=drawn, console=console, refresh_per_second=4, transient=True):
        yield note


def progress_bar(completed: float, total: float) -> Table:
    """Returns a bar of a panel, on a line of its own."""
    bar = Table.grid()  # a progress bar does not end its own line
    bar.add_row(ProgressBar(total=total, completed=completed, width=_BAR))
    return bar
