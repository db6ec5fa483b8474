"""A sweep as Markdown: the answer, what is not as it should be, and a row for each level."""

from collections.abc import Iterator

from bench.records.sweep_record import SweepRecord
from bench.reports import sweep_text
from bench.reports.markdown.marks import command_line, escaped, small, table


def markdown(record: SweepRecord) -> str:
    """Returns the answer, its notes, the levels, and how they were measured."""
    return "\n".join(_parts(record)) + "\n"


def _parts(record: SweepRecord) -> Iterator[str]:
    yield f"### bench: {escaped(sweep_text.sentence(record))}"
    yield ""
    notes = [f"- ⚠️ {escaped(note)}" for note in sweep_text.notes(record)]
    yield from notes
    if notes:
        yield ""
    rows = [[escaped(cell) for cell in row] for row in sweep_text.rows(record)]
    headings = [escaped(each) for each in sweep_text.headings(record)]
    yield from table(headings, rows, text_columns=sweep_text.names(record))
    yield ""
    yield from map(small, (*sweep_text.explanations(record), sweep_text.footer(record)))
    yield command_line(record.command)
