"""A comparison of clients as a terminal report: the answer, one table, and what was skipped."""

from collections.abc import Iterable
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text

from bench.records.clients_record import ClientsRecord
from bench.reports import clients_text, next_steps
from bench.reports.console import fault_line, note_line, print_parts, record_lines
from bench.reports.tables import ReportTable, natural_width, plain_table


def print_clients(record: ClientsRecord, path: Path | None) -> None:
    """Print the report to standard output; ``path`` is where the record was saved, if it was."""
    print_parts(lambda width: render(record, path, width))


def render(record: ClientsRecord, path: Path | None, width: int) -> Iterable[RenderableType]:
    """Returns the parts of the report, top to bottom, for a terminal of ``width`` columns."""
    yield Text(clients_text.sentence(record), style="bold")
    for failure in clients_text.failures(record):
        yield fault_line(failure)
    if not record.is_complete:
        yield note_line("interrupted before all clients had run")
    if clients_text.measured(record):
        yield ""
        table = _table(record)
        if natural_width(table) <= width:
            yield table
        else:
            yield from _lines(record)
    yield ""
    for skip in clients_text.skips(record):
        yield Text.assemble(("skipped ", "yellow"), skip)
    yield Text(f"{clients_text.CAPTION} {clients_text.BATCHES}", style="dim")
    yield Text(clients_text.HOW_SURE, style="dim")
    yield Text(clients_text.footer(record), style="dim")
    steps = [] if path is None else next_steps.after_clients(path)
    yield from record_lines(path, steps)


def _table(record: ClientsRecord) -> ReportTable:
    headings = [name.replace(" ", "\n") for name in clients_text.COLUMNS]
    table = plain_table("client", *headings, text_columns=1)
    for row, _ in clients_text.measured(record):
        table.add_row(row.name, *clients_text.cells(row))
    return table


def _lines(record: ClientsRecord) -> Iterable[Text]:
    """Yields one paragraph per client, for a narrow terminal, so that no figure is truncated."""
    for row, _ in clients_text.measured(record):
        cells = zip(clients_text.COLUMNS, clients_text.cells(row), strict=True)
        figures = " · ".join(f"{name} {figure}" for name, figure in cells)
        yield Text.assemble((row.name, "bold"), f"  {figures}")
