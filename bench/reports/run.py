"""A run record as a terminal report: the verdict first, then the figures at a glance."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from bench import units
from bench.measure.ledger import Counts
from bench.names import ALL_QUEUES
from bench.records.run_record import RunRecord
from bench.reports import (
    confidence_text,
    fault_rows,
    next_steps,
    run_columns,
    run_text,
    selftest_text,
)
from bench.reports.console import fault_line, note_line, print_parts, record_lines
from bench.reports.tables import fitting, plain_table

_FEW_PERCENTILES = (("p50", "p50_s"), ("p99", "p99_s"), ("max", "max_s"))
_SOME_PERCENTILES = (("p50", "p50_s"), ("p99", "p99_s"), ("p99.9", "p999_s"), ("max", "max_s"))
_WIDE = 98
_WIDE_WITH_MARGINS = 118
_ALL_FROM = {False: 70, True: 90}
"""Width from which all percentiles fit, by whether they have margins."""
_WITH_MOMENTS = 120
_MOST_LEDGER_COLUMNS = 7
_MEDIUM = 70


def print_report(record: RunRecord, path: Path | None) -> None:
    """Print the report to standard output; ``path`` is where the record was saved, if it was."""
    print_parts(lambda width: render(record, path, width))


def render(record: RunRecord, path: Path | None, width: int) -> Iterable[RenderableType]:
    """Returns the parts of the report, top to bottom, for a terminal of ``width`` columns.

    A narrow terminal gets fewer columns of figures; no figure is ever truncated.
    """
    yield _headline(record)
    order = run_text.drain_order(record)
    if order:
        yield Text(order, style="bold red")
    for warning in record.warnings:
        yield note_line(warning.message)
    yield from _objectives(record)
    yield ""
    yield from map(Text, run_text.throughput(record))
    tables = [_intervals(record, width)]
    if len(record.queues) > 1:
        tables.append(_queues(record, width))
    for table in tables:
        if table.row_count:  # a heading over nothing says nothing
            yield ""
            yield table
    yield from (Text(line, style="dim") for line in confidence_text.lines(record))
    yield ""
    yield from _ledger(record, width)
    yield from _faults(record, width)
    yield ""
    yield from _footer(record, path)


def _headline(record: RunRecord) -> Text:
    is_valid = record.verdict == "valid"
    style = "bold green" if is_valid else "bold red"
    text = Text.assemble((run_text.verdict(record), style))
    if not is_valid:
        text.append(f"  {run_text.NOT_TO_QUOTE}", style="red")
    text.append(f"  {run_text.summary(record)}")
    return text


def _objectives(record: RunRecord) -> Iterable[Text]:
    for objective in record.slo:
        measured = run_text.objective_value(record, objective)
        text = f"{objective.expression}   measured: {measured}"
        yield Text.assemble(("✓ ", "bold green"), text) if objective.passed else fault_line(text)


def _intervals(record: RunRecord, width: int) -> Table:
    has_margins = confidence_text.has_margins(record)
    explains = width >= (_WIDE_WITH_MARGINS if has_margins else _WIDE)
    percentiles = _columns(width, _ALL_FROM[has_margins])
    table = plain_table("interval", *([""] if explains else []), text_columns=1 + explains)
    _add_numbers(table, percentiles)
    for interval, meaning in run_columns.INTERVALS.items():
        summary = record.latency[interval][ALL_QUEUES] if interval in record.latency else None
        if summary is not None and summary.count:
            names = [Text(interval), *([Text(meaning, style="dim")] if explains else [])]
            style = "bold" if interval == "e2e" else ""
            table.add_row(*names, *run_columns.percentiles(summary, percentiles), style=style)
    return table


def _queues(record: RunRecord, width: int) -> Table:
    percentiles = _columns(width, _WIDE)
    table = plain_table("queue", "interval", text_columns=2)
    _add_numbers(table, percentiles)
    for queue in record.queues:
        shown = False
        for interval in run_columns.QUEUE_INTERVALS:
            summary = record.latency[interval][queue]
            if summary.count:
                figures = run_columns.percentiles(summary, percentiles)
                table.add_row("" if shown else queue, interval, *figures)
                shown = True
    return table


def _columns(width: int, all_from: int) -> Sequence[tuple[str, str]]:
    """Returns the percentiles that fit: all of them from this width."""
    if width >= all_from:
        return run_columns.PERCENTILES
    return _FEW_PERCENTILES if width < _MEDIUM else _SOME_PERCENTILES


def _add_numbers(table: Table, percentiles: Sequence[tuple[str, str]]) -> None:
    for heading, _ in percentiles:
        table.add_column(heading, justify="right", no_wrap=True, min_width=7)


def _ledger(record: RunRecord, width: int) -> Iterable[RenderableType]:
    """Yields the counts as a table where it fits, else as a line per queue."""
    columns = run_columns.ledger_columns(record)
    rows = list(record.queues.items()) if len(record.queues) > 1 else []
    rows.append((ALL_QUEUES, record.counts))
    if width < _WIDE or len(columns) > _MOST_LEDGER_COLUMNS:
        if _ledger_width(rows) <= width:
            yield _upright_ledger(rows, columns)
            return
        for name, counts in rows:
            figures = ", ".join(
                f"{column.replace('_', ' ')} {units.format_count(getattr(counts, column))}"
                for column in columns
            )
            yield Text.assemble((f"ledger of {name}: ", "bold"), figures)
        return
    table = plain_table("ledger", *(name.replace("_", " ") for name in columns), text_columns=1)
    for name, counts in rows:
        values = [units.format_count(getattr(counts, column)) for column in columns]
        table.add_row(name, *values, style="bold" if name == ALL_QUEUES else "")
    yield table


_Rows = Sequence[tuple[str, Counts]]


def _ledger_width(rows: _Rows) -> int:
    """Returns the width in columns of the ledger with one column per sub-queue."""
    longest = max(units.format_count(counts.due) for _, counts in rows)
    return len("ledger     ") + sum(max(len(name), len(longest)) + 3 for name, _ in rows)


def _upright_ledger(rows: _Rows, columns: Sequence[str]) -> Table:
    table = plain_table("ledger", *(name for name, _ in rows), text_columns=1)
    for column in columns:
        values = [units.format_count(getattr(counts, column)) for _, counts in rows]
        table.add_row(column.replace("_", " "), *values)
    return table


def _faults(record: RunRecord, width: int) -> Iterable[RenderableType]:
    """Yields what each fault did, as a table where it fits, and the way back of each figure."""
    if not record.faults:
        return
    yield ""
    wide = width >= _WITH_MOMENTS
    headings = fault_rows.headings(record.faults, has_moments=wide)
    table = plain_table(*headings, text_columns=1)
    for row in fault_rows.rows(record.faults, has_moments=wide):
        table.add_row(*row)
    yield from fitting(table, width)
    yield ""
    yield from (Text(f"back: {line}") for line in fault_rows.lines(record.faults))


def _footer(record: RunRecord, path: Path | None) -> Iterable[Text]:
    if record.selftest is not None:
        yield from map(fault_line, selftest_text.failures(record.selftest))
        yield Text(selftest_text.in_short(record.selftest, record.started_at))
    *first, last = run_text.footer(record)
    yield from map(Text, first)
    yield Text(last, style="dim")
    steps = [] if path is None else next_steps.after_run(record, path)
    yield from record_lines(path, steps)
