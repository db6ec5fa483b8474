"""The record of a run, from all that was collected. Pure: everything it needs is handed in."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from bench import environment, usage
from bench.arrays import Integers
from bench.measure import ledger, observation, summary, verdict
from bench.measure.attribution import attribute
from bench.measure.bits import Bits
from bench.measure.histogram import Histogram
from bench.measure.ledger import Counts
from bench.measure.recorder import Interval, LatencySeries, TimeLine
from bench.measure.reports import ObserverReport, ProducerReport, WorkerReport
from bench.records.run_record import (
    ClockInfo,
    LatencySummary,
    Rates,
    RecordWarning,
    Resources,
    RunRecord,
    Series,
    SloResult,
    Warmup,
)
from bench.redisio.connection import without_secrets
from bench.redisio.server_info import ServerUsage, lost_data
from bench.run.server_sampler import ServerSample
from bench.wire.ids import run_text
from bench.wire.layout import STATE_ACTIVE, STATE_PENDING
from bench.workload import metrics
from bench.workload.metrics import parse_objective
from bench.workload.mix import Mix
from bench.workload.scenario import Scenario


@dataclass(frozen=True, kw_only=True)
class CollectedRun:
    """Everything that a run saw, as it was when the run ended."""

    run: int
    started_at: str
    duration_s: float
    command: str
    scenario: Scenario
    server: dict[str, object]
    line: TimeLine
    most_warmup_s: float
    drain_started_s: float | None
    producers: Sequence[ProducerReport]
    workers: Sequence[WorkerReport]
    has_remote_workers: bool
    pending: Mapping[int, Bits]
    active: Mapping[int, Bits]
    samples: Sequence[ServerSample]
    usage_before: ServerUsage
    usage_after: ServerUsage | None
    clock_error_us: float
    interruptions: Sequence[str]
    drain_timed_out: bool


@dataclass(frozen=True)
class _Window:
    """The steady part, in seconds after the run's start."""

    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        return max(self.end_s - self.start_s, 0.0)


def build_record(run: CollectedRun) -> RunRecord:
    """The whole record."""
    queues = list(run.scenario.queues)
    measured = [each.measured for each in run.producers] + [each.measured for each in run.workers]
    cut = summary.cut_warmup(run.line, run.scenario.warmup_s, _steady_series(run))
    histograms = summary.latencies(measured, queues, cut.first_slice)
    counts = _account(run)
    watched = _observed(run)
    window = _Window(cut.left_out_s, _enqueue_end_s(run))
    rates = _rates(run, window)
    resources = _resources(run, counts["all"], window)
    left_out = summary.left_out(measured, cut.first_slice)
    verdict_, findings = verdict.judge(_facts(run, cut, window, counts["all"], histograms))
    value_of = summary.lookup(
        histograms,
        counts,
        {
            "enqueue.rate": rates.enqueued_per_s,
            "completed.rate": rates.completed_per_s,
            **{name: getattr(resources, name) for name in metrics.COSTS},
        },
    )
    objectives = [parse_objective(expression) for expression in run.scenario.slo]
    return RunRecord(
        id=run_text(run.run),
        started_at=run.started_at,
        duration_s=run.duration_s,
        window_s=window.length_s,
        command=run.command,
        scenario=_without_secrets(run.scenario),
        environment=environment.describe(len(run.producers), len(_task_workers(run))),
        server=run.server,
        verdict=str(verdict_),
        warnings=[RecordWarning(each.code, each.message) for each in findings],
        attribution=_attribution(run, resources),
        counts=counts["all"],
        queues={queue: counts[queue] for queue in queues},
        rates=rates,
        latency=_latency(histograms, queues),
        observation=None if watched is None else observation.describe(watched, counts["all"]),
        series=_series(run, queues),
        resources=resources,
        clock=ClockInfo(
            "server" if run.has_remote_workers else "monotonic", run.clock_error_us / 1e6
        ),
        warmup=Warmup(
            method=cut.method,
            left_out_s=cut.left_out_s,
            most_s=run.most_warmup_s,
            tasks=left_out.count,
            e2e_max_s=left_out.max_us / 1e6 if left_out.count else None,
        ),
        slo=[
            SloResult(each.expression, value := value_of(each.metric), each.holds(value))
            for each in objectives
        ],
    )


