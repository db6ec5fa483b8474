"""The progress of a capacity search: the current trial, and the bounds found so far."""

import contextlib
import math
from collections.abc import Iterator

from bench import units
from bench.analysis.capacity.effort import held_out_levels
from bench.analysis.capacity.steps import SearchStep
from bench.jobs.capacity_job import OnTrial
from bench.records.capacity_record import CapacityRecord
from bench.reports.status_line import status_line


def opening(record: CapacityRecord, path: str) -> str:
    """Returns what the search is going to measure, and how long that will take."""
    levels = ", ".join(map(str, record.asked))
    checked = held_out_levels(record.asked)
    also = f", then {' and '.join(map(str, checked))} to check the model" if checked else ""
    return (
        f"{record.axis} {levels}{also}; {'; '.join(record.slo)}; trials of "
        f"{units.format_duration(record.effort.final_s)}; about "
        f"{units.format_duration(record.effort.budget_s)}; saved in {path}"
    )


@contextlib.contextmanager
def capacity_view(is_quiet: bool) -> Iterator[OnTrial]:
    """Yields a function that shows each new state of the search on standard error.

    With ``is_quiet`` the function does nothing.
    """
    with status_line(is_quiet) as show:
        yield lambda record, step: show(state_line(record, step))


def state_line(record: CapacityRecord, step: SearchStep | None) -> str:
    """Returns the state of a search as one line."""
    spent_s = math.fsum(trial.took_s for trial in record.trials)
    parts = [f"{spent_s:5.0f} s", _now(record, step)]
    for level in record.levels:
        low, high = units.format_rate(level.lower_per_s), units.format_rate(level.upper_per_s)
        parts.append(f"{record.axis} {level.units}: {low} to {high}")
    return " · ".join(parts)


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
