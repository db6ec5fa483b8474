"""A self-test as Markdown: the answer, what differs, and planted beside measured."""

from collections.abc import Iterable, Iterator, Sequence

from bench.analysis.selftest import exit_code
from bench.errors import ExitCode
from bench.records.selftest_record import SelftestRecord
from bench.reports import selftest_text as text
from bench.reports.markdown.marks import command_line, escaped, folded, small, table


def markdown(record: SelftestRecord) -> str:
    """Returns the answer, failures, what was planted, and what single runs can tell."""
    return "\n".join(_parts(record)) + "\n"


def _parts(record: SelftestRecord) -> Iterator[str]:
    failures = [*text.failures(record)]
    code = exit_code(record)
    mark = "✅" if code is ExitCode.PASSED else "❔" if code is ExitCode.INCONCLUSIVE else "❌"
    yield f"### {mark} bench {escaped(text.sentence(record))}"
    yield ""
    notes = [
        *(f"- ❌ {escaped(each)}" for each in failures),
        *(f"- ⚠️ {escaped(each)}" for each in text.notes(record)),
    ]
    yield from notes
    if notes:
        yield ""
    delays = _table(text.DELAY_HEADINGS, text.delay_rows(record), 1)
    yield from folded("planted delays", delays)
    yield ""
    for headings, rows, columns in (
        (text.COUNT_HEADINGS, text.count_rows(record), 1),
        (text.PACING_HEADINGS, text.pacing_rows(record), 0),
        (text.NOISE_HEADINGS, text.noise_rows(record), 1),
    ):
        if rows:
            yield from _table(headings, rows, columns)
            yield ""
    for line in (text.ceiling(record), text.noise_sentence(record)):
        if line:
            yield f"{escaped(line)}  "
    yield from map(small, text.explained(record))
    yield command_line(record.command)


def _table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int
) -> Iterable[str]:
    escaped_rows = [[escaped(cell) for cell in row] for row in rows]
    return table(headings, escaped_rows, text_columns=text_columns)
