"""A run that was repeated as Markdown: whether one run is enough, and the spread of each figure."""

from collections.abc import Iterator

from bench.records.restarts_record import RestartsRecord
from bench.reports import restarts_text as text
from bench.reports.markdown.marks import code, command_line, escaped, small, table


def markdown(record: RestartsRecord) -> str:
    """Returns the answer, what is wrong with single starts, objectives, and the spreads."""
    return "\n".join(_parts(record)) + "\n"


def _parts(record: RestartsRecord) -> Iterator[str]:
    yield f"### bench: {escaped(text.sentence(record))}"
    yield ""
    notes = [
        *(f"- ❌ {escaped(fault)}" for fault in text.faults(record)),
        *(f"- ⚠️ {escaped(note)}" for note in text.notes(record)),
        *(
            f"- {'✅' if is_met else '❌'} {code(expression)} {outcome}"
            for expression, outcome, is_met in text.outcomes(record)
        ),
    ]
    yield from notes
    if notes:
        yield ""
    rows = [[code(spread.metric), *text.figures(spread)] for spread in record.spreads]
    yield from table(text.HEADINGS, rows)
    yield ""
    for line in text.explanation(record):
        yield small(line)
    for line in filter(None, (text.over_starts(record), text.pooled_percentiles(record))):
        yield small(line)
    fault_rows = [[code(name), *row] for name, *row in text.fault_rows(record)]
    if fault_rows:
        yield ""
        yield from table(text.FAULT_HEADINGS, fault_rows, text_columns=2)
        yield ""
        yield small(text.fault_note(record))
    yield command_line(record.command)
