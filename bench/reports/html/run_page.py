"""A run as a section of a page."""

from collections.abc import Sequence

from bench import units
from bench.analysis import priorities
from bench.analysis.priorities import Inversion
from bench.records.run_record import LatencySummary, RunRecord
from bench.reports import run_text
from bench.reports.html import facts
from bench.reports.html.section import Section, Table
from bench.reports.plots.over_time import time_pictures
from bench.reports.plots.picture import Picture
from bench.reports.plots.queues import queues_picture
from bench.reports.plots.spectrum import spectrum_picture


def section(record: RunRecord) -> Section:
    """All of a run. Raises ValueError where a histogram is damaged."""
    return Section(
        kind="run",
        group="Runs",
        title=record.scenario.name,
        verdict=_verdict(record),
        mood="good" if _is_valid(record) else "bad",
        answer=answer(record),
        figures=_figures(record),
        view={
            "record": record,
            "begun": facts.moment(record.started_at),
            "objectives": _objectives(record),
            "ledger": _ledger(record),
            "checks": _checks(record),
            "observed": run_text.observed(record),
            "stages": _stages(record),
            "queues": _queues(record),
            "priorities": priority_lines(record),
            "costs": _costs(record),
            "environment": facts.flat(record.environment),
            "server": facts.flat(record.server),
            "scenario": facts.of_scenario(record.scenario),
        },
        pictures=_pictures(record),
    )


def _is_valid(record: RunRecord) -> bool:
    return record.verdict == "valid"


def _verdict(record: RunRecord) -> str:
    said = run_text.verdict(record)
    return said if _is_valid(record) else f"{said}: do not quote"


def answer(record: RunRecord) -> str:
    """One sentence; it needs the verdict before it."""
    rates = record.rates
    said = f"{units.format_rate(rates.enqueued_per_s)} enqueued"
    if record.scenario.has_workers:
        said += f" and {units.format_rate(rates.completed_per_s)} finished"
    said += f" over {units.format_duration(record.window_s)}"
    if rates.asked_per_s is not None:
        said += f", where {units.format_rate(rates.asked_per_s)} were asked for"
    stage, summary = _headline_stage(record)
    missed = sum(not each.passed for each in record.slo)
    end = f" {missed} of {len(record.slo)} objectives missed." if missed else ""
    if not summary.count:
        return f"{said}; no latency was measured.{end}"
    what = "end to end" if stage == "e2e" else "until the server had acknowledged it"
    median, p99 = units.format_duration(summary.p50_s), units.format_duration(summary.p99_s)
    return f"{said}; {what} a task took {median} at p50 and {p99} at p99.{end}"


def _headline_stage(record: RunRecord) -> tuple[str, LatencySummary]:
    stage = "e2e" if record.latency["e2e"]["all"].count else "enqueue"
    return stage, record.latency[stage]["all"]


def _figures(record: RunRecord) -> dict[str, str]:
    stage, summary = _headline_stage(record)
    return {
        "enqueued": units.format_rate(record.rates.enqueued_per_s),
        "finished": units.format_rate(record.rates.completed_per_s),
        f"{stage} p50": units.format_duration(summary.p50_s),
        f"{stage} p99": units.format_duration(summary.p99_s),
        "begun": facts.moment(record.started_at),
    }


def _objectives(record: RunRecord) -> Table | None:
    if not record.slo:
        return None
    rows = [
        (
            each.expression,
            run_text.objective_value(each.expression, each.value),
            "✓ held" if each.passed else "✗ missed",
        )
        for each in record.slo
    ]
    missed = frozenset(index for index, each in enumerate(record.slo) if not each.passed)
    return Table("Objectives", ["objective", "measured", "outcome"], rows, strong=missed)


def _ledger(record: RunRecord) -> Table:
    columns = run_text.ledger_columns(record)
    parts = list(record.queues.items()) if len(record.queues) > 1 else []
    rows = [
        [name, *(units.format_count(getattr(counts, column)) for column in columns)]
        for name, counts in [*parts, ("all", record.counts)]
    ]
    return Table(
        "What became of every task",
        ["sub-queue", *(column.replace("_", " ") for column in columns)],
        rows,
        strong=frozenset({len(rows) - 1}),
    )


