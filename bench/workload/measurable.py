"""Whether a run of a scenario measures a metric at all.

What can be known before a run is refused before it: an objective on a figure that cannot be there
would fail, and a comparison of two of them decide nothing, only after all of it was measured.
"""

from bench.errors import UsageError, nearest
from bench.names import ALL_QUEUES
from bench.workload.metrics import Metric
from bench.workload.scenario import Scenario

_OF_WORKERS = frozenset(
    (
        *("queue_wait", "service", "e2e", "e2e_from_send", "e2e_earliest"),
        *("completed.rate", "finished.rate"),
    )
)
"""What only a worker, or an observer of one, sees."""
_OF_OWN_WORKERS = frozenset(("queue_wait", "service", "e2e_from_send"))
"""What only workers that report to the run know."""


def require_measured(metric: Metric, scenario: Scenario) -> None:
    """Raises UsageError, with reason and cure, where no run of the scenario measures a metric."""
    name = metric.subject.name
    if metric.queue not in (ALL_QUEUES, *scenario.queues):
        raise UsageError(f"no queue {metric.queue!r}{nearest(metric.queue, scenario.queues)}")
    if name in _OF_WORKERS and not scenario.has_workers:
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
    if name == "schedule_lag" and scenario.is_closed_loop:
        raise UsageError("a closed loop has no schedule, so nothing is late for it; write enqueue")
