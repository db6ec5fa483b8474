"""A self-test as a terminal report: the answer, then planted beside measured."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text

from bench.analysis.selftest import cannot_tell
from bench.records.selftest_record import SelftestRecord
from bench.reports import next_steps
from bench.reports import selftest_text as text
from bench.reports.console import fault_line, note_line, print_parts, record_lines
from bench.reports.tables import fitting, plain_table


def print_selftest(record: SelftestRecord, path: Path | None) -> None:
    """Print the report to standard output; ``path`` is where the record was saved, if it was."""
    print_parts(lambda width: render(record, path, width))


def render(record: SelftestRecord, path: Path | None, width: int) -> Iterable[RenderableType]:
    """Returns the parts of the report, top to bottom, for a terminal of ``width`` columns."""
    wrong = [*text.failures(record)]
    style = "bold red" if wrong else "bold yellow" if cannot_tell(record) else "bold green"
    yield Text(text.sentence(record), style=style)
    yield from map(fault_line, wrong)
    yield from map(note_line, text.notes(record))
    yield ""
    yield from _table(text.MEDIAN_HEADINGS, text.median_rows(record), 1, width)
    yield from _table(text.COUNT_HEADINGS, text.count_rows(record), 1, width)
    yield from _table(text.PACING_HEADINGS, text.pacing_rows(record), 0, width)
    yield from _table(text.NOISE_HEADINGS, text.noise_rows(record), 1, width)
    for line in (text.ceiling(record), text.noise_sentence(record)):
        if line:
            yield Text(line)
    for line in text.explained(record):
        yield Text(line, style="dim")
    steps = [] if path is None else next_steps.after_selftest(record, path)
    yield from record_lines(path, steps)


def _table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int, width: int
) -> Iterable[RenderableType]:
    if not rows:
        return
    table = plain_table(*headings, text_columns=text_columns)
    for row in rows:
        table.add_row(*row)
    yield from fitting(table, width)
    yield ""
