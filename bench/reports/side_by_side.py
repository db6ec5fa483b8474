"""Runs side by side as a terminal report: which runs, what is set differently, what they did."""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from bench.analysis.side_by_side import MOST_RUNS, SideBySide, side_by_side
from bench.names import ALL_QUEUES
from bench.records import timestamps
from bench.records.run_record import RunRecord
from bench.reports import confidence_text, run_text
from bench.reports import side_by_side_text as text
from bench.reports.console import fault_line, next_lines, note_line, print_parts
from bench.reports.figures import counted
from bench.reports.tables import ReportTable, least_width, plain_table

Files = Sequence[tuple[Path, RunRecord]]


def print_side_by_side(files: Files, given: Sequence[Path]) -> None:
    """Print two or more runs to standard output; ``given`` is what the user named them by.

    Up to ``MOST_RUNS`` stand side by side; of more, there is a line for each.
    """
    if len(files) > MOST_RUNS:
        print_parts(lambda _: _list(files, given))
    else:
        print_parts(lambda width: _side_by_side(files, given, width))


def _side_by_side(files: Files, given: Sequence[Path], width: int) -> Iterable[RenderableType]:
    side = side_by_side([record for _, record in files])
    yield _runs(files)
    banner = text.banner(side.records)
    if banner:
        yield fault_line(banner)
    yield from map(note_line, text.notes(side))
    yield ""
    yield _settings(side) if side.settings else Text(text.SAME_SETTINGS)
    yield ""
    table, has_margins = _figures(side, width)
    yield table
    yield ""
    for line in text.how_sure(side.records) if has_margins else [confidence_text.NO_ROOM]:
        yield Text(line, style="dim")
    yield Text(text.CAPTION, style="dim")
    words = shlex.join(["bench", "report", *map(str, given)])
    whole = shlex.join(["bench", "report", str(files[-1][0])])
    yield from next_lines([f"{words} --html page.html", f"{whole} shows all of {_last(files)}"])


def _last(files: Files) -> str:
    return text.LETTERS[len(files) - 1]


def _runs(files: Files) -> Table:
    table = plain_table("", "run", "verdict", "scenario", "started", text_columns=5)
    names = text.names([path for path, _ in files])
    for letter, name, (_, record) in zip(text.LETTERS, names, files, strict=False):
        style = "bold green" if record.is_valid else "bold red"
        started = timestamps.readable(record.started_at)
        badge = Text(run_text.verdict(record), style=style)
        table.add_row(Text(letter, style="bold"), name, badge, record.scenario.name, started)
    return table


def _settings(side: SideBySide) -> Table:
    columns = text.setting_headings(len(side.records))
    table = plain_table(*columns, text_columns=len(columns))
    for row in side.settings:
        table.add_row(row.label, *row.values)
    return table


def _figures(side: SideBySide, width: int) -> tuple[Table, bool]:
    """Returns the table of the figures, and whether it has margins: it has none where only the
    figures themselves fit beside each other."""
    whole, short = _table(side, has_margins=True), _table(side, has_margins=False)
    has_margins = not least_width(short) <= width < least_width(whole)
    return (whole if has_margins else short), has_margins


def _table(side: SideBySide, *, has_margins: bool) -> ReportTable:
    table = plain_table(*text.figure_headings(len(side.records)), text_columns=1)
    for row in side.figures:
        table.add_row(*text.figure_cells(row, side.records, has_margins=has_margins))
    return table


def _list(files: Files, given: Sequence[Path]) -> Iterable[RenderableType]:
    """Yields a line per run, and what to do with so many."""
    table = plain_table("run", "verdict", "started", text_columns=3)
    for heading in ("enqueued", "completed", "e2e p50", "e2e p99"):
        table.add_column(heading, justify="right", no_wrap=True)
    names = text.names([path for path, _ in files])
    for name, (_, record) in zip(names, files, strict=True):
        style = "bold green" if record.is_valid else "bold red"
        e2e = record.latency["e2e"][ALL_QUEUES]
        table.add_row(
            name,
            Text(run_text.verdict(record), style=style),
            timestamps.readable(record.started_at),
            run_text.enqueued_rate(record),
            run_text.completed_rate(record),
            confidence_text.duration(e2e, "p50_s"),
            confidence_text.duration(e2e, "p99_s"),
        )
    yield table
    yield ""
    for line in confidence_text.lines_of_runs([record for _, record in files], names):
        yield Text(line, style="dim")
    invalid = sum(not record.is_valid for _, record in files)
    if invalid:
        yield ""
        yield note_line(f"{counted(invalid, 'run')} not valid: {run_text.NOT_TO_QUOTE}")
    yield ""
    yield Text(f"{len(files)} runs; name 2 to {MOST_RUNS} of them to see them side by side")
    folders = [path for path in given if path.is_dir()]
    trend = ["bench", "history", *map(str, folders or given)]
    yield from next_lines([f"{shlex.join(trend)} shows how they changed over time"])