def _without_secrets(scenario: Scenario) -> Scenario:
    """The same, but for what an external worker's command may hold."""
    if scenario.worker_command is None:
        return scenario
    words = shlex.split(scenario.worker_command)
    return msgspec.structs.replace(scenario, worker_command=without_secrets(words))


def _steady_series(run: CollectedRun) -> list[LatencySeries]:
    """End-to-end latencies where tasks were finished, else those of enqueueing."""
    if any(report.completed for report in run.workers):
        return [report.measured.series for report in run.workers]
    return [report.measured.series for report in run.producers]


def _account(run: CollectedRun) -> dict[str, Counts]:
    """Counts by queue, and for ``all``."""
    mix = Mix(list(run.scenario.queues.values()), run.scenario.seed)

    def queue_of(producer: int, sequences: Integers) -> Integers:
        return mix.queue_of(sequences * run.scenario.producers + producer)

    counts = ledger.account(
        ledger.Evidence(
            queues=list(run.scenario.queues),
            queue_of=queue_of,
            producers={report.number: report.ledger() for report in run.producers},
            workers=[report.ledger() for report in run.workers],
            pending=_pending(run),
            active=run.active,
        )
    )
    for queue, each in counts.items():
        problem = ledger.imbalance(each)
        if problem is not None:
            raise AssertionError(f"the ledger of {queue} does not add up: {problem}")
    return {**counts, "all": ledger.total(counts.values())}


def _observed(run: CollectedRun) -> ObserverReport | None:
    """What an observer saw; None where workers measured themselves."""
    return next((each.observed for each in run.workers if each.observed is not None), None)


def _off_the_lists(observed: ObserverReport | None, counts: Counts) -> dict[str, int]:
    """States of tasks that had not ended, without those that the lists account for."""
    states = {} if observed is None else dict(observed.unfinished)
    for state, on_lists in ((STATE_PENDING, counts.pending), (STATE_ACTIVE, counts.active)):
        if states.get(state, 0) <= on_lists:
            states.pop(state, None)
    return states


def _pending(run: CollectedRun) -> Mapping[int, Bits]:
    """Those on lists, and those that are on none and wait for their next attempt."""
    found = {number: bits.copy() for number, bits in run.pending.items()}
    for report in run.workers:
        for number, packed in report.waiting_sets.items():
            found.setdefault(number, Bits()).merge(Bits(packed))
    return found


def _task_workers(run: CollectedRun) -> list[WorkerReport]:
    """Those who do the work, rather than watch it being done."""
    return [report for report in run.workers if report.observed is None]


def _enqueue_end_s(run: CollectedRun) -> float:
    """When enqueueing ended: as planned, or with the last reply where that was earlier or later.

    A run that was cut short, or bounded by a count of tasks, ends with its last reply; so does one
    whose last replies came after its planned end by more than a tenth of a second.
    """
    last_s = summary.last_reply_s(run.producers, run.line)
    planned_s = run.scenario.planned_duration_s
    if planned_s is None or run.interruptions or run.scenario.tasks is not None:
        return last_s
    return planned_s if last_s <= planned_s + 0.1 else last_s


def _rates(run: CollectedRun, window: _Window) -> Rates:
    enqueued = summary.add_points([report.enqueued_by_point for report in run.producers])
    finished = summary.add_points([report.finished_by_point for report in run.workers])
    completed_per_s = None
    if run.workers:
        start_s, end_s = window.start_s, window.end_s
        if run.scenario.worker_start == "after-fill" and run.drain_started_s is not None:
            # Whole points from the first to the last in which anything was finished.
            busy = np.flatnonzero(finished)
            start_s = (int(busy[0]) + 1) / summary.POINTS_PER_SECOND if len(busy) else 0.0
            end_s = int(busy[-1]) / summary.POINTS_PER_SECOND if len(busy) else 0.0
        completed_per_s = summary.rate_between(finished, start_s, end_s)
    enqueued_per_s = summary.rate_between(enqueued, window.start_s, window.end_s)
    if enqueued_per_s is None and window.length_s:  # over before a tenth of a second was
        enqueued_per_s = sum(enqueued) / window.length_s
    return Rates(
        asked_per_s=run.scenario.asked_per_s,
        enqueued_per_s=enqueued_per_s,
        completed_per_s=completed_per_s,
    )


