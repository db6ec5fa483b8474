"""A capacity search as a terminal report: the answer first."""

from collections.abc import Iterable
from pathlib import Path

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from bench import inert, units
from bench.analysis.capacity import answer
from bench.analysis.capacity.evidence import saturation_trial
from bench.records import capacity_record
from bench.records.capacity_record import CapacityRecord, LevelRow, Prediction
from bench.reports import confidence_text, next_steps
from bench.reports.console import note_line, print_parts, record_lines
from bench.reports.tables import plain_table


def print_capacity(record: CapacityRecord, path: Path | None) -> None:
    """Print the report to standard output; ``path`` is where the record was saved, if it was."""
    print_parts(lambda _: render(record, path))


def render(record: CapacityRecord, path: Path | None) -> Iterable[RenderableType]:
    """Returns the parts of the report, top to bottom."""
    yield Text(answer.sentence(record), style="bold")
    for note in answer.notes(record):
        yield note_line(note)
    command = answer.continuation(record, path)
    if command:
        yield Text.assemble("continue with: ", (inert.line(command), "bold"))
    yield ""
    yield _levels(record)
    if record.predictions:
        yield ""
        yield _predictions(record)
    yield ""
    yield Text(how_sure(record), style="dim")
    yield from (Text(line, style="dim") for line in models(record))
    steps = [] if path is None else next_steps.after_capacity(record, path)
    yield from record_lines(path, steps)


def level_name(level: LevelRow) -> str:
    """Returns the level's number, marked where it was predicted before it was measured."""
    return f"{level.units}{' (predicted)' if level.is_held_out else ''}"


def level_headings(record: CapacityRecord) -> tuple[str, ...]:
    """Returns the headings of the table of levels."""
    return (record.axis, "saturation", "sustained", "fails at", "trials", "how it fails")


def level_cells(record: CapacityRecord, level: LevelRow) -> tuple[str, ...]:
    """Returns the figures of one level, in the order of its headings."""
    trials = [each for each in record.trials if each.units == level.units]
    return (
        level_name(level),
        saturation_cell(record, level),
        answer.sustained_cell(record, level),
        units.format_rate(level.upper_per_s),
        str(sum(each.purpose == "search" for each in trials)),
        level.limit,
    )


def _levels(record: CapacityRecord) -> Table:
    first, *figures, last = level_headings(record)
    table = plain_table(first, text_columns=1)
    for name in figures:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column(last, overflow="fold")
    for level in record.levels:
        table.add_row(*level_cells(record, level))
    return table


_KINDS = {"interior": " (interpolated)", "extrapolated": " (extrapolated)", "load": ""}
"""How a prediction was made, by its kind in the record; a prediction under load names its rate."""


def how_sure(record: CapacityRecord) -> str:
    """Returns what the margins of the figures mean, or that the record has none."""
    text = "the limit lies between sustained and fails at"
    if has_intervals(record):
        return f"{text}; {EXPLANATION_OF_TRIALS}"
    return (
        f"{text}; how sure saturation and measured latencies are is not known: the record has no "
        "intervals"
    )


EXPLANATION_OF_TRIALS = (
    "± is the larger side of the 95% confidence interval of one trial alone; a trial's figure "
    "without it has none, and the report of its record says why"
)


def has_intervals(record: CapacityRecord) -> bool:
    """Whether the trials of a record say how sure their figures are, as those of an older version
    do not."""
    return any(each.completed_confidence or each.e2e_confidence for each in record.trials)


def saturation_cell(record: CapacityRecord, level: LevelRow) -> str:
    """Returns the throughput of a level's saturated workers, with its margin."""
    found = saturation_trial(record, level.units)
    is_known = found is not None and found.completed_per_s == level.saturation_per_s
    sure = found.completed_confidence if found is not None and is_known else None
    return confidence_text.rate(level.saturation_per_s, sure)


PREDICTION_HEADINGS = ("prediction", "predicted", "90% interval", "measured", "error")


def _predictions(record: CapacityRecord) -> Table:
    first, *figures = PREDICTION_HEADINGS
    table = plain_table(first, text_columns=1)
    for name in figures:
        table.add_column(name, justify="right", no_wrap=True)
    for prediction in record.predictions:
        table.add_row(*prediction_cells(prediction, record.axis))
    return table


def prediction_cells(prediction: Prediction, axis: str) -> tuple[str, str, str, str, str]:
    """Returns the cells of a prediction: subject, value, 90% interval, measured value, outcome."""
    form = units.format_rate if prediction.what == "capacity" else units.format_duration
    subject = f"{prediction.what} with {answer.counted_units(prediction.units, axis)}"
    if prediction.rate_per_s is not None:
        subject += f" at {units.format_rate(prediction.rate_per_s)}"
    interval = f"{form(prediction.low)} to {form(prediction.high)}"
    measured = form(prediction.measured)
    if prediction.what == "e2e.p99":
        measured = confidence_text.seconds(prediction.measured, prediction.measured_confidence)
    if prediction.measured_low is not None:
        measured = f"{form(prediction.measured_low)} to {form(prediction.measured_high)}"
    return (
        f"{subject}{_KINDS[prediction.kind]}",
        form(prediction.value),
        interval,
        measured,
        _outcome(prediction),
    )


def _outcome(prediction: Prediction) -> str:
    if prediction.error is None:
        return "not measured"
    error = f"{prediction.error:+.1%}"
    return f"{error}, {'rejected' if capacity_record.missed(prediction) else 'confirmed'}"


def models(record: CapacityRecord) -> Iterable[str]:
    """Yields the scaling law, and what a task costs Redis, where they are known."""
    scaling, redis = record.scaling, record.redis
    if scaling is not None:
        peak_low, peak_high = scaling.peak_interval
        peak = f"{peak_low:.3g} to {'∞' if peak_high is None else f'{peak_high:.3g}'}"
        yield (
            f"scaling law: {units.format_rate(scaling.gamma)} with "
            f"{answer.counted_units(1, record.axis)}, contention "
            f"{round(scaling.alpha, 9):.3g}, coherency {round(scaling.beta, 9):.2g}, "
            f"peak at {peak} {record.axis}"
        )
    if redis is not None and redis.cpu_us_per_task is not None:
        yield (
            f"Redis: {redis.cpu_us_per_task:.0f} µs of CPU per task at the highest level; one core "
            f"saturates at about {units.format_rate(redis.ceiling_per_s)}; "
            f"{units.format_bytes(redis.memory_bytes_per_queued_task)} of memory per queued task"
        )
