"""The progress of a run: a bar and a few figures on a terminal, plain lines elsewhere."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from rich.console import Console, Group
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType
from rich.text import Text

from bench import inert, units
from bench.measure.progress import Progress
from bench.reports import until_text
from bench.reports.console import console_for_progress
from bench.reports.run_notes import note_of
from bench.reports.run_panel import PanelSize, panel
from bench.workload.scenario import Scenario

_PLAIN_EVERY_S = 5.0


@contextlib.contextmanager
def live_view(scenario: Scenario, is_quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Yields a function that shows each new state of the run on standard error.

    With ``is_quiet`` the function does nothing.
    """
    if is_quiet:
        yield lambda _: None
        return
    console = console_for_progress()
    if console is None:
        yield _plain_lines()
        return
    # Drawn with each progress, which comes four times a second, and by no thread of its own.
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield _drawn_in_place(live, console, scenario)


def _drawn_in_place(live: Live, console: Console, scenario: Scenario) -> Callable[[Progress], None]:
    """Draws the panel over the one before, whatever the size of the terminal is by then."""
    drawn: list[Text] = []
    drawn_width = 0

    def show(progress: Progress) -> None:
        nonlocal drawn, drawn_width
        width, height = console.size
        if width < drawn_width:
            console.control(_erased(drawn, width), Control.clear(), Control.home())
        size = PanelSize(width - 1, height - 1, is_ascii=console.options.ascii_only)
        drawn, drawn_width = panel(scenario, progress, size), width
        live.update(Group(*drawn), refresh=True)

    return show


def _erased(lines: Sequence[Text], width: int) -> Control:
    """Erases lines that were drawn in a terminal which has been made narrower since.

    How many rows they take up by now is not known for certain: most terminals wrap them, some cut
    them, and some wrap the blanks behind them as well. So the screen is cleared after this, which
    many terminals do by scrolling it away: the less of these lines is left, the better.
    """
    rows = sum(max(line.cell_len - 1, 0) // width + 1 for line in lines)
    one: list[ControlType | tuple[ControlType, int]] = [
        ControlType.CARRIAGE_RETURN,
        (ControlType.ERASE_IN_LINE, 2),
        (ControlType.CURSOR_UP, 1),
    ]
    return Control(*one * (rows - 1))


def _plain_lines() -> Callable[[Progress], None]:
    """Writes a line every few seconds, and at once where a phase begins or something new is said
    about what the run waits for."""
    said: set[tuple[object, ...]] = set()
    at_s = 0.0

    def show(progress: Progress) -> None:
        nonlocal at_s
        note = note_of(progress)
        kind = (progress.phase, progress.gathered, None if note is None else note.kind)
        if kind not in said or time.monotonic() - at_s >= _PLAIN_EVERY_S:
            said.add(kind)
            at_s = time.monotonic()
            sys.stderr.write(inert.line(plain_line(progress)) + "\n")
            sys.stderr.flush()

    return show


def plain_line(progress: Progress) -> str:
    """Returns the progress as one line of text, for output that is not a terminal."""
    if progress.gathered is not None:
        return f"{progress.elapsed_s:6.1f} s  {progress.phase:<10}  {progress.gathered.text}"
    note = note_of(progress)
    return (
        f"{progress.elapsed_s:6.1f} s  {progress.phase:<10}  "
        f"offered {progress.offered_per_s:,}/s  enqueued {progress.enqueued_per_s:,}/s  "
        f"finished {progress.finished_per_s:,}/s  backlog {sum(progress.backlog.values()):,}  "
        f"e2e p50 {units.format_duration(progress.p50_s)} "
        f"p99 {units.format_duration(progress.p99_s)}"
        f"{''.join(f'  {until_text.now(look)}' for look in progress.analyses)}"
        f"{'' if note is None else f'  {note.text}'}"
    )