def _resources(run: CollectedRun, counts: Counts, window: _Window) -> Resources:
    def cores(reports: Sequence[ProducerReport | WorkerReport]) -> float | None:
        if not reports:
            return None
        return sum(each.cpu_s / each.elapsed_s for each in reports if each.elapsed_s > 0)

    observed = _observed(run)
    samples = 0 if observed is None else observed.commands
    costs: dict[str, float] = {}
    if run.usage_after is not None and counts.enqueued:
        before, after, tasks = run.usage_before, run.usage_after, counts.enqueued
        costs = {
            "server_cpu_us_per_task": (after.cpu_s - before.cpu_s) * 1e6 / tasks,
            "server_commands_per_task": (after.commands - before.commands - samples) / tasks,
            "server_bytes_per_task": (after.network_bytes - before.network_bytes) / tasks,
            "server_memory_bytes_per_task": (after.memory_bytes - before.memory_bytes) / tasks,
        }
    return Resources(
        generator_cpu_cores=cores(run.producers),
        worker_cpu_cores=cores(_task_workers(run)),
        server_cpu_cores=_server_cores(run.samples, window),
        generator_loop_lag_p99_s=_loop_lag_p99_s(run),
        harness_memory_bytes=usage.peak_memory_bytes()
        + sum(report.peak_memory_bytes for report in run.producers)
        + sum(report.peak_memory_bytes for report in run.workers),
        **costs,
    )


def _loop_lag_p99_s(run: CollectedRun) -> float | None:
    worst_us = max((report.loop_lag_p99_us for report in run.producers), default=0.0)
    return worst_us / 1e6 if worst_us else None


def _attribution(run: CollectedRun, resources: Resources) -> str:
    workers, producers = resources.worker_cpu_cores, resources.generator_cpu_cores
    return attribute(
        resources.server_cpu_cores,
        workers / len(_task_workers(run)) if workers is not None else None,
        producers / len(run.producers) if producers is not None else None,
    )


def _server_cores(samples: Sequence[ServerSample], window: _Window) -> float | None:
    """CPU of the server between the first and the last look within the window."""
    inside = [look for look in samples if window.start_s <= look.offset_us / 1e6 <= window.end_s]
    if len(inside) < 2:
        inside = list(samples)
    if len(inside) < 2:
        return None
    elapsed_s = (inside[-1].offset_us - inside[0].offset_us) / 1e6
    return (inside[-1].cpu_s - inside[0].cpu_s) / elapsed_s


def _facts(
    run: CollectedRun,
    cut: summary.WarmupCut,
    window: _Window,
    counts: Counts,
    histograms: summary.LatencyTable,
) -> verdict.VerdictInputs:
    scenario, observed, after = run.scenario, _observed(run), run.usage_after
    lag_us = histograms[Interval.SCHEDULE_LAG, "all"].percentile_us(99)
    everything = [histograms[interval, "all"] for interval in Interval]
    return verdict.VerdictInputs(
        counts=counts,
        is_closed_loop=scenario.is_closed_loop,
        expects_completions=scenario.has_workers,
        watches_backlog=scenario.has_workers and scenario.worker_start == "with-run",
        busiest_producer_cores=max(
            (report.busiest_second_cores for report in run.producers), default=0.0
        ),
        lag_p99_s=None if lag_us is None else lag_us / 1e6,
        asked_per_s=scenario.asked_per_s,
        backlog=[
            sum(look.backlog)
            for look in run.samples
            if window.start_s <= look.offset_us / 1e6 <= window.end_s
        ],
        interruptions=run.interruptions,
        drain_timed_out=run.drain_timed_out,
        negative_latencies=sum(each.negative for each in everything),
        overflown_latencies=sum(each.overflow for each in everything),
        missing_tasks=sum(report.missing for report in run.workers),
        first_error=next((each.first_error for each in run.producers if each.first_error), ""),
        loop_lag_p99_s=_loop_lag_p99_s(run),
        reconnects=sum(report.reconnects for report in run.producers),
        is_steady=cut.is_steady,
        most_warmup_s=run.most_warmup_s,
        seen_by=scenario.seen_by if scenario.is_observed else None,
        ends_seen=histograms[Interval.E2E, "all"].count,
        awaits_reports=scenario.external_workers and not run.has_remote_workers,
        is_fate_known=observed is None or observed.is_settled,
        lost_data="" if after is None else lost_data(run.usage_before, after),
        unfinished=_off_the_lists(observed, counts),
        counted_successes=None if observed is None else observed.counted,
    )


