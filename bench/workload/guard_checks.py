"""Whether a run of a scenario can know the value of a guard while it lasts."""

from bench import units
from bench.errors import UsageError
from bench.workload.guards import GROWING_COUNTS, Guard, guards_of
from bench.workload.measurable import is_of_workers, require_measured
from bench.workload.scenario import Scenario

_OF_ENDS = frozenset((*GROWING_COUNTS, "errors")) - {"refused"}
"""What is known of how tasks end."""


def require_guards(scenario: Scenario) -> None:
    """Raises UsageError, with the guard, reason and cure, for one whose value no run of the
    scenario can know while it lasts, or that can never have been true for so long."""
    for guard in guards_of(scenario.abort):
        try:
            require_measured(guard.metric, scenario)
            _require_known(guard, scenario)
            _require_time(guard, scenario)
        except UsageError as error:
            raise UsageError(f"abort: {guard.expression!r}: {error}") from None


def needs_workers(guard: Guard) -> bool:
    """Whether nothing is known of the guard's value unless workers serve the queues."""
    name = guard.metric.subject.name
    return is_of_workers(guard.metric) or (name in _OF_ENDS and name != "errors")


def _require_known(guard: Guard, scenario: Scenario) -> None:
    name = guard.metric.subject.name
    if name in _OF_ENDS and scenario.is_observed:
        raise UsageError(
            "how an external worker's tasks end is known at the end only: write refused"
        )
    if needs_workers(guard) and not scenario.has_workers:
        raise UsageError(f"without workers no task is {name}: write refused, or remove it")
    if name == "completed.rate" and scenario.is_observed:
        raise UsageError("which tasks failed is not known yet: write finished.rate")
    is_of_ends = name in ("completed.rate", "finished.rate")
    if is_of_ends and scenario.worker_start == "after-fill":
        raise UsageError(
            "workers start when everything is enqueued, and a guard reads rates until then: write "
            "enqueue.rate, or remove it"
        )


def _require_time(guard: Guard, scenario: Scenario) -> None:
    planned_s = scenario.planned_duration_s
    if planned_s is None:  # only a number of tasks ends it
        return
    overrun_s = 0.0 if scenario.is_closed_loop else scenario.overrun_s
    longest_s = planned_s + overrun_s
    if guard.metric.kind != "rate" and scenario.has_workers:
        longest_s += scenario.drain_timeout_s
    if guard.lasts_s > longest_s:
        raise UsageError(
            f"the run lasts {units.format_duration(longest_s)} at most, so nothing can be so for "
            f"{units.format_duration(guard.lasts_s)}: shorten it"
        )
