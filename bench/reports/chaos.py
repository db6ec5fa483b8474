"""A set of faults as a terminal report: the answer, objectives, and what each fault did."""

from collections.abc import Iterable
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text

from bench.records.chaos_record import ChaosRecord
from bench.reports import chaos_text, next_steps
from bench.reports.console import fault_line, note_line, print_parts, record_lines
from bench.reports.tables import plain_table


def print_chaos(record: ChaosRecord, path: Path | None) -> None:
    """Print the report to standard output; ``path`` is where the record was saved, if it was."""
    print_parts(lambda _: render(record, path))


def render(record: ChaosRecord, path: Path | None) -> Iterable[RenderableType]:
    """Returns the parts of the report, top to bottom."""
    yield Text(chaos_text.sentence(record), style="bold")
    yield from map(fault_line, chaos_text.failures(record))
    yield from map(note_line, chaos_text.notes(record))
    for expression, outcome, is_met in chaos_text.objectives(record):
        text = f"{expression}   {outcome}"
        yield Text.assemble(("✓ ", "bold green"), text) if is_met else fault_line(text)
    yield ""
    yield from _table(chaos_text.headings(record), chaos_text.rows(record), 1)
    yield from _table(chaos_text.back_headings(record), chaos_text.back_rows(record), 1)
    yield from _table(chaos_text.INTERVAL_HEADINGS, chaos_text.interval_rows(record), 2)
    for line in (
        chaos_text.explanation(record),
        chaos_text.interval_note(record),
        chaos_text.footer(record),
    ):
        if line:
            yield Text(line, style="dim")
    steps = [] if path is None else next_steps.after_chaos(record, path)
    yield from record_lines(path, steps)


def _table(
    headings: Iterable[str], rows: Iterable[Iterable[str]], text_columns: int
) -> Iterable[RenderableType]:
    broken = [name.replace("no ", "no\n") for name in headings]  # a narrower table
    table = plain_table(*broken, text_columns=text_columns)
    for row in rows:
        table.add_row(*row)
    if table.row_count:
        table.columns[0].no_wrap = True
        yield table
        yield ""
