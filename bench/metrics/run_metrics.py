"""What a run exports: a snapshot of its progress, its newest reports and, in the end, its
record."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.measure.latency_buckets import BucketCounts, Buckets, added_by_queue
from bench.measure.progress import Progress
from bench.measure.recorder import Interval
from bench.measure.reports import ProducerReport, WorkerReport
from bench.measure.verdict_inputs import Verdict
from bench.metrics.declared import ASYNQ_STATES
from bench.metrics.objectives import held_so_far
from bench.metrics.snapshot import Labels, MetricsSnapshot, Values, chosen_of, one
from bench.records.run_record import RunRecord
from bench.version import __version__
from bench.workload.faults_at import faults_at
from bench.workload.scenario import Scenario

PENDING = "pending"
"""The verdict until there is one."""
PHASES = ("enqueueing", "draining", "stopping", "cleaning")
STAGES = tuple(each for each in Interval if each is not Interval.E2E_FROM_SEND)
"""Intervals that are exported. The uncorrected one would only be taken for what it is not."""


@dataclass(frozen=True, kw_only=True)
class RunView:
    """Everything of a run that its metrics are made of."""

    scenario: Scenario
    bounds_us: tuple[int, ...]
    progress: Progress
    producers: Sequence[ProducerReport]
    workers: Sequence[WorkerReport]
    record: RunRecord | None = None

    @property
    def buckets(self) -> Buckets:
        """The latencies of all processes together."""
        found = [each.latency_buckets for each in self.producers]
        found += [each.latency_buckets for each in self.workers]
        return added_by_queue(found, len(self.bounds_us))


def snapshot_of(view: RunView) -> MetricsSnapshot:
    """Returns the values of all metrics that are known."""
    buckets, queues = view.buckets, list(view.scenario.queues)
    parts = (
        _about(view, buckets),
        _rates(view),
        _tasks(view),
        _queues(view),
        _processes(view),
        _of_asynq(view, buckets),
    )
    return MetricsSnapshot(
        values={name: list(each) for part in parts for name, each in part.items()},
        histograms={"latency_seconds": histograms_of(buckets, queues)},
        bounds_us=view.bounds_us,
    )


def histograms_of(buckets: Buckets, queues: Sequence[str]) -> list[tuple[Labels, BucketCounts]]:
    """Returns the latencies that are exported, by queue and stage."""
    return [
        ((queues[index], str(stage)), counted)
        for stage in STAGES
        for index, counted in sorted(buckets.get(stage, {}).items())
    ]


def _about(view: RunView, buckets: Buckets) -> Values:
    scenario, progress, record = view.scenario, view.progress, view.record
    loop = "closed" if scenario.is_closed_loop else "open"
    verdict = PENDING if record is None else record.verdict
    if record is None:
        held = held_so_far(scenario.slo, buckets, list(scenario.queues), view.bounds_us)
    else:
        held = {each.expression: each.passed for each in record.slo}
    planned_s = progress.planned_s
    return {
        "run_info": [((scenario.name, scenario.layout, loop, __version__), 1.0)],
        "phase": chosen_of(PHASES, progress.phase),
        "elapsed_seconds": one(progress.elapsed_s),
        "planned_seconds": [] if planned_s is None else one(planned_s),
        "verdict": chosen_of((PENDING, *Verdict), verdict),
        "objective_met": [((expression,), float(holds)) for expression, holds in held.items()],
        "fault_active": _faults(scenario, progress),
    }


def _faults(scenario: Scenario, progress: Progress) -> list[tuple[Labels, float]]:
    """The faults of the plan, and which of them are under way; of equal ones, any."""
    active = {each.text for each in faults_at(scenario.faults, progress.elapsed_s).under_way}
    names = dict.fromkeys(each.text for each in scenario.faults)
    return [((name,), float(name in active)) for name in names]


def _rates(view: RunView) -> Values:
    scenario, progress = view.scenario, view.progress
    rates = {
        "offered_tasks_per_second": one(progress.offered_per_s),
        "acknowledged_tasks_per_second": one(progress.enqueued_per_s),
        "finished_tasks_per_second": one(progress.finished_per_s),
    }
    if scenario.is_closed_loop:  # nothing is expected of one
        return rates
    most = float("inf") if scenario.tasks is None else scenario.tasks
    profile, now_s = scenario.profile, progress.elapsed_s
    due = min(math.floor(profile.count_at(now_s)), most)
    return rates | {
        "expected_tasks_total": one(due),
        "expected_tasks_per_second": one(profile.rate_at(now_s) if due < most else 0.0),
    }


def _tasks(view: RunView) -> Values:
    producers, workers = view.producers, view.workers
    sent = sum(each.sent for each in producers)
    acknowledged = sum(each.enqueued for each in producers)
    refused = sum(each.refused for each in producers)
    return {
        "sent_tasks_total": one(sent),
        "acknowledged_tasks_total": one(acknowledged),
        "refused_tasks_total": one(refused),
        "unacknowledged_tasks": one(sent - acknowledged - refused),
        "completed_tasks_total": one(sum(each.completed for each in workers)),
        "failed_tasks_total": one(sum(each.failed for each in workers)),
        "outcome_unknown_tasks_total": one(sum(each.gone for each in workers)),
        "in_flight_tasks": one(sum(each.in_flight for each in workers)),
        "waiting_retry_tasks": one(sum(each.waiting_retry for each in workers)),
    }


def _queues(view: RunView) -> Values:
    record, states = view.record, view.progress.states
    by_queue = states or {queue: {"pending": n} for queue, n in view.progress.backlog.items()}
    counts = {} if record is None else record.queues
    return {
        "queue_tasks": [
            ((queue, state), length)
            for queue, by_state in by_queue.items()
            for state, length in by_state.items()
        ],
        "retried_attempts_total": [((queue,), n) for queue, n in retried_by_queue(view).items()],
        "ledger_tasks": [
            ((queue, name), getattr(each, name))
            for queue, each in counts.items()
            for name in each.__struct_fields__
        ],
    }


def retried_by_queue(view: RunView) -> Mapping[str, int]:
    """Returns the number of failed attempts that a retry follows; empty where it is not known."""
    if view.scenario.is_observed:
        return {}
    return {
        queue: sum(each.retried.get(queue, 0) for each in view.workers)
        for queue in view.scenario.queues
    }


def _processes(view: RunView) -> Values:
    workers = [each for each in view.workers if each.observed is None]
    return {
        "cpu_seconds_total": [
            *((("producer", str(each.number)), each.cpu_s) for each in view.producers),
            *((("worker", each.name), each.cpu_s) for each in workers),
        ],
        "reconnects_total": [
            (("producer",), sum(each.reconnects for each in view.producers)),
            (("worker",), sum(each.reconnects for each in workers)),
        ],
    }


def _of_asynq(view: RunView, buckets: Buckets) -> Values:
    """Metrics under the names of asynq's exporter, as far as they mean what they mean there."""
    queues, states = list(view.scenario.queues), view.progress.states
    known = {
        queue: {state: by_state.get(state, 0) for state in ASYNQ_STATES}
        for queue, by_state in states.items()
    }
    found: dict[str, list[tuple[Labels, float]]] = {
        "tasks_enqueued_total": [
            ((queue, state), length)
            for queue, by_state in known.items()
            for state, length in by_state.items()
        ],
        "queue_size": [
            ((queue,), sum(by_state.values()) - by_state["completed"])
            for queue, by_state in known.items()
        ],
    }
    if not view.scenario.is_observed:  # an observer sees no attempts
        attempts = buckets.get(Interval.SERVICE, {})
        retried = retried_by_queue(view)
        for index, queue in enumerate(queues):
            failed = sum(each.failed_by_queue.get(index, 0) for each in view.workers)
            counted = attempts[index].count if index in attempts else 0
            found.setdefault("tasks_processed_total", []).append(((queue,), counted))
            found.setdefault("tasks_failed_total", []).append(((queue,), failed + retried[queue]))
    return found
