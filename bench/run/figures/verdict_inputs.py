"""What the verdict of a run is judged by."""

import itertools
import math
from collections import Counter
from collections.abc import Sequence

from bench.measure import summary
from bench.measure.arrivals import Arrivals
from bench.measure.faults import InjectedFault
from bench.measure.histogram import Histogram
from bench.measure.leases import RECOVERY_S
from bench.measure.ledger import Counts
from bench.measure.priorities import Inversion, find_inversions, ordered_pairs
from bench.measure.recorder import Interval
from bench.measure.reports import ObserverReport, ProducerReport
from bench.measure.unserved import Unserved
from bench.measure.verdict import LAG_LIMIT_S
from bench.measure.verdict_inputs import (
    Clocks,
    FaultInputs,
    GivenUp,
    Lateness,
    OtherUsers,
    ServerChange,
    VerdictInputs,
    WatchedMachine,
)
from bench.names import ALL_QUEUES
from bench.run.collected import CollectedRun
from bench.run.figures.machine_use import machine_use
from bench.run.figures.rates import Window, enqueued_per_s
from bench.run.figures.resources import busy_window, loop_lag_p99_s
from bench.run.figures.server_use import evicted_keys, gone_may_be_lost, lost_data, unknown_costs
from bench.run.figures.steady_part import SteadyPart
from bench.wire.layout_contract import STATE_ACTIVE, STATE_PENDING

_LAST_SECONDS_S = 5.0
"""The part of a drain from whose rate it is told how long it would have gone on."""
_NOTICED_WITHIN_US = 500_000
"""How long after the end of a fault a producer may notice that a connection is lost."""
_BETWEEN_PROCESSES = (Interval.QUEUE_WAIT, Interval.E2E, Interval.E2E_FROM_SEND)
"""Latencies from a stamp of a producer to one of a worker or an observer."""


def verdict_inputs(run: CollectedRun, steady: SteadyPart, arrivals: Arrivals) -> VerdictInputs:
    """The inputs of ``verdict.judge`` for a whole run."""
    cut, window, histograms = steady.cut, steady.window, steady.histograms
    accounted, outcomes = steady.accounted, steady.faults.outcomes
    scenario, counts = run.scenario, accounted.total
    return VerdictInputs(
        counts=counts,
        is_closed_loop=scenario.is_closed_loop,
        expects_completions=scenario.has_workers,
        watches_backlog=scenario.has_workers and scenario.worker_start == "with-run",
        asked_per_s=scenario.asked_per_s,
        backlog=_backlog(run, window),
        waiting=_waiting(run, window) if len(_backlog(run, window)) < 2 else (),
        interruptions=run.interruptions,
        aborted=run.guards.aborted,
        layout_note=run.layout_note,
        leases=run.leases,
        drain_timeout_s=scenario.drain_timeout_s,
        needed_drain_s=_needed_drain_s(run),
        negative_latencies=sum(each.negative for each in _of_all_queues(histograms)),
        overflowed_latencies=sum(each.overflow for each in _of_all_queues(histograms)),
        missing_tasks=sum(report.missing for report in run.workers),
        first_error=_first_error(run),
        loop_lag_p99_s=loop_lag_p99_s(run),
        reconnects=sum(report.reconnects for report in run.producers),
        is_steady=cut.is_steady,
        most_warmup_s=run.most_warmup_s,
        seen_by=scenario.seen_by if scenario.is_observed else None,
        ends_seen=histograms[Interval.E2E, ALL_QUEUES].count,
        awaits_reports=scenario.external_workers and not run.has_remote_workers,
        are_outcomes_known=_are_outcomes_known(run),
        looked_up=None if run.looked_up is None else run.looked_up.counts,
        clocks=_clocks(run, histograms),
        lateness=_lateness(run, cut, window, histograms),
        arrivals=arrivals,
        drain_takes_s=_drain_takes_s(run, counts),
        server=_server(run),
        faults=FaultInputs(run.faults, outcomes, _backlog_before_faults(run, window)),
        others=_others(run),
        machine=_machine(run, window),
        difficulties=_difficulties(run),
        unserved=_unserved(run),
        measured_tasks=histograms[Interval.ENQUEUE, ALL_QUEUES].count,
        drain_waited_for=run.drain_waited_for,
        unfinished=_on_no_list(run.observed, counts),
        counter_rules=accounted.counter_rules,
        counter_excess=accounted.counter_excess,
        inversions=_inversions(run, histograms),
        is_drain=scenario.worker_start == "after-fill",
    )


