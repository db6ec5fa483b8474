"""A run as Markdown: the verdict first, then the figures; those of sub-queues are folded."""

from collections.abc import Iterable, Iterator

from bench import units
from bench.names import ALL_QUEUES
from bench.records.run_record import RunRecord
from bench.reports import (
    breakdown_text,
    confidence_text,
    fault_rows,
    run_columns,
    run_text,
    selftest_text,
)
from bench.reports.figures import counted
from bench.reports.markdown.marks import code, command_line, escaped, folded, small, table

_HEADINGS = [heading for heading, _ in run_columns.PERCENTILES]


def markdown(record: RunRecord) -> str:
    """Returns the verdict, objectives, latencies, the ledger, and what the run was bound by."""
    return "\n".join(_parts(record)) + "\n"


def _parts(record: RunRecord) -> Iterator[str]:
    missed = sum(not each.passed for each in record.slo)
    mark = "✅" if record.is_valid and not missed else "❌"
    objectives = f", {missed} of {counted(len(record.slo), 'objective')} missed" if missed else ""
    yield f"### {mark} bench: {escaped(run_text.headline(record))}{objectives}"
    yield ""
    notes = [*_notes(record)]
    yield from notes
    if notes:
        yield ""
    yield from (f"{escaped(line)}  " for line in run_text.throughput(record))
    yield ""
    yield from _intervals(record)
    yield ""
    yield from map(small, confidence_text.lines(record))
    yield ""
    if rows := breakdown_text.rows(record):
        made = table(breakdown_text.headings(record), rows)
        yield from folded("where the end-to-end latency went", made)
        yield ""
    if len(record.queues) > 1:
        yield from folded("latency of each sub-queue", _queues(record))
        yield ""
    yield from _ledger(record)
    yield ""
    yield from _faults(record)
    yield from _selftest(record)
    yield from map(small, run_text.footer(record))
    yield command_line(record.command)


def _notes(record: RunRecord) -> Iterator[str]:
    order = run_text.drain_order(record)
    if order:
        yield f"- **{escaped(order)}**"
    yield from (f"- ⚠️ {escaped(warning.message)}" for warning in record.warnings)
    for each in record.slo:
        measured = escaped(run_text.objective_value(record, each))
        mark = "✅" if each.passed else "❌"
        yield f"- {mark} {code(each.expression)} measured: {measured}"


def _intervals(record: RunRecord) -> Iterable[str]:
    rows = []
    for interval, meaning in run_columns.INTERVALS.items():
        summary = record.latency.get(interval, {}).get(ALL_QUEUES)
        if summary is not None and summary.count:
            rows.append([code(interval), meaning, *run_columns.percentiles(summary)])
    return table(["interval", "", *_HEADINGS], rows, text_columns=2)


def _queues(record: RunRecord) -> Iterable[str]:
    rows = [
        [code(queue), code(interval), *run_columns.percentiles(summary)]
        for queue in record.queues
        for interval in run_columns.QUEUE_INTERVALS
        if (summary := record.latency[interval][queue]).count
    ]
    return table(["sub-queue", "interval", *_HEADINGS], rows, text_columns=2)


def _faults(record: RunRecord) -> Iterable[str]:
    if not record.faults:
        return
    rows = [[code(name), *figures] for name, *figures in fault_rows.rows(record.faults)]
    yield from table(fault_rows.headings(record.faults), rows)
    yield ""
    yield from (f"- back: {escaped(line)}" for line in fault_rows.lines(record.faults))
    yield ""


def _selftest(record: RunRecord) -> Iterator[str]:
    if record.selftest is None:
        return
    failures = [*selftest_text.failures(record.selftest)]
    yield from (f"- ❌ {escaped(each)}" for each in failures)
    yield f"- {escaped(selftest_text.in_short(record.selftest, record.started_at))}"
    yield ""


def _ledger(record: RunRecord) -> Iterable[str]:
    columns = run_columns.ledger_columns(record)
    counted = list(record.queues.items()) if len(record.queues) > 1 else []
    rows = [
        [code(name), *(units.format_count(getattr(counts, column)) for column in columns)]
        for name, counts in [*counted, (ALL_QUEUES, record.counts)]
    ]
    return table(["ledger", *(name.replace("_", " ") for name in columns)], rows)
