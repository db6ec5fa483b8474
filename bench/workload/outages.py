"""How long a plan of faults may keep a server from its clients."""

from collections.abc import Sequence

from bench.workload.faults import Fault, FaultKind
from bench.workload.scenario import Scenario

_UNTIL_BACK_S = 60.0
"""How long a server may take to come back from what has no length of its own."""
_AWAY = frozenset((FaultKind.STALL, FaultKind.PAUSE, FaultKind.NETWORK))
"""Kinds that last as long as they say."""
_GONE = frozenset((FaultKind.KILL, FaultKind.RESTART, FaultKind.FAILOVER))
"""Kinds that are over when the server is back."""


def longest_outage_s(scenario: Scenario) -> float:
    """How long the server may be away at a time by the scenario's faults; zero without any.

    Outages may follow on one another, so their lengths are added.
    """
    return sum(_outage_s(fault) for fault in scenario.faults if not fault.of_worker)


def _outage_s(fault: Fault) -> float:
    if fault.kind in _GONE:
        return _UNTIL_BACK_S
    return fault.lasts_s if fault.kind in _AWAY else 0.0


def fails_over(faults: Sequence[Fault]) -> bool:
    """Whether another server becomes the master by the plan."""
    gone = (FaultKind.FAILOVER, FaultKind.KILL)
    return any(fault.kind in gone and not fault.of_worker for fault in faults)


def needs_persistence(faults: Sequence[Fault]) -> bool:
    """Whether the server is to have after a restart what it held before."""
    return any(fault.kind is FaultKind.RESTART and fault.keeps_data for fault in faults)
