"""A run record as a section of a page."""

from collections.abc import Sequence

from bench import units
from bench.analysis.starvation import starvation
from bench.measure import priorities
from bench.measure.priorities import Inversion
from bench.names import ALL_QUEUES
from bench.records import timestamps
from bench.records.run_record import LatencySummary, RunRecord
from bench.reports import (
    breakdown_text,
    confidence_text,
    fault_rows,
    machine_text,
    run_columns,
    run_text,
    selftest_text,
)
from bench.reports.arrivals_text import arrivals
from bench.reports.figures import cores
from bench.reports.html import facts, selftest_page
from bench.reports.html.provenance import setup_of, stamp
from bench.reports.html.section import Section, Table
from bench.reports.plots.over_time import time_pictures
from bench.reports.plots.picture import Picture
from bench.reports.plots.queues import queues_picture
from bench.reports.plots.spectrum import spectrum_picture
from bench.reports.until_text import until
from bench.workload.scenario import Scenario


def section(record: RunRecord) -> Section:
    """Returns a section with everything a run found.

    Raises RecordError when a histogram of the record is damaged.
    """
    return Section(
        kind="run",
        group="Runs",
        title=record.scenario.name,
        verdict=_verdict(record),
        tone="good" if _is_valid(record) else "bad",
        answer=answer(record),
        figures=_figures(record),
        description=record.scenario.description,
        stamp=stamp(f"Run {record.id}, started", record.started_at),
        setup=setup_of(
            record.command, record.server, record.environment, facts.of_scenario(record.scenario)
        ),
        view={
            "record": record,
            "objectives": _objectives(record),
            "ledger": _ledger(record),
            "faults": _faults(record),
            "recoveries": _recoveries(record),
            "faults_explained": fault_rows.EXPLANATION,
            "checks": _checks(record),
            "observed": run_text.observed(record),
            "split": breakdown_text.sentence(record),
            "breakdown": _breakdown(record),
            "breakdown_explained": breakdown_text.EXPLANATION,
            "intervals": _intervals(record),
            "confidence": [*confidence_text.lines(record)],
            "queues": _queues(record),
            "priorities": priority_lines(record),
            "costs": _costs(record),
            "selftest": _selftest(record),
            "commands": _commands(record),
            "server_notes": breakdown_text.server_notes(record),
            "slow": _slow(record),
        },
        pictures=_pictures(record),
    )


def _selftest(record: RunRecord) -> dict[str, object] | None:
    """Returns what the template shows of the self-test that was attached; None without one."""
    if record.selftest is None:
        return None
    short = selftest_text.in_short(record.selftest, record.started_at)
    return {"short": short, **selftest_page.view(record.selftest)}


def _is_valid(record: RunRecord) -> bool:
    return record.verdict == "valid"


def _verdict(record: RunRecord) -> str:
    verdict = run_text.verdict(record)
    return verdict if _is_valid(record) else f"{verdict}: do not quote"


def answer(record: RunRecord) -> str:
    """Returns the rates and the main latency in a sentence, which follows the verdict."""
    rates = record.rates
    text = f"{run_text.enqueued_rate(record)} enqueued"
    if record.scenario.has_workers:
        text += f" and {run_text.completed(record) or run_text.no_completions(record)}"
    text += f" over {units.format_duration(record.window_s)}"
    if rates.asked_per_s is not None:
        text += f", with {units.format_rate(rates.asked_per_s)} offered"
    interval, summary = _headline_interval(record)
    missed = sum(not each.passed for each in record.slo)
    end = f" {missed} of {len(record.slo)} objectives missed." if missed else ""
    order = run_text.drain_order(record)
    if order:
        end += f" {order[0].upper()}{order[1:]}."
    if not summary.count:
        return f"{text}; no latency was measured.{end}"
    what = "end-to-end latency" if interval == "e2e" else "the server's acknowledgement took"
    verb = " was" if interval == "e2e" else ""
    median, p99 = (confidence_text.duration(summary, each) for each in ("p50_s", "p99_s"))
    return f"{text}; {what}{verb} {median} at p50 and {p99} at p99.{end}"