def _checks(record: RunRecord) -> facts.FactRows:
    """What the figures rest on."""
    resources, clock = record.resources, record.clock
    lag = record.latency["schedule_lag"]["all"]
    found = [("left out", run_text.left_out(record) or "nothing: no warm-up was cut away")]
    if record.scenario.is_closed_loop:
        found.append(
            ("loop", "closed: there is no schedule, so due is the moment of sending"),
        )
    elif lag.count:
        found.append(("sent late by", f"{units.format_duration(lag.p99_s)} at p99 (schedule_lag)"))
    found += [
        ("generator", f"{run_text.cores(resources.generator_cpu_cores)} cores"),
        ("workers", f"{run_text.cores(resources.worker_cpu_cores)} cores"),
        ("server", f"{run_text.cores(resources.server_cpu_cores)} cores"),
        ("clock", f"{clock.domain}, error at most {units.format_duration(clock.error_bound_s)}"),
    ]
    if resources.generator_loop_lag_p99_s is not None:
        late = units.format_duration(resources.generator_loop_lag_p99_s)
        found.append(("event loop", f"{late} late at p99"))
    return found


_MOST_INVERSIONS = 10
_HEADINGS = [heading for heading, _ in run_text.PERCENTILES]


def _percentiles(summary: LatencySummary) -> list[str]:
    return [units.format_duration(getattr(summary, name)) for _, name in run_text.PERCENTILES]


def _stages(record: RunRecord) -> Table:
    rows = [
        [stage, meaning, *_percentiles(record.latency[stage]["all"])]
        for stage, meaning in run_text.STAGES.items()
        if stage in record.latency and record.latency[stage]["all"].count
    ]
    return Table(
        f"Latency of each stage{_suffix(record)}",
        ["stage", "from → to", *_HEADINGS],
        rows,
        names=2,
        strong=frozenset({0}),
    )


def _queues(record: RunRecord) -> Table:
    rows = [
        [queue, stage, *_percentiles(record.latency[stage][queue])]
        for stage in run_text.QUEUE_STAGES
        for queue in record.queues
        if record.latency[stage][queue].count
    ]
    return Table(
        f"Latency of each sub-queue{_suffix(record)}",
        ["sub-queue", "stage", *_HEADINGS],
        rows,
        names=2,
    )


def priority_lines(record: RunRecord) -> list[str]:
    """Every inversion of priorities and the longest wait, in words."""
    if not record.latency["queue_wait"]["all"].count:
        return []
    said = _inversion_lines(priorities.inversions(record))
    if not said and len(record.queues) > 1:
        said = [
            "No priority inversion: at p50 and p99, no sub-queue waited longer than a lower one."
        ]
    elif said and record.scenario.priority == "weighted":
        said.append("Sub-queues were drawn by weight, so that an inversion is no fault by itself.")
    longest = priorities.starvation(record)
    if longest is not None:
        said.append(
            f"Longest starvation: one task of {longest.queue} waited "
            f"{units.format_duration(longest.wait_s)} for a worker."
        )
    return said


def _inversion_lines(found: Sequence[Inversion]) -> list[str]:
    """A line for each pair of sub-queues, whatever the number of statistics that say so."""
    pairs: dict[tuple[str, str], list[str]] = {}
    for each in found:
        waits = map(units.format_duration, (each.higher_s, each.lower_s))
        told = f"{each.statistic} {' against '.join(waits)}"
        pairs.setdefault((each.higher, each.lower), []).append(told)
    lines = [
        f"Priority inversion: {higher} waited longer than {lower}, which has a lower priority: "
        f"{', '.join(told)}."
        for (higher, lower), told in pairs.items()
    ]
    left = len(lines) - _MOST_INVERSIONS
    return lines if left <= 0 else [*lines[:_MOST_INVERSIONS], f"And {left} more such pairs."]


def _costs(record: RunRecord) -> str:
    said = run_text.costs(record)
    return ", ".join(said) if said else "not seen"


def _pictures(record: RunRecord) -> list[Picture]:
    mark = "" if _is_valid(record) else _verdict(record)
    made = [
        spectrum_picture(record, mark),
        *time_pictures(record, mark),
        queues_picture(record, mark),
    ]
    return [picture for picture in made if picture is not None]


def _suffix(record: RunRecord) -> str:
    """A figure of a run that is not valid never stands without its verdict."""
    return "" if _is_valid(record) else f" ({_verdict(record)})"
