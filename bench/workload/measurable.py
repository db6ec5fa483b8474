"""Whether a run of a scenario measures a metric at all.

What can be known before a run is refused before it: an objective on a figure that cannot be there
would fail, and a comparison of two of them decide nothing, only after all of it was measured.
"""

from bench.errors import UsageError, nearest
from bench.names import ALL_QUEUES
from bench.workload.faults import FaultKind
from bench.workload.metrics import ALL_FAULTS, COUNTS, OF_FAULTS, Metric
from bench.workload.scenario import Scenario

_OF_WORKERS = frozenset(
    (
        *("queue_wait", "service", "e2e", "e2e_from_send", "e2e_earliest"),
        *("completed.rate", "finished.rate"),
        "run_again",
    )
)
"""What only a worker, or an observer of one, sees."""
_OF_OWN_WORKERS = frozenset(("queue_wait", "service", "e2e_from_send"))
"""What only workers that report to the run know."""


def is_of_workers(metric: Metric) -> bool:
    """Whether only a worker, or an observer of one, sees the metric."""
    return metric.subject.name in _OF_WORKERS


def require_measured(metric: Metric, scenario: Scenario) -> None:
    """Raises UsageError, with reason and cure, where no run of the scenario measures a metric."""
    name = metric.subject.name
    if metric.kind == "fault":
        _require_fault(metric, scenario)
        return
    if metric.queue not in (ALL_QUEUES, *scenario.queues):
        known = [*scenario.queues, *map(str, FaultKind if name in OF_FAULTS else ())]
        raise UsageError(f"no queue {metric.queue!r}{nearest(metric.queue, known)}")
    if is_of_workers(metric) and not scenario.has_workers:
        raise UsageError(
            f"without workers no task ends, so there is no {name}: write enqueue, or let workers "
            "serve the queues"
        )
    if name in _OF_OWN_WORKERS and scenario.is_observed:
        raise UsageError(
            "only the end of an external worker's task can be observed; write e2e or enqueue"
        )
    if name == "e2e_earliest" and not scenario.is_observed:
        raise UsageError("it is the lower bound for an external worker's tasks; write e2e")
    if name in ("durable", "not_replicated") and scenario.ack is None:
        raise UsageError("no replica is asked for it: set ack, as in --ack wait:1")
    if name == "schedule_lag" and scenario.is_closed_loop:
        raise UsageError("a closed loop has no schedule, so nothing is late for it; write enqueue")


def _require_fault(metric: Metric, scenario: Scenario) -> None:
    """Raises UsageError for faults that the scenario does not have, or that are not to be told
    from a queue."""
    name, kind = metric.subject.name, metric.faults
    if name in COUNTS and kind in scenario.queues:
        raise UsageError(
            f"{kind!r} is both a queue and a kind of fault, of which {metric.name} means the "
            "fault; rename the queue, or leave the objective out"
        )
    if not any(kind in (ALL_FAULTS, fault.kind) for fault in scenario.faults):
        which = "fault" if kind == ALL_FAULTS else f"fault {kind!r}"
        raise UsageError(
            f"the run has no {which} that it could be about: add one to faults, or remove the "
            "objective"
        )
    if name in _OF_WORKERS and not scenario.has_workers:
        raise UsageError(f"without workers no task ends, so there is no {name}: remove it")