def _headline_interval(record: RunRecord) -> tuple[str, LatencySummary]:
    interval = "e2e" if record.latency["e2e"][ALL_QUEUES].count else "enqueue"
    return interval, record.latency[interval][ALL_QUEUES]


def _figures(record: RunRecord) -> dict[str, str]:
    interval, summary = _headline_interval(record)
    return {
        "enqueued": run_text.enqueued_rate(record),
        "completed": run_text.completed_rate(record),
        f"{interval} p50": confidence_text.duration(summary, "p50_s"),
        f"{interval} p99": confidence_text.duration(summary, "p99_s"),
        "started": timestamps.readable(record.started_at),
    }


def _objectives(record: RunRecord) -> Table | None:
    if not record.slo:
        return None
    rows = [
        (
            each.expression,
            run_text.objective_value(record, each),
            "✓ met" if each.passed else "✗ missed",
        )
        for each in record.slo
    ]
    missed = frozenset(index for index, each in enumerate(record.slo) if not each.passed)
    return Table("Objectives", ["objective", "measured", "outcome"], rows, strong=missed)


def _ledger(record: RunRecord) -> Table:
    columns = run_columns.ledger_columns(record)
    parts = list(record.queues.items()) if len(record.queues) > 1 else []
    rows = [
        [name, *(units.format_count(getattr(counts, column)) for column in columns)]
        for name, counts in [*parts, (ALL_QUEUES, record.counts)]
    ]
    return Table(
        "What became of every task",
        ["sub-queue", *(column.replace("_", " ") for column in columns)],
        rows,
        strong=frozenset({len(rows) - 1}),
    )


def _faults(record: RunRecord) -> Table | None:
    if not record.faults:
        return None
    columns, rows = fault_rows.headings(record.faults), fault_rows.rows(record.faults)
    return Table("What each fault did", columns, rows)


def _recoveries(record: RunRecord) -> Table | None:
    names = fault_rows.names(record.faults)
    rows = [
        [name, figure, text]
        for name, fault in zip(names, record.faults, strict=True)
        for figure, text in fault_rows.recoveries(fault)
    ]
    return Table("When each figure was back", fault_rows.BACK_HEADINGS, rows, 2) if rows else None


def _checks(record: RunRecord) -> facts.FactRows:
    """Returns the facts that the validity of the figures depends on."""
    resources, clock = record.resources, record.clock
    lag = record.latency["schedule_lag"][ALL_QUEUES]
    found = [("excluded", run_text.warmup(record) or "nothing: no warm-up was cut off")]
    if precise := until(record):
        found.append(("precision", precise))
    if record.scenario.is_closed_loop:
        found.append(("schedule", run_text.CLOSED_LOOP))
    elif lag.count:
        late = confidence_text.duration(lag, "p99_s")
        found.append(("schedule lag", f"tasks sent {late} late at p99"))
    if sent := arrivals(record):
        found.append(("arrivals", sent))
    if batched := run_text.batches(record):
        found.append(("batches", batched))
    found += [
        ("generator", f"{cores(resources.generator_cpu_cores)} cores"),
        ("workers", f"{cores(resources.worker_cpu_cores)} cores"),
        ("server", f"{cores(resources.server_cpu_cores)} cores"),
        ("clock", f"{clock.domain}, error at most {units.format_duration(clock.error_bound_s)}"),
    ]
    alone, timed = machine_text.hiccups(record), machine_text.canary(record)
    found += [("hiccups", alone.removeprefix("hiccups: "))] if alone else []
    found += [("canary", timed)] if timed else []
    if resources.generator_loop_lag_p99_s is not None:
        late = units.format_duration(resources.generator_loop_lag_p99_s)
        found.append(("event loop", f"{late} late at p99"))
    return found


