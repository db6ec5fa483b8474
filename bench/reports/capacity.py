"""A capacity search as a terminal report: the answer first."""

from collections.abc import Iterable
from pathlib import Path

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from bench import inert, units
from bench.analysis.capacity import answer
from bench.records.capacity_record import CapacityRecord, LevelRow
from bench.reports import next_steps
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
    yield Text(HOW_SURE, style="dim")
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
        units.format_rate(level.saturation_per_s),
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


HOW_SURE = (
    "the limit lies between sustained and fails at; saturation, and a latency that was measured, "
    "are figures of one trial each, and the report of its record says how sure they are"
)
PREDICTION_HEADINGS = ("prediction", "predicted", "90% interval", "measured", "error")


def _predictions(record: CapacityRecord) -> Table:
    first, *figures = PREDICTION_HEADINGS
    table = plain_table(first, text_columns=1)
    for name in figures:
        table.add_column(name, justify="right", no_wrap=True)
    for prediction in record.predictions:
        table.add_row(*answer.prediction_cells(prediction, record.axis))
    return table


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
