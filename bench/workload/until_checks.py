"""Whether a run of a scenario can end once its figures are known well enough."""

from bench.errors import ScenarioError, UsageError
from bench.workload.measurable import is_of_workers
from bench.workload.scenario import Scenario
from bench.workload.until import SUCCESSIVE, Target, look_length_s, targets_of

ONE_LENGTH = (
    "the runs of one command are compared, and all have one length: remove it, or use 'bench run'"
)
"""Why commands that make many runs take no precision."""
ONLY_RUN = "only a run without Locust ends by it: remove it"


def require_until(scenario: Scenario) -> None:
    """Raises UsageError, with the target, reason and cure, for one that no run of the scenario can
    reach before its end."""
    for target in targets_of(scenario.until):
        try:
            _require_known(target, scenario)
            _require_steady(scenario)
            _require_time(scenario)
        except UsageError as error:
            raise UsageError(f"until: '{target.expression}': {error}") from None


def require_none(scenario: Scenario, why: str) -> None:
    """Raises ScenarioError, with the reason, for a scenario that ends by precision."""
    if scenario.until:
        raise ScenarioError(f"until: {why}")


def why_none(runs: int, *, is_distributed: bool) -> str | None:
    """Returns why none of so many runs of one command, or one with Locust, can end by precision;
    None where it can."""
    if is_distributed:
        return ONLY_RUN
    return ONE_LENGTH if runs > 1 else None


def earliest_end_s(scenario: Scenario) -> float:
    """Returns after how many seconds a run of the scenario can end at the earliest."""
    return scenario.warmup_until_s + look_length_s(SUCCESSIVE - 1)


def _require_known(target: Target, scenario: Scenario) -> None:
    name = target.metric.subject.name
    if is_of_workers(target.metric) and not scenario.has_workers:
        raise UsageError(f"without workers no task ends, so there is no {name}: write enqueue.rate")
    if name == "completed.rate" and scenario.is_observed:
        raise UsageError("which tasks failed is known at the end only: write finished.rate")
    if is_of_workers(target.metric) and scenario.worker_start == "after-fill":
        raise UsageError(
            "workers start when everything is enqueued, and the run ends as enqueueing does: write "
            "enqueue.rate, or remove it"
        )
    is_endless = scenario.is_closed_loop and scenario.max_backlog is None
    if name == "e2e" and is_endless:
        raise UsageError(
            "a closed loop fills the queues, so e2e grows with its length: set max_backlog, or a "
            "rate"
        )


def _require_steady(scenario: Scenario) -> None:
    """Raises UsageError for a load that changes, as the figures of a part are not those of all."""
    if scenario.faults:
        raise UsageError("the faults of the plan would not all happen: remove one of the two")
    if scenario.stages or scenario.trace is not None:
        raise UsageError(
            "the load changes with time, so the figures of a shorter run are others: give a rate "
            "and a duration"
        )
    if scenario.tasks is not None or scenario.duration_s is None:
        raise UsageError("it needs a duration, at which the run ends at the latest: set one")


def _require_time(scenario: Scenario) -> None:
    earliest_s, duration_s = earliest_end_s(scenario), scenario.duration_s or 0.0
    if duration_s <= earliest_s:  # in seconds: 144 s and 145 s are both 2.4 min
        raise UsageError(
            f"a run ends by it after {earliest_s:g} s at the earliest, warm-up included, and this "
            f"one after {duration_s:g} s: make it longer, or remove until"
        )