_MOST_INVERSIONS = 10
_HEADINGS = [heading for heading, _ in run_columns.PERCENTILES]


def _intervals(record: RunRecord) -> Table:
    rows = [
        [interval, meaning, *run_columns.percentiles(record.latency[interval][ALL_QUEUES])]
        for interval, meaning in run_columns.INTERVALS.items()
        if interval in record.latency and record.latency[interval][ALL_QUEUES].count
    ]
    return Table(
        f"Latency of each interval{_suffix(record)}",
        ["interval", "from → to", *_HEADINGS],
        rows,
        names=2,
        strong=frozenset({0}),
    )


def _queues(record: RunRecord) -> Table:
    rows = [
        [queue, interval, *run_columns.percentiles(record.latency[interval][queue])]
        for interval in run_columns.QUEUE_INTERVALS
        for queue in record.queues
        if record.latency[interval][queue].count
    ]
    return Table(
        f"Latency of each sub-queue{_suffix(record)}",
        ["sub-queue", "interval", *_HEADINGS],
        rows,
        names=2,
    )


def priority_lines(record: RunRecord) -> list[str]:
    """Returns a sentence for each priority inversion, and one for the longest wait.

    Empty where neither was measured.
    """
    lines = [] if record.inversions is None else _inversion_lines(record, record.inversions)
    if record.scenario.priority == "weighted" and len(record.queues) > 1:
        lines.append(_drawn(record.scenario))
    longest = starvation(record)
    if longest is not None:
        lines.append(
            f"Longest wait: one task of {longest.queue} waited "
            f"{units.format_duration(longest.wait_s)} for a worker."
        )
    return lines


def _drawn(scenario: Scenario) -> str:
    """Returns by which weights workers drew the sub-queues."""
    if not scenario.priorities:
        return (
            "Sub-queues were drawn by weight, which is their share of the load: none had priority."
        )
    weights = ", ".join(f"{name} {weight:g}" for name, weight in scenario.priorities.items())
    return f"Sub-queues were drawn by the weights of their priorities: {weights}."


def _inversion_lines(record: RunRecord, found: Sequence[Inversion]) -> list[str]:
    """Returns a line for each inverted pair of sub-queues, or one that says that there is none."""
    is_drain = record.scenario.worker_start == "after-fill"
    clauses = priorities.clauses(found, is_drain=is_drain)
    if not clauses:
        return [
            f"No priority inversion: at {', '.join(priorities.STATISTICS)}, no sub-queue waited "
            "longer than one of lower priority by more than chance explains."
        ]
    lines = [f"Priority inversion: {clause}." for clause in clauses[:_MOST_INVERSIONS]]
    more = len(clauses) - len(lines)
    return [*lines, f"{more} more pairs are inverted."] if more else lines


def _costs(record: RunRecord) -> str:
    return ", ".join(run_text.costs(record)) or "not measured"


def _breakdown(record: RunRecord) -> Table | None:
    rows = breakdown_text.rows(record)
    if not rows:
        return None
    caption = f"Where the end-to-end latency went{_suffix(record)}"
    return Table(caption, breakdown_text.headings(record), rows)


def _commands(record: RunRecord) -> Table | None:
    rows = breakdown_text.command_rows(record)
    return Table("Redis by command", breakdown_text.COMMAND_HEADINGS, rows) if rows else None


def _slow(record: RunRecord) -> list[str]:
    commands = record.resources.server_commands
    if commands is None:
        return []
    return [breakdown_text.slow_command(each) for each in commands.slow]


def _pictures(record: RunRecord) -> list[Picture]:
    banner = "" if _is_valid(record) else _verdict(record)
    made = [
        spectrum_picture(record, banner),
        *time_pictures(record, banner),
        queues_picture(record, banner),
    ]
    return [picture for picture in made if picture is not None]


def _suffix(record: RunRecord) -> str:
    """Returns the verdict of a run that is not valid, which must accompany its figures."""
    return "" if _is_valid(record) else f" ({_verdict(record)})"
