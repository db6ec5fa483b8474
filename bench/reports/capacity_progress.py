"""The progress of a capacity search: a bar, the time left and the bounds of each level on a
terminal, one line for each trial elsewhere."""

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Group
from rich.table import Table
from rich.text import Text

from bench import units
from bench.analysis.capacity import answer, budget, models
from bench.analysis.capacity.steps import SearchStep, levels_to_search
from bench.records.capacity_record import CapacityRecord
from bench.reports.job_view import JobTexts, job_view, progress_bar

OnState = Callable[[CapacityRecord, SearchStep | None], None]
"""Takes the search so far and the trial that is under way, None after the last one."""


@contextlib.contextmanager
def search_view(is_quiet: bool) -> Iterator[OnState]:
    """Yields a function that shows each new state of a search on standard error.

    It may be called at any rate. With ``is_quiet`` it does nothing.
    """
    texts = JobTexts(lambda record: len(record.trials), plain_line, panel)
    with job_view(texts, is_quiet=is_quiet) as note:
        yield note


def plain_line(record: CapacityRecord, step: SearchStep | None) -> str:
    """Returns the state of a search as one line: time, trial, time left, the level's bounds."""
    parts = [f"{budget.spent_s(record):5.0f} s", _now(record, step)]
    if step is not None:
        parts.append(f"at most {_left(record, 0.0)} left")
    level = None if step is None else models.level_of(record, step.units)
    if level is not None and step is not None and step.purpose == "search":
        parts.append(f"holds {answer.sustained_cell(record, level)}")
        parts.append(f"fails {units.format_rate(level.upper_per_s)}")
    return " · ".join(parts)


def panel(record: CapacityRecord, step: SearchStep | None, elapsed_s: float) -> Group:
    """Returns the state of a search for a terminal, ``elapsed_s`` after its trial began."""
    spent_s = budget.spent_s(record) + elapsed_s
    share = min(spent_s / record.effort.budget_s, 1.0)
    bar = progress_bar(share, 1.0)
    spent = f"{units.format_duration(spent_s)} of {units.format_duration(record.effort.budget_s)}"
    return Group(
        Text.assemble((_now(record, step), "bold")),
        bar,
        Text(f"{spent}, at most {_left(record, elapsed_s)} left"),
        _levels(record, step),
    )


def _levels(record: CapacityRecord, step: SearchStep | None) -> Table:
    """Returns a row for each level: the rate that holds, in brackets while unproven, and the one
    that fails."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(4):
        table.add_column(no_wrap=True)
    for number in levels_to_search(record):
        level = models.level_of(record, number)
        is_current = step is not None and step.units == number
        if level is None:
            cells = ["", "", "searching" if is_current else "not begun"]
        else:
            cells = [
                f"holds {answer.sustained_cell(record, level)}",
                f"fails {units.format_rate(level.upper_per_s)}",
                "settled" if level.is_settled else "searching" if is_current else "not proven",
            ]
        table.add_row(f"{record.axis} {number}", *cells, style="bold" if is_current else "dim")
    return table


def _left(record: CapacityRecord, elapsed_s: float) -> str:
    return units.format_duration(max(budget.left_s(record) - elapsed_s, 0.0))


def _now(record: CapacityRecord, step: SearchStep | None) -> str:
    if step is None:
        return "all trials are done"
    what = {
        "fill": "filling a queue",
        "saturation": f"{record.axis} {step.units}, saturation",
        "search": f"{record.axis} {step.units} at {units.format_rate(step.rate_per_s)}",
        "load": f"{record.axis} {step.units} at {units.format_rate(step.rate_per_s)}, a check",
    }[step.purpose]
    return f"trial {len(record.trials) + 1}: {what}"
