"""Which faults a run of a scenario can have: what is refused before it, and what is noted."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from types import MappingProxyType

from bench.errors import ScenarioError, UsageError, quoted
from bench.units import format_duration
from bench.workload.faults import Fault, FaultKind, PlannedFault
from bench.workload.scenario import Scenario


@dataclass(frozen=True)
class ServerAbilities:
    """What can be done to the server of a run; of a fault, what it needs of it."""

    own_process: bool = False
    """The run has started it, and can stop it, start it again and fill it."""
    is_free: bool = False
    """Nobody else uses it, or the user says that it may be disturbed for them as well."""
    replicas: bool = False
    """A replica can become the master."""
    proxy: bool = False
    """Connections to it go through a process of the run."""

    def lacking(self, needed: "ServerAbilities") -> str | None:
        """Returns the name of the first ability that is needed and not there; None for none."""
        for each in fields(self):
            if getattr(needed, each.name) and not getattr(self, each.name):
                return each.name
        return None


_NEEDS: Mapping[FaultKind, ServerAbilities] = MappingProxyType(
    {
        FaultKind.STALL: ServerAbilities(own_process=True),
        FaultKind.PAUSE: ServerAbilities(is_free=True),
        FaultKind.KILL: ServerAbilities(own_process=True, replicas=True),
        FaultKind.RESTART: ServerAbilities(own_process=True),
        FaultKind.FAILOVER: ServerAbilities(is_free=True, replicas=True),
        FaultKind.RESET: ServerAbilities(is_free=True),
        FaultKind.NETWORK: ServerAbilities(proxy=True),
        FaultKind.FILL: ServerAbilities(own_process=True),
    }
)


def required_abilities(fault: Fault) -> ServerAbilities:
    """Returns what a fault needs of the server; nothing where it strikes workers."""
    return ServerAbilities() if fault.of_worker else _NEEDS[fault.kind]


_LACKING = {
    "own_process": "it needs a server that the run has started: remove the URL, or the fault",
    "is_free": "the server is not the run's own, and others may use it: give --faults-on-shared if "
    "they may be disturbed, or remove the fault",
    "replicas": "there is no replica that could take over: give --topology sentinel or a URL that "
    "begins with redis+sentinel://, or write restart server",
    "proxy": "connections to this server do not go through the run's proxy: remove the fault",
}


def require_able(faults: Iterable[Fault], server: ServerAbilities) -> None:
    """Raises UsageError for the first fault that the server of a run does not allow."""
    for fault in faults:
        lacking = server.lacking(required_abilities(fault))
        if lacking is not None:
            raise UsageError(f"faults: {quoted(fault.text)}: {_LACKING[lacking]}")


def started_workers(scenario: Scenario) -> int:
    """Returns the number of workers that the run itself starts."""
    return 0 if scenario.is_observed and scenario.worker_command is None else scenario.workers


def require_own_workers(plan: Sequence[PlannedFault], scenario: Scenario) -> None:
    """Raises UsageError for faults of workers in a run that starts none, or starts them late."""
    if not any(each.fault.of_worker for each in plan):
        return
    if scenario.worker_start == "after-fill":
        raise UsageError(
            "workers start when all is enqueued, at no moment that is known: remove worker_start, "
            "or the faults of workers"
        )
    if started_workers(scenario):
        return
    if scenario.is_observed:
        raise UsageError(
            "the run starts no worker that it could stop: give its worker_command, or remove the "
            "faults of workers"
        )
    raise UsageError(
        "with workers = 0 the run starts none that it could stop: raise workers, or remove the "
        "faults of workers"
    )


def require_possible(faults: Sequence[Fault], scenario: Scenario) -> None:
    """Raises UsageError for a fault after the end of the run, and for two that exclude each
    other. ``faults`` are in the order of their moments."""
    planned_s = scenario.planned_duration_s
    for fault in faults:
        if planned_s is not None and fault.at_s >= planned_s:
            raise UsageError(
                f"{quoted(fault.text)}: the run enqueues for {format_duration(planned_s)}, and "
                "ends then: choose an earlier moment, or a longer run"
            )
    for first, second in combinations(faults, 2):
        if _exclude_each_other(first, second):
            raise UsageError(
                f"{quoted(second.text)}: {quoted(first.text)} is not over by then: choose another "
                "moment for one of the two"
            )


def _exclude_each_other(first: Fault, second: Fault) -> bool:
    """Whether two faults of the same server, worker or network are at work at the same time."""
    if not have_same_target(first, second):
        return False
    return second.at_s < _end_s(first) or second.at_s == first.at_s


def have_same_target(first: Fault, second: Fault) -> bool:
    """Returns whether two faults strike the same server, worker or network, so that they cannot be
    at work at the same time; resets of connections exclude nothing."""
    if FaultKind.RESET in (first.kind, second.kind) or first.of_worker != second.of_worker:
        return False
    if first.of_worker:
        return first.worker is None or second.worker is None or first.worker == second.worker
    return (first.kind == FaultKind.NETWORK) == (second.kind == FaultKind.NETWORK)


def _end_s(fault: Fault) -> float:
    if fault.kind == FaultKind.FILL and not fault.lasts_s:
        return math.inf
    return round(fault.ends_s, 6)  # as moments are, so that one may begin where another ends


NONE_WITH_LOCUST = "tests of Locust have none: use 'bench run', or remove them"


def require_none(scenario: Scenario, why: str) -> None:
    """Raises ScenarioError, with the reason, for a scenario with faults or a network of its own."""
    name = "faults" if scenario.faults else "network"
    if scenario.faults or not scenario.network.changes_nothing:
        raise ScenarioError(f"{name}: {why}")


def notes(scenario: Scenario) -> list[str]:
    """Returns sentences about faults that are possible, and may not show what they are meant to."""
    said = []
    planned_s, warmup_s = scenario.planned_duration_s, scenario.warmup_s or 0.0
    for fault in scenario.faults:
        if fault.at_s < warmup_s:
            said.append(
                f"faults: {fault.text!r} begins within the warm-up, which the figures of the run "
                "leave out; shorten warmup to see it in them"
            )
        if planned_s is not None and fault.ends_s > planned_s + scenario.drain_timeout_s:
            said.append(
                f"faults: {fault.text!r} lasts longer than the queues may take to become empty; "
                f"lengthen drain_timeout to {format_duration(fault.ends_s - planned_s)} or more"
            )
    return said
