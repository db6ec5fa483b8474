"""The progress of a set of faults: a bar, the time left and what each fault did so far on a
terminal, one line for each run elsewhere."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rich.console import Group
from rich.table import Table
from rich.text import Text

from bench import units
from bench.analysis.chaos import runs_left
from bench.records.chaos_record import ChaosCase, ChaosRecord
from bench.reports import chaos_text
from bench.reports.figures import counted
from bench.reports.job_view import JobTexts, job_view, progress_bar
from bench.workload.chaos import meaning_of

OnState = Callable[[ChaosRecord, tuple[ChaosCase, int] | None], None]
"""Takes the record so far and the run that is under way, None after the last one."""

_OVERHEAD_S = 2.5
"""Time of a run beside its enqueueing."""
_TOPOLOGY_S = 4.0
"""Time in which Sentinels of the run's own are started."""


@dataclass(frozen=True)
class _ShownRun:
    record: ChaosRecord
    step: tuple[ChaosCase, int] | None
    began_s: float
    """When the run began, on the monotonic clock."""


def opening(record: ChaosRecord, path: str) -> str:
    """Returns what is going to be made, what is left out, and how long it will take."""
    names = ", ".join(each.name for each in record.cases)
    left = runs_left(record)
    made = f" ({counted(len(record.runs), 'run')} already made)" if record.runs else ""
    lines = [
        f"{names}: {counted(left, 'run')} of {units.format_duration(record.run_s)}{made}, about "
        f"{units.format_duration(left_s(record))} in all; saved in {path}",
        *(f"{each.name} is left out: {each.reason}" for each in record.left_out),
    ]
    return "\n".join(lines)


def left_s(record: ChaosRecord) -> float:
    """Returns the estimated time of the runs that are still to be made, in seconds."""
    took = [each.took_s for each in record.runs if each.file]
    if took:
        return runs_left(record) * sum(took) / len(took)
    extra_s = sum(_TOPOLOGY_S for each in record.cases if each.starts_topology) * record.repeat
    return runs_left(record) * (record.run_s + _OVERHEAD_S) + extra_s


@contextlib.contextmanager
def chaos_view(is_quiet: bool) -> Iterator[OnState]:
    """Yields a function that shows each new state on standard error; it may be called at any rate.

    With ``is_quiet`` it does nothing.
    """
    texts = JobTexts(lambda record: len(record.runs), plain_line, panel)
    with job_view(texts, is_quiet=is_quiet) as note:
        yield note


def plain_line(record: ChaosRecord, step: tuple[ChaosCase, int] | None) -> str:
    """Returns the state as one line: the run, the time left, and what the last fault did."""
    parts = [_now(record, step)]
    if step is not None:
        parts.append(f"about {units.format_duration(left_s(record))} left")
    if record.runs:
        last = record.runs[-1]
        parts.append(f"{last.name}: {last.problem or chaos_text.in_short(last)}")
    return " · ".join(parts)


def panel(record: ChaosRecord, step: tuple[ChaosCase, int] | None, elapsed_s: float) -> Group:
    """Returns the state for a terminal, ``elapsed_s`` after its run began."""
    spent_s = sum(each.took_s for each in record.runs) + elapsed_s
    rest_s = max(left_s(record) - elapsed_s, 0.0)
    bar = progress_bar(spent_s, spent_s + rest_s or 1.0)
    rows = Table.grid(padding=(0, 2, 0, 0))
    for run in record.runs[-len(record.cases) :]:
        rows.add_row(run.name, Text(run.problem or chaos_text.in_short(run)), style="dim")
    now = f"{_now(record, step)}: {meaning_of(step[0].name)}" if step else _now(record, step)
    left = f"about {units.format_duration(rest_s)} left"
    return Group(Text.assemble((now, "bold")), bar, Text(left), rows)


def _now(record: ChaosRecord, step: tuple[ChaosCase, int] | None) -> str:
    if step is None:
        return "all runs are done"
    case, number = step
    made = len(record.runs)
    again = f" ({number} of {record.repeat})" if record.repeat > 1 else ""
    return f"run {made + 1} of {made + runs_left(record)}: {case.name}{again}"