def _of_all_queues(histograms: summary.LatencyTable) -> list[Histogram]:
    return [histograms[interval, ALL_QUEUES] for interval in Interval]


def unknown_latencies(inputs: VerdictInputs) -> Sequence[Interval]:
    """The latencies of which nothing is known, as the clocks of the processes disagree."""
    return _BETWEEN_PROCESSES if inputs.clocks.disagree else ()


def _clocks(run: CollectedRun, histograms: summary.LatencyTable) -> Clocks:
    """How well the clocks of all processes agree, and what shows that they do not."""
    e2e = histograms[Interval.E2E, ALL_QUEUES]
    between = [histograms[interval, ALL_QUEUES] for interval in _BETWEEN_PROCESSES]
    median_us = e2e.percentile_us(50)
    return Clocks(
        error_s=run.clock_error_us / 1e6,
        apart_s=run.clocks_apart_us / 1e6,
        least_latency_s=min((each.min_us for each in between if each.count), default=0) / 1e6,
        median_e2e_s=None if median_us is None else median_us / 1e6,
    )


def _server(run: CollectedRun) -> ServerChange:
    return ServerChange(
        lost_data(run),
        gone_may_be_lost(run),
        run.completed_gone,
        evicted_keys(run),
        unknown_costs(run),
        redirected=sum(report.redirected for report in run.producers),
    )


def _machine(run: CollectedRun, window: Window) -> WatchedMachine:
    governor, clock_source = (run.environment.get(name) for name in ("governor", "clock_source"))
    return WatchedMachine(
        use=machine_use(run, busy_window(run, window)),
        canaries=run.seen.canaries,
        governor=governor if isinstance(governor, str) else None,
        clock_source=clock_source if isinstance(clock_source, str) else None,
        problem=run.seen.problem,
    )


def _others(run: CollectedRun) -> OtherUsers:
    served = sum(report.foreign for report in run.workers)
    is_shared = run.remaining.others is None
    return OtherUsers(
        tasks=0 if is_shared else served + (run.remaining.others or 0),
        poppers=run.remaining.other_poppers,
    )


def _backlog(run: CollectedRun, window: Window) -> list[int]:
    return [sum(sample.backlog) for sample in run.samples if window.includes(sample.offset_us)]


def _waiting(run: CollectedRun, window: Window) -> list[int]:
    """Tasks enqueued and not started at the end of each whole bin of the window."""
    if not run.workers:
        return []
    enqueued = summary.add_bins([each.enqueued_by_bin for each in run.producers])
    started = summary.add_bins([each.started_by_bin for each in run.workers])
    first = math.ceil(window.start_s * summary.BINS_PER_SECOND - 1e-6)
    stop = math.floor(window.end_s * summary.BINS_PER_SECOND + 1e-6)
    return [*itertools.accumulate(summary.subtract_bins(enqueued, started))][first:stop]


def _backlog_before_faults(run: CollectedRun, window: Window) -> list[int]:
    first_us = min((each.began_us for each in run.faults if each.began_us is not None), default=0)
    return [
        sum(sample.backlog)
        for sample in run.samples
        if window.includes(sample.offset_us) and sample.offset_us < first_us
    ]


def _difficulties(run: CollectedRun) -> list[str]:
    """What workers met and went on after, as clauses."""
    refusals: Counter[str] = Counter()
    for report in run.workers:
        refusals.update(report.refusals)
    lost = sum(report.reconnects for report in run.workers)
    return [
        *(f"commands refused with {code}: {count:,}" for code, count in sorted(refusals.items())),
        *([f"connections lost and replaced: {lost:,}"] if lost else []),
    ]


def _unserved(run: CollectedRun) -> list[str]:
    """The tasks that workers took and could not serve, by the reason, as clauses."""
    unserved: Counter[Unserved] = Counter()
    for report in run.workers:
        unserved.update(report.unserved)
    return [reason.of(unserved[reason]) for reason in Unserved if unserved[reason]]


