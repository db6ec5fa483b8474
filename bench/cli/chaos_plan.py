"""Which faults ``bench chaos`` makes, and with which arguments: what is possible on this server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.cli.options import settled
from bench.errors import ScenarioError, UsageError
from bench.layouts import registry
from bench.measure.leases import RECOVERY_S
from bench.records.chaos_record import ChaosCase, LeftOut
from bench.redisio.url import Topology, parse
from bench.workload import chaos, library, until_checks
from bench.workload.fault_rules import ServerAbilities, require_able
from bench.workload.quantities import seconds_text
from bench.workload.scenario import Scenario

_LEASE_S = 30.0
"""How long a worker of asynq has a task on lease."""


@dataclass(frozen=True)
class ChaosServer:
    """The server of all runs, as far as faults are concerned."""

    url: str | None
    """Of a server of others; None where each run starts its own."""
    topology: str | None = None
    """What each run starts, as ``--topology`` says."""
    replicas: int | None = None
    faults_on_shared: bool = False

    def starts_topology_for(self, name: str) -> bool:
        """Whether runs with this fault start Sentinels that others do not."""
        needs = chaos.FAULTS[name].needs_replica
        return needs and self.url is None and self.topology is None

    def abilities(self, name: str) -> ServerAbilities:
        """What can be done to the server of runs with this fault."""
        if self.url is None:
            has_sentinels = self.topology == "sentinel" or self.starts_topology_for(name)
            return ServerAbilities(own_process=True, is_free=True, replicas=has_sentinels)
        has_sentinels = parse(self.url).topology is Topology.SENTINEL
        return ServerAbilities(is_free=self.faults_on_shared, replicas=has_sentinels)


@dataclass(frozen=True)
class ChaosPlan:
    """The faults that are made, and those that cannot be."""

    cases: Sequence[ChaosCase]
    left_out: Sequence[LeftOut]


def planned(
    scenario_name: str,
    changes: Mapping[str, object],
    scenario: Scenario,
    named: Sequence[str] | None,
    lasts_s: float,
    server: ChaosServer,
) -> ChaosPlan:
    """Returns the faults of a scenario that is run without any; ``changes`` are its flags.

    Raises UsageError for a fault that was named and cannot be made, for objectives on faults that
    are not made, and where no fault can be.
    """
    duration_s = scenario.planned_duration_s
    if duration_s is None:
        raise UsageError("how long a run enqueues is not known: give a --duration")
    chaos.require_time(duration_s, lasts_s)
    written = _objectives(scenario_name, changes)
    cases: list[ChaosCase] = []
    left_out: list[LeftOut] = []
    for name in chaos.chosen(named):
        if named is None and name == chaos.ONLY_ON_OTHERS and server.url is None:
            continue
        case = _case(name, chaos.plan_of(name, duration_s, lasts_s), written, server, named)
        try:
            with_fault = _checked(scenario_name, changes, case)
            require_able(with_fault.faults, server.abilities(name))
        except UsageError as error:
            if named is not None:
                raise
            left_out.append(LeftOut(name=name, reason=_reason(error)))
            continue
        cases.append(case)
    _require_some(cases, left_out, written)
    return ChaosPlan(cases, left_out)


def _objectives(name: str, changes: Mapping[str, object]) -> list[str]:
    """The objectives as written: those of flags in place of the scenario's own."""
    found = changes.get("slo", library.load(name)[1].get("slo", ()))
    texts = [found] if isinstance(found, str) else found
    return [str(each) for each in texts] if isinstance(texts, Sequence) else []


def _case(
    name: str,
    plan: str,
    written: Sequence[str],
    server: ChaosServer,
    named: Sequence[str] | None,
) -> ChaosCase:
    slo = chaos.objectives_of(name, written)
    starts = server.starts_topology_for(name)
    replicas = [] if server.replicas is None else [f"--replicas={server.replicas}"]
    topology = "sentinel" if starts else server.topology
    return ChaosCase(
        name=name,
        plan=plan,
        arguments=[*([] if topology is None else [f"--topology={topology}"]), *replicas],
        slo=[each for each, _ in slo],
        run_slo=[each for _, each in slo],
        is_asked=named is not None,
        starts_topology=starts,
    )


def _checked(name: str, changes: Mapping[str, object], case: ChaosCase) -> Scenario:
    """The scenario of a fault's runs. Raises UsageError where such a run cannot be made."""
    fields = {key: value for key, value in changes.items() if key != "slo"}
    slo = {"slo": case.run_slo} if case.run_slo else {}
    return settled(name, {**fields, **slo, "faults": [case.plan]})[0]


def _reason(error: UsageError) -> str:
    """Why a fault is left out, without the name of the flag that nobody gave."""
    text = str(error)
    for prefix in ("--faults: ", "faults: "):
        text = text.removeprefix(prefix)
    return text


def _require_some(
    cases: Sequence[ChaosCase], left_out: Sequence[LeftOut], written: Sequence[str]
) -> None:
    names = [each.name for each in cases]
    if not names:
        reasons = "; ".join(f"{each.name}: {each.reason}" for each in left_out)
        raise UsageError(f"no fault can be made here ({reasons})")
    reasons_by_name = {each.name: each.reason for each in left_out}
    for expression in written:
        fault = chaos.fault_in(expression)
        if fault is not None and fault not in names:
            why = reasons_by_name.get(fault, "it is not one of those that are made")
            raise UsageError(f"--slo: {expression!r}: {fault} is left out: {why}")


def lease_arguments(name: str, changes: Mapping[str, object], scenario: Scenario) -> list[str]:
    """Returns how long runs wait for tasks on lease, where nobody has said it.

    A worker of others that dies leaves its tasks on lease, and another one takes them over minutes
    later: a run that ended before that would not know what became of them.
    """
    is_said = "drain_timeout" in changes or "drain_timeout" in library.load(name)[1]
    layout = registry.get(scenario.layout).layout
    has_leases = any(layout.leases(queue) is not None for queue in scenario.queues)
    least_s = _LEASE_S + RECOVERY_S
    if is_said or not (scenario.is_observed and has_leases) or scenario.drain_timeout_s >= least_s:
        return []
    return [f"--drain-timeout={seconds_text(least_s)}"]


def without_faults(
    name: str, changes: Mapping[str, object]
) -> tuple[Scenario, Mapping[str, object]]:
    """Returns the scenario of all runs before any fault, and the flags that have an effect on it.

    Raises ScenarioError for one with faults of its own.
    """
    fields = {key: value for key, value in changes.items() if key != "slo"}
    scenario, effective = settled(name, fields)
    until_checks.require_none(scenario, until_checks.ONE_LENGTH)
    if scenario.faults:
        raise ScenarioError("faults: this command makes its own; remove them from the scenario")
    return scenario, effective
