"""A capacity search as Markdown: the answer first."""

from collections.abc import Iterable, Iterator, Sequence

from bench.analysis.capacity import answer
from bench.records.capacity_record import CapacityRecord
from bench.reports import capacity as terminal
from bench.reports.markdown.marks import command_line, escaped, small, table


def markdown(record: CapacityRecord) -> str:
    """Returns the answer, the levels, the predictions with their checks, and the models."""
    return "\n".join(_parts(record)) + "\n"


def _parts(record: CapacityRecord) -> Iterator[str]:
    yield f"### bench: {escaped(answer.sentence(record))}"
    yield ""
    notes = [f"- ⚠️ {escaped(note)}" for note in answer.notes(record)]
    yield from notes
    if notes:
        yield ""
    rows = [terminal.level_cells(record, level) for level in record.levels]
    yield from _table(terminal.level_headings(record), rows)
    yield ""
    if record.predictions:
        cells = [terminal.prediction_cells(each, record.axis) for each in record.predictions]
        yield from _table(terminal.PREDICTION_HEADINGS, cells)
        yield ""
    yield from map(small, [terminal.how_sure(record), *terminal.models(record)])
    yield command_line(record.command)


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield from table(headings, [[escaped(cell) for cell in row] for row in rows])