def _lateness(
    run: CollectedRun,
    cut: summary.WarmupCut,
    window: Window,
    histograms: summary.LatencyTable,
) -> Lateness:
    """How many tasks were sent late, how late the latest of them, and how many were given up."""
    lags, held_s = histograms[Interval.SCHEDULE_LAG, ALL_QUEUES], 0.0
    if are_explained(run.producers, run.faults):
        own = [report.own_lag for report in run.producers]
        table = summary.latencies(own, list(run.scenario.queues), cut.first_slice)
        lags, held_s = table[Interval.SCHEDULE_LAG, ALL_QUEUES], _held_s(run)
    p99_us = lags.percentile_us(99)
    if p99_us is None:
        return Lateness(given_up=_given_up(run), held_s=held_s)
    late = lags.count_above(round(LAG_LIMIT_S * 1e6))
    return Lateness(
        p99_s=p99_us / 1e6,
        share=late / lags.count,
        longest_s=lags.max_us / 1e6,
        reached_per_s=enqueued_per_s(run, window),
        given_up=_given_up(run),
        held_s=held_s,
    )


def are_explained(producers: Sequence[ProducerReport], faults: Sequence[InjectedFault]) -> bool:
    """Whether the server took nothing at times, each of which begins while a fault goes on, or is
    being undone."""
    began = [held[0] for report in producers for held in report.held_us]
    return bool(began) and all(any(_explains(each, us) for each in faults) for us in began)


def _explains(injected: InjectedFault, held_us: int) -> bool:
    if injected.began_us is None or injected.fault.of_worker:
        return False
    ended_us = injected.ended_us
    return held_us >= injected.began_us and (
        ended_us is None or held_us <= ended_us + _NOTICED_WITHIN_US
    )


def _held_s(run: CollectedRun) -> float:
    """For how long the server took nothing of the producer of which it took nothing for longest."""
    return max(
        (sum(stop - start for start, stop in report.held_us) / 1e6 for report in run.producers),
        default=0.0,
    )


def _given_up(run: CollectedRun) -> GivenUp:
    gave_up = [report for report in run.producers if report.given_up]
    return GivenUp(
        tasks=sum(report.given_up for report in gave_up),
        behind_s=max((report.behind_us for report in gave_up), default=0) / 1e6,
        overrun_s=run.scenario.overrun_s,
    )


def _drain_takes_s(run: CollectedRun, counts: Counts) -> float | None:
    """How long it would have taken to finish the tasks that were left when the drain timed out, at
    the rate of its last seconds; None where nothing was finished in them."""
    if not run.drain_waited_for or run.drain_started_s is None:
        return None
    end_s = run.drain_started_s + run.scenario.drain_timeout_s
    start_s = max(end_s - _LAST_SECONDS_S, run.drain_started_s)
    finished = summary.add_bins([report.finished_by_bin for report in run.workers])
    per_s = summary.rate_between(finished, start_s, end_s)
    return (counts.pending + counts.active) / per_s if per_s else None


def _inversions(run: CollectedRun, histograms: summary.LatencyTable) -> list[Inversion] | None:
    """Sub-queues that waited longer than one of lower priority.

    None where none has priority over another, as weights and shares of the load may have it, and
    where the run was cut short: the tasks that waited the longest are then not among the figures,
    and most of those are of low priority.
    """
    if run.is_cut_short:
        return None
    return find_inversions(
        histograms,
        list(run.scenario.queues),
        clock_error_us=run.clock_error_us,
        is_drain=run.scenario.worker_start == "after-fill",
        pairs=ordered_pairs(run.scenario),
    )


def _needed_drain_s(run: CollectedRun) -> float:
    """How long the drain would have to be for tasks that were still on lease to be run again."""
    if run.leases is None or run.drain_started_s is None:
        return 0.0
    drain_started_s = run.line.start_us / 1e6 + run.drain_started_s
    return max(run.leases.until_s + RECOVERY_S - drain_started_s, 0.0)


def _are_outcomes_known(run: CollectedRun) -> bool:
    """Whether it was found out what became of every task."""
    if run.looked_up is not None:
        return run.looked_up.is_complete
    return run.observed is None or run.observed.are_outcomes_known


def _first_error(run: CollectedRun) -> str:
    return next((report.first_error for report in run.producers if report.first_error), "")


def _on_no_list(observed: ObserverReport | None, counts: Counts) -> dict[str, int]:
    """States of tasks that had not ended, without those that the lists account for."""
    states = {} if observed is None else dict(observed.unfinished)
    for state, on_lists in ((STATE_PENDING, counts.pending), (STATE_ACTIVE, counts.active)):
        if states.get(state, 0) <= on_lists:
            states.pop(state, None)
    return states
