"""The clients for a person at a terminal: the answer, one table, and what was left out."""

from collections.abc import Iterable
from pathlib import Path

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from bench.records.clients_record import ClientsRecord
from bench.reports import clients_text
from bench.reports.console import console_for_stdout
from bench.reports.tables import plain_table

_GAP = 3
"""Between two columns."""


def print_clients(record: ClientsRecord, path: Path | None) -> None:
    """Print it; ``path`` is where the record was saved."""
    console = console_for_stdout()
    for part in render(record, path, console.width):
        console.print(part)


def render(record: ClientsRecord, path: Path | None, width: int) -> Iterable[RenderableType]:
    """The parts of the report, from the top, for that many columns."""
    yield Text(clients_text.sentence(record), style="bold")
    for failure in clients_text.failures(record):
        yield Text.assemble(("✗ ", "bold red"), failure)
    if not record.is_complete:
        yield Text.assemble(("! ", "bold yellow"), "interrupted before all had run")
    if any(True for _ in clients_text.measured(record)):
        yield ""
        table = _table(record)
        if _width(table) <= width:
            yield table
        else:
            yield from _lines(record)
    yield ""
    for skip in clients_text.skips(record):
        yield Text.assemble(("skipped ", "yellow"), skip)
    yield Text(f"{clients_text.CAPTION} {clients_text.BATCHES}", style="dim")
    yield Text(clients_text.footer(record), style="dim")
    if path is not None:
        yield Text.assemble("record: ", (str(path), "bold"))


def _table(record: ClientsRecord) -> Table:
    headings = [name.replace(" ", "\n") for name in clients_text.COLUMNS]
    table = plain_table("client", *headings, text_columns=1)
    for row, _ in clients_text.measured(record):
        table.add_row(row.name, *clients_text.cells(row))
    return table


def _width(table: Table) -> int:
    """What it takes to show every name and figure in one line."""
    texts = [[str(column.header), *map(str, column.cells)] for column in table.columns]
    widest = [max(len(line) for text in each for line in text.split("\n")) for each in texts]
    return sum(widest) + _GAP * (len(widest) - 1)


def _lines(record: ClientsRecord) -> Iterable[Text]:
    """On a narrow terminal a client is a few lines: no figure is ever cut."""
    for row, _ in clients_text.measured(record):
        told = zip(clients_text.COLUMNS, clients_text.cells(row), strict=True)
        figures = " · ".join(f"{name} {figure}" for name, figure in told)
        yield Text.assemble((row.name, "bold"), f"  {figures}")
