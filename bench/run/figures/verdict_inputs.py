"""What the verdict of a run is judged by."""

from bench.measure import summary
from bench.measure.leases import RECOVERY_S
from bench.measure.ledger import Counts
from bench.measure.priorities import Inversion, find_inversions
from bench.measure.recorder import Interval
from bench.measure.reports import ObserverReport
from bench.measure.verdict_inputs import VerdictInputs
from bench.redisio.server_info import lost_data
from bench.run.collected import CollectedRun
from bench.run.figures.accounting import Account
from bench.run.figures.rates import Window
from bench.run.figures.resources import loop_lag_p99_s
from bench.wire.layout_contract import STATE_ACTIVE, STATE_PENDING


def verdict_inputs(
    run: CollectedRun,
    cut: summary.WarmupCut,
    window: Window,
    accounted: Account,
    histograms: summary.LatencyTable,
) -> VerdictInputs:
    """The inputs of ``verdict.judge`` for a whole run."""
    scenario, observed, after = run.scenario, run.observed, run.usage_after
    counts = accounted.total
    lag_us = histograms[Interval.SCHEDULE_LAG, "all"].percentile_us(99)
    all_queues = [histograms[interval, "all"] for interval in Interval]
    return VerdictInputs(
        counts=counts,
        is_closed_loop=scenario.is_closed_loop,
        expects_completions=scenario.has_workers,
        watches_backlog=scenario.has_workers and scenario.worker_start == "with-run",
        lag_p99_s=None if lag_us is None else lag_us / 1e6,
        asked_per_s=scenario.asked_per_s,
        backlog=[
            sum(sample.backlog) for sample in run.samples if window.includes(sample.offset_us)
        ],
        interruptions=run.interruptions,
        layout_note=run.layout_note,
        drain_timed_out=run.drain_timed_out,
        leases=run.leases,
        drain_timeout_s=scenario.drain_timeout_s,
        needed_drain_s=_needed_drain_s(run),
        negative_latencies=sum(histogram.negative for histogram in all_queues),
        overflowed_latencies=sum(histogram.overflow for histogram in all_queues),
        missing_tasks=sum(report.missing for report in run.workers),
        first_error=_first_error(run),
        loop_lag_p99_s=loop_lag_p99_s(run),
        reconnects=sum(report.reconnects for report in run.producers),
        is_steady=cut.is_steady,
        most_warmup_s=run.most_warmup_s,
        seen_by=scenario.seen_by if scenario.is_observed else None,
        ends_seen=histograms[Interval.E2E, "all"].count,
        awaits_reports=scenario.external_workers and not run.has_remote_workers,
        are_outcomes_known=_are_outcomes_known(run),
        looked_up=None if run.looked_up is None else run.looked_up.counts,
        lost_data="" if after is None else lost_data(run.usage_before, after),
        unfinished=_on_no_list(observed, counts),
        counter_rules=accounted.counter_rules,
        counter_excess=accounted.counter_excess,
        inversions=_inversions(run, histograms),
        is_drain=scenario.worker_start == "after-fill",
    )


def _inversions(run: CollectedRun, histograms: summary.LatencyTable) -> list[Inversion] | None:
    """Sub-queues that waited longer than one of lower priority.

    None where none has priority: built-in workers that draw sub-queues by weight serve each in
    proportion to its share of the load.
    """
    if run.scenario.priority == "weighted":
        return None
    return find_inversions(
        histograms,
        list(run.scenario.queues),
        clock_error_us=run.clock_error_us,
        is_drain=run.scenario.worker_start == "after-fill",
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
