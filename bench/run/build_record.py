"""The record of a run, from everything that was collected.

Pure: it reads no clock, no file, no environment and no server.
"""

from collections.abc import Sequence

import msgspec

from bench.measure import observation, summary, verdict
from bench.measure.observation import Observation
from bench.measure.recorder import Interval, LatencySeries
from bench.measure.reports import MeasuredLatencies
from bench.names import ALL_QUEUES
from bench.records.resources import Resources
from bench.records.run_record import (
    ClockInfo,
    LatencySummary,
    Rates,
    RecordWarning,
    RunRecord,
    SloResult,
    Warmup,
)
from bench.records.summaries import summarise
from bench.run.collected import CollectedRun
from bench.run.figures import objectives
from bench.run.figures.accounting import Account, account
from bench.run.figures.arrivals import arrivals_of
from bench.run.figures.attribution import attribution
from bench.run.figures.certainty import Summaries, rates_with_confidence, with_confidence
from bench.run.figures.fault_outcomes import fault_report
from bench.run.figures.hiccups import hiccups_in
from bench.run.figures.latency_breakdown import latency_breakdown
from bench.run.figures.rates import Window, enqueue_end_s, rates_in
from bench.run.figures.resources import resources_in
from bench.run.figures.series import series_of
from bench.run.figures.server_use import gone_may_be_lost
from bench.run.figures.steady_part import SteadyPart
from bench.run.figures.until import widened_latency, widened_rates
from bench.run.figures.verdict_inputs import unknown_latencies, verdict_inputs
from bench.secrets import hide_in_command_text
from bench.wire.ids import run_text
from bench.workload import metrics
from bench.workload.scenario import Scenario

_IF_MEASURED = (Interval.E2E_EARLIEST, Interval.DURABLE)
"""Intervals that stand in a record only where there was something to measure."""


def build_record(run: CollectedRun) -> RunRecord:
    """The whole record, verdict and objectives included."""
    queues = list(run.scenario.queues)
    measured = [report.measured for report in run.producers]
    measured += [report.measured for report in run.workers]
    cut = summary.cut_warmup(run.line, run.scenario.warmup_s, _steady_series(run))
    accounted = account(run)
    total = accounted.total
    window = Window(cut.left_out_s, enqueue_end_s(run))
    histograms = summary.latencies(measured, queues, cut.first_slice)
    steady = SteadyPart(cut, window, accounted, histograms, fault_report(run, window, total))
    rates = widened_rates(rates_with_confidence(run, rates_in(run, window, total), window), run)
    resources = resources_in(run, total, window)
    inputs = verdict_inputs(run, steady, arrivals_of(run, window))
    judgement, reasons = verdict.judge(inputs)
    bound = attribution(run, resources, window, rates, histograms, {each.code for each in reasons})
    return RunRecord(
        id=run_text(run.run_id),
        started_at=run.started_at,
        duration_s=run.duration_s,
        window_s=window.length_s,
        command=run.command,
        scenario=_without_secrets(run.scenario),
        environment=run.environment,
        server=run.server,
        verdict=str(judgement),
        warnings=[RecordWarning(reason.code, reason.message) for reason in reasons],
        guards=list(run.guards.watched),
        aborted=run.guards.aborted,
        until=run.until,
        attribution=bound.sentence,
        bound_by=str(bound.limit),
        counts=total,
        queues={queue: accounted.by_queue[queue] for queue in queues},
        rates=rates,
        arrivals=inputs.arrivals,
        latency=_with_confidence(run, histograms, measured, window),
        breakdown=latency_breakdown(run, steady),
        observation=_observation(run, accounted),
        inversions=inputs.inversions,
        series=series_of(run),
        resources=resources,
        network=run.network,
        clock=_clock(run),
        warmup=_warmup(run, cut, measured),
        slo=_objectives(run, steady, rates, resources, unknown_latencies(inputs)),
        faults=[*steady.faults.outcomes],
        hiccups=hiccups_in(run, cut.first_slice),
        canary=run.seen.canaries,
    )


def _with_confidence(
    run: CollectedRun,
    histograms: summary.LatencyTable,
    measured: Sequence[MeasuredLatencies],
    window: Window,
) -> Summaries:
    """The latencies, and how sure each percentile is."""
    queues = list(run.scenario.queues)
    found = _latency(histograms, queues)
    return widened_latency(with_confidence(found, histograms, measured, queues, window), run)


def _objectives(
    run: CollectedRun,
    steady: SteadyPart,
    rates: Rates,
    resources: Resources,
    unknown: Sequence[Interval],
) -> list[SloResult]:
    accounted = steady.accounted
    value_of = summary.lookup(
        steady.histograms,
        accounted.by_queue,
        _by_metric(rates, resources),
        {*accounted.uncounted, *unknown},
    )
    may_be_lost = gone_may_be_lost(run)
    perhaps_lost = accounted.total.outcome_unknown if may_be_lost else 0
    most_of = objectives.largest_possible(accounted.by_queue, rates, gone_may_be_lost=may_be_lost)
    return objectives.evaluated(
        run.scenario.slo, value_of, most_of, steady.faults.outcomes, perhaps_lost
    )


def _by_metric(rates: Rates, resources: Resources) -> dict[str, float | None]:
    """The rates and costs by the names of their metrics."""
    return {
        **{name: getattr(rates, each.field) for name, each in metrics.RATES.items()},
        **{name: getattr(resources, each.field) for name, each in metrics.COSTS.items()},
    }


def _without_secrets(scenario: Scenario) -> Scenario:
    """The scenario, with the secrets hidden that an external worker's command may hold."""
    if scenario.worker_command is None:
        return scenario
    shown = hide_in_command_text(scenario.worker_command)
    return msgspec.structs.replace(scenario, worker_command=shown)


def _steady_series(run: CollectedRun) -> list[LatencySeries]:
    """End-to-end latencies where tasks were finished, otherwise those of enqueueing."""
    if any(report.ended for report in run.workers):
        return [report.measured.series for report in run.workers]
    return [report.measured.series for report in run.producers]


def _latency(
    histograms: summary.LatencyTable, queues: Sequence[str]
) -> dict[str, dict[str, LatencySummary]]:
    """Latencies by interval, and by queue or ``all``; ``e2e_earliest`` and ``durable`` only where
    they were measured."""
    shown = [
        interval
        for interval in Interval
        if interval not in (Interval.E2E_EARLIEST, Interval.DURABLE)
        or histograms[interval, ALL_QUEUES].count
    ]
    return {
        str(interval): {
            queue: summarise(histograms[interval, queue]) for queue in (ALL_QUEUES, *queues)
        }
        for interval in shown
    }


def _observation(run: CollectedRun, accounted: Account) -> Observation | None:
    if run.observed is None:
        return None
    return observation.describe(run.observed, accounted.total, run.counted, accounted.counter_rules)


def _clock(run: CollectedRun) -> ClockInfo:
    domain = "server" if run.has_remote_workers else "monotonic"
    return ClockInfo(domain, run.clock_error_us / 1e6)


def _warmup(
    run: CollectedRun, cut: summary.WarmupCut, measured: Sequence[MeasuredLatencies]
) -> Warmup:
    left_out = summary.left_out(measured, cut.first_slice)
    return Warmup(
        method=cut.method,
        left_out_s=cut.left_out_s,
        most_s=run.most_warmup_s,
        tasks=left_out.count,
        e2e_max_s=left_out.max_us / 1e6 if left_out.count else None,
    )
