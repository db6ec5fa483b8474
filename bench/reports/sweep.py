"""A sweep as a terminal report: the answer, and a row for each level."""

from collections.abc import Iterable
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text

from bench import units
from bench.analysis.sweep import left_s, record_fields
from bench.records.sweep_record import SweepRecord
from bench.reports import next_steps, sweep_text
from bench.reports.console import note_line, print_parts, record_lines
from bench.reports.figures import counted
from bench.reports.tables import ReportTable, least_width, plain_table


def print_sweep(record: SweepRecord, path: Path | None) -> None:
    """Print the report to standard output; ``path`` is where the record was saved, if it was."""
    print_parts(lambda width: render(record, path, width))


def render(record: SweepRecord, path: Path | None, width: int) -> Iterable[RenderableType]:
    """Returns the parts of the report, top to bottom."""
    yield Text(sweep_text.sentence(record), style="bold")
    yield from map(note_line, sweep_text.notes(record))
    yield ""
    yield _table(record, width)
    yield ""
    for line in (*sweep_text.explanations(record), sweep_text.footer(record)):
        yield Text(line, style="dim")
    steps = [] if path is None else next_steps.after_sweep(record, path)
    yield from record_lines(path, steps)


def _table(record: SweepRecord, width: int) -> ReportTable:
    """The table with each range beside its figure or, on a narrow terminal, below it."""
    headings, rows = sweep_text.headings(record), sweep_text.rows(record)
    wide = plain_table(*headings, text_columns=sweep_text.names(record))
    for row in rows:
        wide.add_row(*row)
    if least_width(wide) <= width:
        return wide
    narrow = plain_table(*headings, text_columns=sweep_text.names(record))
    for row in rows:
        parts = [cell.partition(" (") for cell in row]
        is_name = [place < sweep_text.names(record) for place in range(len(row))]
        narrow.add_row(
            *(
                cell if is_text else part[0]
                for cell, part, is_text in zip(row, parts, is_name, strict=True)
            )
        )
        ranges = [
            "" if is_text else part[2].rstrip(")")
            for part, is_text in zip(parts, is_name, strict=True)
        ]
        if any(ranges):
            narrow.add_row(*ranges, style="dim")
    return narrow if least_width(narrow) <= width else _as_lines(record)


def _as_lines(record: SweepRecord) -> ReportTable:
    """The table for a terminal that is too narrow for it: a level has one name."""
    fields = len(record.swept)
    headings = sweep_text.headings(record)[fields:]
    table = plain_table("level", *headings, text_columns=2)
    levels = (sweep_text.settings_text(each.settings) for each in record.levels)
    for name, row in zip(levels, sweep_text.rows(record), strict=True):
        table.add_row(name, *row[fields:])
    return table


def print_sweep_plan(record: SweepRecord) -> None:
    """Print what a sweep would measure, and how long that would take, to standard output."""
    print_parts(lambda _: render_plan(record))


def render_plan(record: SweepRecord) -> Iterable[RenderableType]:
    """Returns the parts of a plan, top to bottom."""
    expected_s = left_s(record)
    takes = "an unknown time" if expected_s is None else units.format_duration(expected_s)
    yield Text(
        f"{record.scenario.name}: {counted(len(record.levels), 'level')}, "
        f"{counted(len(record.order), 'trial')}, about {takes}; nothing was sent",
        style="bold",
    )
    yield ""
    table = plain_table(
        *sweep_text.field_headings(record), "trials", text_columns=len(record_fields(record))
    )
    for index, level in enumerate(record.levels):
        places = [place for place, each in enumerate(record.order, 1) if each == index]
        cells = [sweep_text.value_text(name, value) for name, value in level.settings.items()]
        table.add_row(*cells, ", ".join(map(str, places)))
    yield table
    yield ""
    yield Text(
        "trials: the place of each in the order, which the seed draws; a level that does not keep "
        "up takes longer, as its queues are drained",
        style="dim",
    )
