"""A run that was repeated as Markdown: whether one run is enough, and the spread of each figure."""

from collections.abc import Iterator

from bench.records.restarts_record import RestartsRecord
from bench.reports import restarts as terminal
from bench.reports.markdown.marks import code, command_line, escaped, small, table


def markdown(record: RestartsRecord) -> str:
    """Returns the answer, what is wrong with single starts, objectives, and the spreads."""
    return "\n".join(_parts(record)) + "\n"


def _parts(record: RestartsRecord) -> Iterator[str]:
    yield f"### bench: {escaped(terminal.sentence(record))}"
    yield ""
    notes = [
        *(f"- ❌ {escaped(fault)}" for fault in terminal.faults(record)),
        *(f"- ⚠️ {escaped(note)}" for note in terminal.notes(record)),
        *(
            f"- {'✅' if is_met else '❌'} {code(expression)} {outcome}"
            for expression, outcome, is_met in terminal.outcomes(record)
        ),
    ]
    yield from notes
    if notes:
        yield ""
    rows = [[code(spread.metric), *terminal.figures(spread)] for spread in record.spreads]
    yield from table(terminal.HEADINGS, rows)
    yield ""
    yield small(terminal.EXPLANATION)
    over = terminal.over_starts(record)
    if over:
        yield small(over)
    pooled = terminal.pooled_percentiles(record)
    if pooled:
        yield small(pooled)
    fault_rows = [[code(name), *row] for name, *row in terminal.fault_rows(record)]
    if fault_rows:
        yield ""
        yield from table(terminal.FAULT_HEADINGS, fault_rows, text_columns=2)
        yield ""
        yield small(terminal.fault_note(record))
    yield command_line(record.command)