def _latency(
    histograms: summary.LatencyTable, queues: Sequence[str]
) -> dict[str, dict[str, LatencySummary]]:
    shown = [
        interval
        for interval in Interval
        if interval is not Interval.E2E_EARLIEST or histograms[interval, "all"].count
    ]
    return {
        str(interval): {queue: summarise(histograms[interval, queue]) for queue in ("all", *queues)}
        for interval in shown
    }


def summarise(histogram: Histogram) -> LatencySummary:
    """A histogram as the record shows it, in seconds."""
    if not histogram.count:
        return LatencySummary(count=0, hdr=histogram.encode())

    def seconds(value_us: float | None) -> float | None:
        return None if value_us is None else value_us / 1e6

    return LatencySummary(
        count=histogram.count,
        min_s=seconds(histogram.min_us),
        mean_s=seconds(histogram.mean_us()),
        p50_s=seconds(histogram.percentile_us(50)),
        p90_s=seconds(histogram.percentile_us(90)),
        p95_s=seconds(histogram.percentile_us(95)),
        p99_s=seconds(histogram.percentile_us(99)),
        p999_s=seconds(histogram.percentile_us(99.9)),
        max_s=seconds(histogram.max_us),
        negative=histogram.negative,
        overflow=histogram.overflow,
        hdr=histogram.encode(),
    )


def _series(run: CollectedRun, queues: Sequence[str]) -> Series:
    """One row a second, from the start to the end of the drain."""
    seconds = max(int(np.ceil(run.duration_s)), 1)
    points = {
        "offered": [report.offered_by_point for report in run.producers],
        "enqueued": [report.enqueued_by_point for report in run.producers],
        "started": [report.started_by_point for report in run.workers],
        "finished": [report.finished_by_point for report in run.workers],
    }
    columns: dict[str, Sequence[float | None]] = {"second": list(range(seconds))}
    for name, series in points.items():
        columns[name] = summary.per_second(summary.add_points(series), seconds)
    samples = {look.offset_us // 1_000_000: look for look in run.samples}
    for index, queue in enumerate(queues):
        columns[f"backlog:{queue}"] = [
            samples[second].backlog[index] if second in samples else None
            for second in range(seconds)
        ]
    columns["e2e_p50_s"] = summary.second_percentiles(run.workers, 50, seconds)
    columns["e2e_p99_s"] = summary.second_percentiles(run.workers, 99, seconds)
    columns["server_cpu_cores"] = [
        _cores_between(samples.get(second), samples.get(second + 1)) for second in range(seconds)
    ]
    columns["server_memory_bytes"] = [
        samples[second].memory_bytes if second in samples else None for second in range(seconds)
    ]
    rows = [list(row) for row in zip(*columns.values(), strict=True)]
    return Series(1.0, list(columns), rows)


def _cores_between(earlier: ServerSample | None, later: ServerSample | None) -> float | None:
    if earlier is None or later is None:
        return None
    return (later.cpu_s - earlier.cpu_s) / ((later.offset_us - earlier.offset_us) / 1e6)
