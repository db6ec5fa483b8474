"""A run record for a person at a terminal: the verdict first, then the figures at a glance."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from bench import units
from bench.record import RunRecord, StageSummary
from bench.reports.console import console_for_stdout
from bench.reports.tables import plain_table

_STAGES = {
    "e2e": "due → finished",
    "e2e_from_send": "sent → finished (not corrected)",
    "queue_wait": "sent → started",
    "service": "started → finished",
    "enqueue": "sent → acknowledged",
    "schedule_lag": "due → sent",
}
_PERCENTILES = (
    ("p50", "p50_s"),
    ("p90", "p90_s"),
    ("p99", "p99_s"),
    ("p99.9", "p999_s"),
    ("max", "max_s"),
)
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
    text = Text.assemble((record.verdict.upper().replace("_", " "), style))
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
        measured = _objective_value(objective.expression, objective.value)
        yield Text.assemble(mark, f"{objective.expression}   measured: {measured}")


def _objective_value(expression: str, value: float | None) -> str:
    if value is None:
        return "nothing, and without data an objective fails"
    if ".rate" in expression:
        return units.format_rate(value)
    if "." in expression.partition("}")[2] or "." in expression.partition("{")[0].split()[0]:
        return units.format_duration(value)
    return units.format_count(value)


def _throughput(record: RunRecord) -> Text:
    rates = record.rates
    asked = (
        "as fast as possible" if rates.asked_per_s is None else units.format_rate(rates.asked_per_s)
    )
    lines = [
        f"asked {asked} · enqueued {units.format_rate(rates.enqueued_per_s)}"
        f" · finished {units.format_rate(rates.completed_per_s)}"
        f" · over {units.format_duration(record.window_s)}{_left_out(record)}"
    ]
    if record.scenario.is_closed_loop:
        lines.append("closed loop: there is no schedule, so due is the moment of sending")
    return Text("\n".join(lines))


def _left_out(record: RunRecord) -> str:
    warmup = record.warmup
    if not warmup.left_out_s:
        return ""
    longest = (
        f", their longest {units.format_duration(warmup.e2e_max_s)}"
        if warmup.e2e_max_s is not None
        else ""
    )
    how = "found" if warmup.method != "fixed" else "as asked"
    return (
        f", after {units.format_duration(warmup.left_out_s)} of warm-up ({how};"
        f" {units.format_count(warmup.tasks)} tasks left out{longest})"
    )


def _stages(record: RunRecord, width: int) -> Table:
    explains = width >= _WIDE
    percentiles = _PERCENTILES if width >= _MEDIUM else _FEW_PERCENTILES
    table = plain_table("stage", *([""] if explains else []), text_columns=1 + explains)
    _add_numbers(table, percentiles)
    for stage, meaning in _STAGES.items():
        summary = record.latency[stage]["all"]
        if summary.count:
            names = [Text(stage), *([Text(meaning, style="dim")] if explains else [])]
            style = "bold" if stage == "e2e" else ""
            table.add_row(*names, *_values(summary, percentiles), style=style)
    return table


def _queues(record: RunRecord, width: int) -> Table:
    percentiles = _PERCENTILES if width >= _WIDE else _FEW_PERCENTILES
    table = plain_table("queue", "stage", text_columns=2)
    _add_numbers(table, percentiles)
    for queue in record.queues:
        shown = False
        for stage in ("e2e", "queue_wait", "enqueue"):
            summary = record.latency[stage][queue]
            if summary.count:
                table.add_row("" if shown else queue, stage, *_values(summary, percentiles))
                shown = True
    return table


def _add_numbers(table: Table, percentiles: Sequence[tuple[str, str]]) -> None:
    for heading, _ in percentiles:
        table.add_column(heading, justify="right", no_wrap=True, min_width=7)


def _values(summary: StageSummary, percentiles: Sequence[tuple[str, str]]) -> list[str]:
    return [units.format_duration(getattr(summary, name)) for _, name in percentiles]


_ALWAYS_COUNTED = ("due", "enqueued", "completed", "lost", "duplicated", "unknown")
_COUNTED_IF_ANY = ("failed", "retried", "pending", "active", "not_sent", "refused")


def _ledger(record: RunRecord, width: int) -> Iterable[RenderableType]:
    """The counts; those that are zero for all tasks are left out, but for the damning ones."""
    columns = [
        *_ALWAYS_COUNTED,
        *(name for name in _COUNTED_IF_ANY if getattr(record.counts, name)),
    ]
    rows = list(record.queues.items()) if len(record.queues) > 1 else []
    rows.append(("all", record.counts))
    if width < _WIDE or len(columns) > _MOST_LEDGER_COLUMNS:
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


def _footer(record: RunRecord, path: Path | None) -> Iterable[Text]:
    resources, server = record.resources, record.server
    costs = [
        f"{resources.server_cpu_us_per_task:.1f} µs CPU"
        if resources.server_cpu_us_per_task is not None
        else None,
        f"{resources.server_commands_per_task:.1f} commands"
        if resources.server_commands_per_task is not None
        else None,
        f"{units.format_bytes(resources.server_bytes_per_task)} on the wire"
        if resources.server_bytes_per_task is not None
        else None,
        f"{units.format_bytes(resources.server_memory_bytes_per_task)} of memory"
        if resources.server_memory_bytes_per_task is not None
        else None,
    ]
    yield Text(f"{record.attribution}")
    yield Text("Redis per task: " + ", ".join(cost for cost in costs if cost))
    yield Text(
        f"cores: server {_cores(resources.server_cpu_cores)}, "
        f"workers {_cores(resources.worker_cpu_cores)}, "
        f"generator {_cores(resources.generator_cpu_cores)}"
        f" · {server['product']} {server['version']} at {server['address']}"
        f" · clock {record.clock.domain}, error at most "
        f"{units.format_duration(record.clock.error_bound_s)}",
        style="dim",
    )
    if path is not None:
        yield Text.assemble("record: ", (str(path), "bold"))


def _cores(cores: float | None) -> str:
    return "–" if cores is None else f"{cores:.2f}"
