"""A comparison of clients as Markdown: the fastest first."""

from collections.abc import Iterator

from bench.records.clients_record import ClientsRecord
from bench.reports import clients_text
from bench.reports.markdown.marks import command_line, escaped, small, table


def markdown(record: ClientsRecord) -> str:
    """Returns the answer, what failed or was skipped, and the figures of each client."""
    return "\n".join(_parts(record)) + "\n"


def _parts(record: ClientsRecord) -> Iterator[str]:
    yield f"### bench: {escaped(clients_text.sentence(record))}"
    yield ""
    notes = [
        *(f"- ❌ {escaped(failure)}" for failure in clients_text.failures(record)),
        *(f"- ⚠️ skipped {escaped(skip)}" for skip in clients_text.skips(record)),
    ]
    yield from notes
    if notes:
        yield ""
    rows = [
        [escaped(cell) for cell in (row.name, *clients_text.cells(row))]
        for row, _ in clients_text.measured(record)
    ]
    if rows:
        yield from table(["client", *clients_text.COLUMNS], rows)
        yield ""
    yield small(f"{clients_text.CAPTION} {clients_text.BATCHES}")
    yield small(clients_text.HOW_SURE)
    yield small(clients_text.footer(record))
    yield command_line(record.command)
