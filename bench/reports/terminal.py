"""A run record for a person at a terminal: the verdict first, then the figures at a glance."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from bench import units
from bench.measure.ledger import Counts
from bench.records.run_record import LatencySummary, RunRecord
from bench.reports import run_text
from bench.reports.console import console_for_stdout
from bench.reports.tables import plain_table

_FEW_PERCENTILES = (("p50", "p50_s"), ("p99", "p99_s"), ("max", "max_s"))
_WIDE = 98
_MOST_LEDGER_COLUMNS = 7
_MEDIUM = 70


def print_report(record: RunRecord, path: Path | None) -> None:
    """Print the report; ``path`` is where the record was saved."""
    console = console_for_stdout()
    for part in render(record, path, console.width):
        console.print(part)


def render(record: RunRecord, path: Path | None, width: int) -> Iterable[RenderableType]:
    """The parts of the report, from the top, for that many columns.

    On a narrow terminal columns are left out; a figure is never cut.
    """
    yield _headline(record)
    for warning in record.warnings:
        yield Text.assemble(("! ", "bold yellow"), warning.message)
    yield from _objectives(record)
    yield ""
    yield _throughput(record)
    yield ""
    yield _stages(record, width)
    if len(record.queues) > 1:
        yield ""
        yield _queues(record, width)
    yield ""
    yield from _ledger(record, width)
    yield ""
    yield from _footer(record, path)


def _headline(record: RunRecord) -> Text:
    is_valid = record.verdict == "valid"
    style = "bold green" if is_valid else "bold red"
    text = Text.assemble((run_text.verdict(record), style))
    if not is_valid:
        text.append("  do not quote these figures", style="red")
    end_to_end = record.latency["e2e"]["all"]
    text.append(f"  {record.scenario.name}: ")
    text.append(f"{units.format_rate(record.rates.enqueued_per_s)} enqueued")
    if record.rates.completed_per_s is not None:
        text.append(f", {units.format_rate(record.rates.completed_per_s)} finished")
    if end_to_end.count:
        text.append(
            f", end to end p50 {units.format_duration(end_to_end.p50_s)}"
            f" and p99 {units.format_duration(end_to_end.p99_s)}"
        )
    return text


def _objectives(record: RunRecord) -> Iterable[Text]:
    for objective in record.slo:
        mark = ("✓ ", "bold green") if objective.passed else ("✗ ", "bold red")
        measured = run_text.objective_value(objective.expression, objective.value)
        yield Text.assemble(mark, f"{objective.expression}   measured: {measured}")


def _throughput(record: RunRecord) -> Text:
    rates = record.rates
    left_out = run_text.left_out(record)
    lines = [
        f"asked {run_text.asked(record)} · enqueued {units.format_rate(rates.enqueued_per_s)}"
        f" · finished {units.format_rate(rates.completed_per_s)}"
        f" · over {units.format_duration(record.window_s)}"
        f"{f', after {left_out}' if left_out else ''}"
    ]
    if record.scenario.is_closed_loop:
        lines.append("closed loop: there is no schedule, so due is the moment of sending")
    observed = run_text.observed(record)
    if observed:
        lines.append(observed)
    return Text("\n".join(lines))


def _stages(record: RunRecord, width: int) -> Table:
    explains = width >= _WIDE
    percentiles = run_text.PERCENTILES if width >= _MEDIUM else _FEW_PERCENTILES
    table = plain_table("stage", *([""] if explains else []), text_columns=1 + explains)
    _add_numbers(table, percentiles)
    for stage, meaning in run_text.STAGES.items():
        summary = record.latency[stage]["all"] if stage in record.latency else None
        if summary is not None and summary.count:
            names = [Text(stage), *([Text(meaning, style="dim")] if explains else [])]
            style = "bold" if stage == "e2e" else ""
            table.add_row(*names, *_values(summary, percentiles), style=style)
    return table


def _queues(record: RunRecord, width: int) -> Table:
    percentiles = run_text.PERCENTILES if width >= _WIDE else _FEW_PERCENTILES
    table = plain_table("queue", "stage", text_columns=2)
    _add_numbers(table, percentiles)
    for queue in record.queues:
        shown = False
        for stage in run_text.QUEUE_STAGES:
            summary = record.latency[stage][queue]
            if summary.count:
                table.add_row("" if shown else queue, stage, *_values(summary, percentiles))
                shown = True
    return table


def _add_numbers(table: Table, percentiles: Sequence[tuple[str, str]]) -> None:
    for heading, _ in percentiles:
        table.add_column(heading, justify="right", no_wrap=True, min_width=7)


def _values(summary: LatencySummary, percentiles: Sequence[tuple[str, str]]) -> list[str]:
    return [units.format_duration(getattr(summary, name)) for _, name in percentiles]


def _ledger(record: RunRecord, width: int) -> Iterable[RenderableType]:
    """The counts, as a table where that fits."""
    columns = run_text.ledger_columns(record)
    rows = list(record.queues.items()) if len(record.queues) > 1 else []
    rows.append(("all", record.counts))
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
        table.add_row(name, *values, style="bold" if name == "all" else "")
    yield table


_Rows = Sequence[tuple[str, Counts]]


def _ledger_width(rows: _Rows) -> int:
    """Of the table with a column for each sub-queue, in letters."""
    longest = max(units.format_count(counts.due) for _, counts in rows)
    return len("ledger     ") + sum(max(len(name), len(longest)) + 3 for name, _ in rows)


def _upright_ledger(rows: _Rows, columns: Sequence[str]) -> Table:
    table = plain_table("ledger", *(name for name, _ in rows), text_columns=1)
    for column in columns:
        values = [units.format_count(getattr(counts, column)) for _, counts in rows]
        table.add_row(column.replace("_", " "), *values)
    return table


def _footer(record: RunRecord, path: Path | None) -> Iterable[Text]:
    resources, server = record.resources, record.server
    yield Text(f"{record.attribution}")
    yield Text("Redis per task: " + ", ".join(run_text.costs(record)))
    yield Text(
        f"cores: server {run_text.cores(resources.server_cpu_cores)}, "
        f"workers {run_text.cores(resources.worker_cpu_cores)}, "
        f"generator {run_text.cores(resources.generator_cpu_cores)}"
        f" · {server['product']} {server['version']} at {server['address']}"
        f" · clock {record.clock.domain}, error at most "
        f"{units.format_duration(record.clock.error_bound_s)}",
        style="dim",
    )
    if path is not None:
        yield Text.assemble("record: ", (str(path), "bold"))
