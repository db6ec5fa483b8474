"""What a run was bound by."""

from collections.abc import Collection, Sequence

from bench.measure import bottleneck
from bench.measure.bottleneck import Attribution, Load
from bench.measure.recorder import Interval
from bench.measure.reports import ProducerReport, WorkerReport
from bench.measure.summary import LatencyTable
from bench.names import ALL_QUEUES
from bench.records.run_record import Rates, Resources
from bench.run.collected import CollectedRun
from bench.run.figures.rates import Window
from bench.run.figures.resources import command_cores

_LATE = frozenset(("schedule_lag", "enqueued_too_few", "not_sent"))
_BEHIND = "backlog_grows"


def attribution(
    run: CollectedRun,
    resources: Resources,
    window: Window,
    rates: Rates,
    histograms: LatencyTable,
    warnings: Collection[str],
) -> Attribution:
    """What the run was bound by; ``warnings`` are the codes of what its verdict found."""
    scenario = run.scenario
    has_slots = not scenario.is_observed and not scenario.external_workers
    slots = scenario.workers * scenario.concurrency if has_slots else 0
    return bottleneck.attribute(
        Load(
            server_cores=command_cores(run, window),
            worker_cores=None if scenario.is_observed else _busiest(run.serving_workers),
            producer_cores=_busiest(run.producers),
            is_closed_loop=scenario.is_closed_loop,
            is_late=not _LATE.isdisjoint(warnings),
            falls_behind=_BEHIND in warnings,
            slots=slots,
            busy_slots=_busy_slots(run, rates, histograms, slots),
            waits_for_workers=scenario.max_backlog is not None,
            round_trip_s=run.machine_limits.round_trip_us / 1e6,
            machine=resources.machine,
        )
    )


def _busiest(reports: Sequence[ProducerReport | WorkerReport]) -> float | None:
    """Cores that the busiest of these processes used on average; None without processes."""
    return max(
        (report.cpu_s / report.elapsed_s for report in reports if report.elapsed_s > 0),
        default=None,
    )


def _busy_slots(
    run: CollectedRun, rates: Rates, histograms: LatencyTable, slots: int
) -> float | None:
    """Share of the slots' time that tasks were in service, by Little's law.

    None where tasks that were taken together are in service together, so that there are more of
    them than slots.
    """
    scenario = run.scenario
    attempts = histograms[Interval.SERVICE, ALL_QUEUES]
    ended = histograms[Interval.E2E, ALL_QUEUES].count
    mean_us = attempts.mean_us()
    if not slots or rates.finished_per_s is None or mean_us is None or not ended:
        return None
    if scenario.prefetch > scenario.concurrency:
        return None
    return rates.finished_per_s * attempts.count / ended * mean_us / 1e6 / slots
