"""The progress of a sweep: a bar, the time left and the last levels on a terminal, one line for
each trial elsewhere."""

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Group
from rich.table import Table
from rich.text import Text

from bench import units
from bench.analysis import sweep
from bench.records.sweep_record import SweepRecord, SweepTrial
from bench.reports import sweep_text
from bench.reports.figures import counted
from bench.reports.job_view import JobTexts, job_view, progress_bar

OnState = Callable[[SweepRecord, tuple[int, int] | None], None]
"""Takes the record so far and the trial that is under way, None after the last one."""

_SHOWN = 8
"""Trials that a terminal shows, the last ones."""


def opening(record: SweepRecord, path: str) -> str:
    """Returns what is going to be measured, and how long that will take."""
    left = len(record.order) - len(record.trials)
    made = f" ({counted(len(record.trials), 'trial')} already made)" if record.trials else ""
    of = "" if record.run_s is None else f" of {units.format_duration(record.run_s)}"
    return (
        f"{counted(len(record.levels), 'level')}: {counted(left, 'trial')}{of}{made}, "
        f"{_left(record, 0.0)}; saved in {path}"
    )


@contextlib.contextmanager
def sweep_view(is_quiet: bool) -> Iterator[OnState]:
    """Yields a function that shows each new state on standard error; it may be called at any rate.

    With ``is_quiet`` it does nothing.
    """
    texts = JobTexts(lambda record: len(record.trials), plain_line, panel)
    with job_view(texts, is_quiet=is_quiet) as note:
        yield note


def plain_line(record: SweepRecord, trial: tuple[int, int] | None) -> str:
    """Returns the state as one line: the trial, the time left, and what the last one found."""
    parts = [_now(record, trial)]
    if trial is not None:
        parts.append(f"{_left(record, 0.0)} left")
    if record.trials:
        parts.append(_result(record, record.trials[-1]))
    return " · ".join(parts)


def panel(record: SweepRecord, trial: tuple[int, int] | None, elapsed_s: float) -> Group:
    """Returns the state for a terminal, ``elapsed_s`` after its trial began."""
    bar = progress_bar(len(record.trials), len(record.order))
    rows = Table.grid(padding=(0, 2, 0, 0))
    for each in record.trials[-_SHOWN:]:
        rows.add_row(Text(_result(record, each)), style="dim")
    left = f"{_left(record, elapsed_s)} left"
    return Group(Text.assemble((_now(record, trial), "bold")), bar, Text(left), rows)


def _now(record: SweepRecord, trial: tuple[int, int] | None) -> str:
    if trial is None:
        return "all trials are done" if record.is_complete else "the budget ended"
    level, repetition = trial
    again = f" ({repetition} of {record.repeat})" if record.repeat > 1 else ""
    settings = sweep_text.settings_text(record.levels[level].settings)
    return f"trial {len(record.trials) + 1} of {len(record.order)}: {settings}{again}"


def _left(record: SweepRecord, elapsed_s: float) -> str:
    left_s = sweep.left_s(record)
    if left_s is None:
        return "an unknown time"
    return f"about {units.format_duration(max(left_s - elapsed_s, 0.0))}"


def _result(record: SweepRecord, trial: SweepTrial) -> str:
    settings = sweep_text.settings_text(record.levels[trial.level].settings)
    verdict = sweep.verdict_of(trial).replace("_", " ")
    p99 = trial.latency_s.get("p99")
    latency = "" if p99 is None else f", p99 {units.format_duration(p99.value)}"
    return f"{settings}: {verdict}{latency}"
