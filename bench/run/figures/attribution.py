"""What a run was bound by."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from bench.measure import bottleneck
from bench.measure.bottleneck import Attribution, Load
from bench.measure.recorder import Interval
from bench.measure.reports import ProducerReport, WorkerReport
from bench.measure.slots import SlotUse
from bench.measure.summary import LatencyTable
from bench.names import ALL_QUEUES
from bench.records.resources import Resources
from bench.records.run_record import Rates
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
    return bottleneck.attribute(
        Load(
            server_cores=command_cores(run, window),
            worker_cores=None if scenario.is_observed else _busiest(run.serving_workers),
            producer_cores=_busiest(run.producers),
            is_closed_loop=scenario.is_closed_loop,
            is_late=not _LATE.isdisjoint(warnings),
            falls_behind=_BEHIND in warnings,
            slots=_slot_use(run, rates, histograms),
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


def _slot_use(run: CollectedRun, rates: Rates, histograms: LatencyTable) -> SlotUse:
    """What the slots of the workers had to do, as far as it is known."""
    scenario = run.scenario
    held_s = _held_s(run, histograms)
    use = SlotUse(
        # Of workers elsewhere, neither their number nor their settings are known.
        workers=0 if scenario.is_observed or scenario.external_workers else scenario.workers,
        concurrency=scenario.concurrency,
        prefetch=scenario.prefetch,
        offered_per_s=scenario.peak_per_s,
        needed=None if held_s is None else held_s * scenario.peak_per_s,
    )
    if held_s is None or not use.slots or rates.finished_per_s is None:
        return use
    drawn_s = scenario.service_time.mean * _attempts(histograms)
    busy, drawn = (rates.finished_per_s * each_s / use.slots for each_s in (held_s, drawn_s))
    return replace(use, busy=busy, drawn=drawn)


def _attempts(histograms: LatencyTable) -> float:
    """Attempts at a task on average; zero where none has ended."""
    ended = histograms[Interval.E2E, ALL_QUEUES].count
    return histograms[Interval.SERVICE, ALL_QUEUES].count / ended if ended else 0.0


def _held_s(run: CollectedRun, histograms: LatencyTable) -> float | None:
    """How long a task holds a slot on average, with all of its attempts, in seconds.

    A worker that takes one task at a time holds its slot until the last reply: for the measured
    time of service. One that takes more sends their last commands together while its slots go on:
    for the drawn time alone. None where tasks without such a time are in service together, so that
    there are more of them than slots.
    """
    scenario = run.scenario
    mean_us, attempts = histograms[Interval.SERVICE, ALL_QUEUES].mean_us(), _attempts(histograms)
    if mean_us is None or not attempts:
        return None
    is_elsewhere = scenario.is_observed or scenario.external_workers
    if scenario.prefetch > 1 and scenario.service_time.mean and not is_elsewhere:
        mean_us = scenario.service_time.mean * 1e6
    elif scenario.prefetch > scenario.concurrency and not is_elsewhere:
        return None
    return attempts * mean_us / 1e6
