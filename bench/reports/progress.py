"""The progress of a run: a bar and a few figures on a terminal, plain lines elsewhere."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bench import inert, units
from bench.measure.progress import Progress
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
    last: tuple[str, float] = ("", 0.0)

    def show(progress: Progress) -> None:
        nonlocal last
        phase, at_s = last
        if progress.phase != phase or time.monotonic() - at_s >= _PLAIN_EVERY_S:
            last = (progress.phase, time.monotonic())
            sys.stderr.write(inert.line(plain_line(progress)) + "\n")
            sys.stderr.flush()

    return show


def plain_line(progress: Progress) -> str:
    """Returns the progress as one line of text, for output that is not a terminal."""
    waits = _waits_for(progress)
    return (
        f"{progress.elapsed_s:6.1f} s  {progress.phase:<10}  "
        f"offered {progress.offered_per_s:,}/s  enqueued {progress.enqueued_per_s:,}/s  "
        f"finished {progress.finished_per_s:,}/s  backlog {sum(progress.backlog.values()):,}  "
        f"e2e p50 {units.format_duration(progress.p50_s)} "
        f"p99 {units.format_duration(progress.p99_s)}"
        f"{'' if waits is None else f'  {waits}'}"
    )


def _waits_for(progress: Progress) -> str | None:
    """What the drain waits for, where nothing but leases is left; else None."""
    if progress.leases is None or any(progress.backlog.values()):
        return None
    return progress.leases.sentence


def _panel(scenario: Scenario, progress: Progress) -> Group:
    heading = Text.assemble(
        (scenario.name, "bold"), f"  {progress.phase}  {progress.elapsed_s:.0f} s"
    )
    if progress.planned_s:
        heading.append(f" of {progress.planned_s:.0f} s")
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
    waits = _waits_for(progress)
    return Group(
        inert_text(heading),
        bar,
        Text(rates),
        Text(latency),
        inert_text(Text(backlog, style="dim")),
        *([] if waits is None else [inert_text(Text(waits, style="yellow"))]),
    )


def _share_done(progress: Progress) -> float:
    if progress.planned_tasks:
        done = progress.finished if progress.phase == "draining" else progress.enqueued
        return min(done / progress.planned_tasks, 1.0)
    if progress.planned_s:
        return min(progress.elapsed_s / progress.planned_s, 1.0)
    return 0.0
