"""A set of faults as Markdown: the answer, what could not be measured, objectives, the table."""

from collections.abc import Iterator

from bench.records.chaos_record import ChaosRecord
from bench.reports import chaos_text
from bench.reports.markdown.marks import code, command_line, escaped, folded, small, table


def markdown(record: ChaosRecord) -> str:
    """Returns the answer, what is wrong with single runs, objectives, and what each fault did."""
    return "\n".join(_parts(record)) + "\n"


def _parts(record: ChaosRecord) -> Iterator[str]:
    yield f"### bench: {escaped(chaos_text.sentence(record))}"
    yield ""
    notes = [
        *(f"- ❌ {escaped(each)}" for each in chaos_text.failures(record)),
        *(f"- ⚠️ {escaped(each)}" for each in chaos_text.notes(record)),
        *(
            f"- {'✅' if is_met else '❌'} {code(expression)} {escaped(outcome)}"
            for expression, outcome, is_met in chaos_text.objectives(record)
        ),
    ]
    yield from notes
    if notes:
        yield ""
    yield from table(chaos_text.headings(record), chaos_text.rows(record))
    yield ""
    back = chaos_text.back_rows(record)
    if back:
        headings = [escaped(each) for each in chaos_text.back_headings(record)]
        yield from folded("When each figure was back", table(headings, back))
        yield ""
    intervals = chaos_text.interval_rows(record)
    if intervals:
        yield from table(chaos_text.INTERVAL_HEADINGS, intervals, text_columns=2)
        yield ""
    for line in (
        chaos_text.explanation(record),
        chaos_text.interval_note(record),
        chaos_text.footer(record),
    ):
        if line:
            yield small(line)
    yield command_line(record.command)
