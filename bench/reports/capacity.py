"""A search for capacity for a person at a terminal: the answer first."""

from collections.abc import Iterable
from pathlib import Path

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from bench import units
from bench.analysis.capacity import answer
from bench.records.capacity_record import CapacityRecord
from bench.reports.console import console_for_stdout
from bench.reports.tables import plain_table


def print_capacity(record: CapacityRecord, path: Path | None) -> None:
    """Print it; ``path`` is where the record was saved."""
    console = console_for_stdout()
    for part in render(record, path):
        console.print(part)


def render(record: CapacityRecord, path: Path | None) -> Iterable[RenderableType]:
    """The parts of the report, from the top."""
    yield Text(answer.sentence(record), style="bold")
    for note in answer.notes(record):
        yield Text.assemble(("! ", "bold yellow"), note)
    yield ""
    yield _levels(record)
    if record.predictions:
        yield ""
        yield _predictions(record)
    yield ""
    yield from _models(record)
    if path is not None:
        yield Text.assemble("record: ", (str(path), "bold"))


def _levels(record: CapacityRecord) -> Table:
    table = plain_table(record.axis, text_columns=1)
    for name in ("as fast as they go", "holds", "does not", "trials"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("what gives way", overflow="fold")
    for level in record.levels:
        made = [each for each in record.trials if each.units == level.units]
        table.add_row(
            f"{level.units}{' (checked)' if level.is_held_out else ''}",
            units.format_rate(level.saturation_per_s),
            units.format_rate(level.lower_per_s),
            units.format_rate(level.upper_per_s),
            str(sum(each.purpose == "search" for each in made)),
            level.limit,
        )
    return table


def _predictions(record: CapacityRecord) -> Table:
    table = plain_table("said before it was measured", text_columns=1)
    for name in ("said", "interval", "measured", "off by"):
        table.add_column(name, justify="right", overflow="fold")
    for prediction in record.predictions:
        table.add_row(*answer.told(prediction, record.axis))
    return table


def _models(record: CapacityRecord) -> Iterable[Text]:
    scaling, redis = record.scaling, record.redis
    if scaling is not None:
        peak_low, peak_high = scaling.peak_interval
        peak = f"{peak_low:.3g} to {'∞' if peak_high is None else f'{peak_high:.3g}'}"
        yield Text(
            f"scaling: one alone {units.format_rate(scaling.gamma)}, contention "
            f"{round(scaling.alpha, 9):.3g}, coherency {round(scaling.beta, 9):.2g}, "
            f"peak at {peak} {record.axis}",
            style="dim",
        )
    if redis is not None and redis.cpu_us_per_task is not None:
        yield Text(
            f"Redis: {redis.cpu_us_per_task:.0f} µs of CPU a task at the highest level; one core "
            f"would be full at about {units.format_rate(redis.ceiling_per_s)}; "
            f"{units.format_bytes(redis.memory_bytes_per_queued_task)} for a task that waits",
            style="dim",
        )
