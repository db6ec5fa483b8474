"""The progress of a run: a bar and a few figures on a terminal, plain lines elsewhere."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bench import inert, units
from bench.measure.progress import Behind, Progress
from bench.reports.console import console_for_progress
from bench.reports.tables import inert_text
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
    with Live(console=console, refresh_per_second=8, transient=True) as live:
        yield lambda progress: live.update(_panel(scenario, progress))


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
        f"{'' if note is None else f'  {note.text}'}"
    )


class NoteKind(Enum):
    """What a note on a run's progress is about."""

    UNSERVED = auto()
    BEHIND = auto()
    DRAIN_TAKES_LONG = auto()
    LEASES = auto()


@dataclass(frozen=True)
class Note:
    """What a user should know about a run while it lasts."""

    kind: NoteKind
    text: str


def note_of(progress: Progress) -> Note | None:
    """Returns that nobody serves the queues, that the run cannot keep up, how long its drain will
    take where that is too long, or which leases it waits for; None where all is well."""
    if progress.unserved:
        return Note(NoteKind.UNSERVED, progress.unserved)
    if progress.behind is not None and progress.phase == "enqueueing":
        return Note(NoteKind.BEHIND, _cannot_keep_up(progress, progress.behind))
    takes_s, left_s = progress.drain_takes_s, progress.drain_left_s
    if takes_s is not None and left_s is not None and takes_s > left_s:
        return Note(
            NoteKind.DRAIN_TAKES_LONG,
            f"{progress.left:,} tasks left at {progress.finished_per_s:,}/s: about "
            f"{units.format_duration(takes_s)}, and --drain-timeout ends it in "
            f"{units.format_duration(left_s)}",
        )
    if progress.leases is not None and not any(progress.backlog.values()):
        return Note(NoteKind.LEASES, progress.leases.sentence)
    return None


def _cannot_keep_up(progress: Progress, behind: Behind) -> str:
    until = (
        ""
        if behind.until_s is None
        else f"; gives up {units.format_duration(behind.until_s)} after its start (--overrun)"
    )
    return (
        f"cannot keep up: {units.format_duration(behind.by_s)} behind the schedule, "
        f"{progress.enqueued_per_s:,}/s of {units.format_rate(behind.asked_per_s)}{until}"
    )


def _panel(scenario: Scenario, progress: Progress) -> Group:
    heading = Text.assemble(
        (scenario.name, "bold"), f"  {progress.phase}  {progress.elapsed_s:.0f} s"
    )
    if progress.planned_s:
        heading.append(f" of {progress.planned_s:.0f} s")
    if progress.gathered is not None:
        return Group(inert_text(heading), Text(progress.gathered.text))
    rates = (
        f"offered {progress.offered_per_s:,}/s   enqueued {progress.enqueued_per_s:,}/s   "
        f"finished {progress.finished_per_s:,}/s"
    )
    latency = (
        f"e2e p50 {units.format_duration(progress.p50_s)}"
        f"   p99 {units.format_duration(progress.p99_s)}"
    )
    backlog = "backlog  " + "  ".join(
        f"{queue} {length:,}" for queue, length in progress.backlog.items()
    )
    bar = Table.grid()  # a progress bar does not end its own line
    bar.add_row(ProgressBar(total=1.0, completed=_share_done(progress), width=50))
    note = note_of(progress)
    return Group(
        inert_text(heading),
        bar,
        Text(rates),
        Text(latency),
        inert_text(Text(backlog, style="dim")),
        *([] if note is None else [inert_text(Text(note.text, style="yellow"))]),
    )


def _share_done(progress: Progress) -> float:
    if progress.planned_tasks:
        done = progress.finished if progress.phase == "draining" else progress.enqueued
        return min(done / progress.planned_tasks, 1.0)
    if progress.planned_s:
        return min(progress.elapsed_s / progress.planned_s, 1.0)
    return 0.0
