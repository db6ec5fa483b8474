"""The faults that ``bench chaos`` makes, each in a run of its own: their plans and objectives."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from bench.errors import UsageError, nearest, quoted
from bench.units import format_duration
from bench.workload.faults import FaultKind
from bench.workload.metrics import OF_FAULTS, parse_objective
from bench.workload.network_text import short_duration

BEFORE = 0.4
"""Share of a run's enqueueing that is over when the fault begins: the warm-up, which is a quarter
at most, and the time from which the level before the fault is known."""
_HOLD_S = 2.0
"""How long a figure must be at its level to be back."""


@dataclass(frozen=True)
class ChaosFault:
    """One fault of the set."""

    kind: FaultKind
    plan: str
    """Faults as a plan has them, with ``{at}``, ``{end}`` and ``{lasts}`` for the times."""
    meaning: str
    """What it does, as a clause."""
    needs_replica: bool = False
    """Whether a replica has to be there that can become the master."""


FAULTS: Mapping[str, ChaosFault] = MappingProxyType(
    {
        "kill": ChaosFault(
            FaultKind.KILL,
            "{at} kill worker 1; {end} start worker",
            "a worker is killed, and started again",
        ),
        "restart": ChaosFault(
            FaultKind.RESTART,
            "{at} restart server",
            "the server is ended and started with what it had saved",
        ),
        "restart-empty": ChaosFault(
            FaultKind.RESTART,
            "{at} restart server empty",
            "the server is ended and started with nothing",
        ),
        "failover": ChaosFault(
            FaultKind.FAILOVER,
            "{at} failover",
            "a replica becomes the master, as Sentinels are asked to",
            needs_replica=True,
        ),
        "stall": ChaosFault(
            FaultKind.STALL, "{at} stall server {lasts}", "the server's process is stopped"
        ),
        "pause": ChaosFault(
            FaultKind.PAUSE, "{at} pause clients {lasts}", "the server lets its clients wait"
        ),
        "reset": ChaosFault(
            FaultKind.RESET, "{at} reset connections", "all connections are reset at once"
        ),
        "fill": ChaosFault(
            FaultKind.FILL, "{at}..{end} fill memory", "the server's memory is full"
        ),
    }
)
"""Every fault by its name, in the order in which they are made."""
ONLY_ON_OTHERS = "pause"
"""The fault that stands in for a stall where the server cannot be stopped."""

_IN_BRACES = re.compile(r"\s*(?P<subject>\w+)\{(?P<name>[^{}]+)\}")


def plan_of(name: str, duration_s: float, lasts_s: float) -> str:
    """Returns the plan of a run of ``duration_s`` with the fault of this name, as it is written."""
    at_s = round(BEFORE * duration_s, 3)
    return FAULTS[name].plan.format(
        at=short_duration(at_s),
        end=short_duration(round(at_s + lasts_s, 3)),
        lasts=short_duration(lasts_s),
    )


def require_time(duration_s: float, lasts_s: float) -> None:
    """Raises UsageError for runs that are over before anything could be back after a fault."""
    if (1 - BEFORE) * duration_s < lasts_s + _HOLD_S:
        least_s = (lasts_s + _HOLD_S) / (1 - BEFORE)
        raise UsageError(
            f"runs of {format_duration(duration_s)} leave no time to recover: the fault begins at "
            f"{format_duration(BEFORE * duration_s)} and lasts {format_duration(lasts_s)}; give a "
            f"--duration of {format_duration(least_s)} or more, or shorten --lasts"
        )


def chosen(named: Sequence[str] | None) -> list[str]:
    """Returns the names of the faults that ``--only`` names, in their order; all without it.

    Raises UsageError for an unknown name.
    """
    if named is None:
        return list(FAULTS)
    for name in named:
        if name not in FAULTS:
            hint = nearest(name, FAULTS) or f": there are {', '.join(FAULTS)}"
            raise UsageError(f"--only: there is no fault {quoted(name)}{hint}")
    if not named:
        raise UsageError(f"--only names no fault: there are {', '.join(FAULTS)}")
    return [name for name in FAULTS if name in named]


def objectives_of(name: str, written: Iterable[str]) -> list[tuple[str, str]]:
    """Returns the objectives that the run with this fault has: as written, and as a run takes them.

    What is in braces after a figure of faults is the name of a fault: such an objective belongs to
    its run alone, and all others to every run.
    """
    found = []
    for expression in written:
        fault = fault_in(expression)
        if fault in (None, name):
            found.append((expression, _as_of_run(expression, fault)))
    return found


def fault_in(expression: str) -> str | None:
    """Returns the fault that an objective is about; None where it is about every run.

    Raises UsageError for one that cannot be read, or that names no fault.
    """
    match = _IN_BRACES.match(expression)
    if match is None or match["subject"] not in OF_FAULTS:
        parse_objective(expression)
        return None
    if match["name"] in FAULTS:
        parse_objective(_as_of_run(expression, match["name"]))
        return match["name"]
    if match["name"] in [*FaultKind]:
        raise UsageError(
            f"{quoted(expression)}: there is no fault {quoted(match['name'])} here: there are "
            f"{', '.join(FAULTS)}"
        )
    parse_objective(expression)
    return None


def _as_of_run(expression: str, fault: str | None) -> str:
    if fault is None:
        return expression
    return expression.replace(f"{{{fault}}}", f"{{{FAULTS[fault].kind}}}", 1)


def meaning_of(name: str) -> str:
    """Returns what the fault of this name does; empty for a name of another version."""
    return FAULTS[name].meaning if name in FAULTS else ""
