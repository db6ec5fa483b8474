"""A run that was repeated with fresh processes, as a terminal report: the spread of each figure."""

from collections.abc import Iterable
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text

from bench.records.restarts_record import RestartsRecord
from bench.reports import next_steps
from bench.reports import restarts_text as text
from bench.reports.console import fault_line, note_line, print_parts, record_lines
from bench.reports.tables import plain_table


def print_restarts(record: RestartsRecord, path: Path | None) -> None:
    """Print the report to standard output; ``path`` is where the record was saved, if it was."""
    print_parts(lambda _: render(record, path))


def render(record: RestartsRecord, path: Path | None) -> Iterable[RenderableType]:
    """Returns the parts of the report, top to bottom."""
    yield Text(text.sentence(record), style="bold")
    yield from map(fault_line, text.faults(record))
    yield from map(note_line, text.notes(record))
    yield from objectives(record)
    yield ""
    table = plain_table(*text.HEADINGS, text_columns=1)
    for spread in record.spreads:
        table.add_row(spread.metric, *text.figures(spread))
    yield table
    yield ""
    for line in text.explanation(record):
        yield Text(line, style="dim")
    for line in filter(None, (text.over_starts(record), text.pooled_percentiles(record))):
        yield Text(line)
    yield from _faults(record)
    steps = [] if path is None else next_steps.after_restarts(path)
    yield from record_lines(path, steps)


def _faults(record: RestartsRecord) -> Iterable[RenderableType]:
    rows = text.fault_rows(record)
    if not rows:
        return
    yield ""
    table = plain_table(*text.FAULT_HEADINGS, text_columns=2)
    for row in rows:
        table.add_row(*row)
    yield table
    yield ""
    yield Text(text.fault_note(record), style="dim")


def objectives(record: RestartsRecord) -> Iterable[Text]:
    """Yields each objective, with the number of starts that missed it."""
    for expression, outcome, is_met in text.outcomes(record):
        line = f"{expression}   {outcome}"
        yield Text.assemble(("✓ ", "bold green"), line) if is_met else fault_line(line)
