"""The rules of the verdict about faults of the plan: what they explain, and what they left."""

from collections.abc import Iterator, Sequence

from bench import units
from bench.measure.faults import InjectedFault
from bench.measure.verdict_inputs import Verdict, VerdictInputs, VerdictReason, quantity
from bench.workload.faults import FaultKind

_MOST_FAULTS = 3
"""Faults that a warning names."""
_SLOW_DOWN = frozenset(
    (
        *(FaultKind.STALL, FaultKind.PAUSE, FaultKind.KILL, FaultKind.RESTART),
        *(FaultKind.FAILOVER, FaultKind.NETWORK, FaultKind.FILL),
    )
)
"""Kinds after which a backlog may grow, as fewer tasks are served."""


def named(faults: Sequence[InjectedFault]) -> str:
    """Faults as they were written, with their moments: the first few of them."""
    shown = [repr(each.fault.text) for each in faults[:_MOST_FAULTS]]
    more = len(faults) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def not_injected(inputs: VerdictInputs) -> Iterator[VerdictReason]:
    """Faults that did not happen as the plan says. The plan may be right where the run was cut
    short."""
    is_cut_short = bool(inputs.interruptions) or inputs.aborted is not None
    for each in inputs.faults.injected:
        if each.problem:
            cure = "; repeat the run" if is_cut_short else "; change the plan, and repeat the run"
            problem = each.problem.removesuffix("; repeat the run")
            yield VerdictReason(
                "fault_failed",
                f"{each.fault.text!r} did not happen as planned: {problem}{cure}",
                Verdict.INCOMPLETE,
            )


def explained(inputs: VerdictInputs, outcome: str, done: str) -> Iterator[VerdictReason]:
    """What faults did to tasks: one warning for each fault with such tasks.

    ``outcome`` is the name of a count, and ``done`` what was done to these tasks.
    """
    for each in inputs.faults.outcomes:
        count = getattr(each, outcome)
        if count:
            yield VerdictReason(
                outcome,
                f"{quantity(count, 'task')} {'was' if count == 1 else 'were'} {done} with "
                f"{each.fault!r}",
                Verdict.LOSSY,
            )


def explained_count(inputs: VerdictInputs, outcome: str) -> int:
    """How many tasks of such an outcome faults explain."""
    return sum(getattr(each, outcome) for each in inputs.faults.outcomes)


def killed_workers(inputs: VerdictInputs) -> list[InjectedFault]:
    """The faults that ended workers."""
    return [
        each
        for each in inputs.faults.injected
        if each.fault.kind is FaultKind.KILL and each.fault.of_worker and each.began_us is not None
    ]


def _failovers(inputs: VerdictInputs) -> list[InjectedFault]:
    """The faults by which another server became the master."""
    return [
        each
        for each in of_server(inputs)
        if each.fault.kind in (FaultKind.FAILOVER, FaultKind.KILL)
    ]


def are_stranded(inputs: VerdictInputs) -> bool:
    """Whether what has not ended are tasks that nobody works on any more, as their worker was
    killed by plan, or took them from a server that is the master no longer. Those that are leased
    may still be taken over."""
    counts = inputs.counts
    if not ((killed_workers(inputs) or _failovers(inputs)) and inputs.expects_completions):
        return False
    if inputs.drain_waited_for:
        is_at_rest = inputs.drain_takes_s is None and not counts.pending
        return bool(counts.active or counts.lost) and is_at_rest and inputs.leases is None
    return counts.active + counts.pending > 0


def stranded(inputs: VerdictInputs) -> Iterator[VerdictReason]:
    """Tasks that a worker had which was killed by plan, or took from a master that was replaced,
    and that nobody has taken over."""
    kills, counts = killed_workers(inputs), inputs.counts
    left = counts.active + counts.pending
    if left and are_stranded(inputs):
        if kills:
            where = f"stayed with workers that were killed ({named(kills)})"
        else:
            where = f"were taken as another server became the master ({named(_failovers(inputs))})"
        yield VerdictReason(
            "stranded",
            f"{quantity(left, 'task')} {where}: they are still marked as active or waiting for a "
            "retry, and no worker of this run takes them over",
            Verdict.LOSSY,
        )


def slowed_by(inputs: VerdictInputs) -> list[InjectedFault]:
    """The faults after which a backlog may grow."""
    return [
        each
        for each in inputs.faults.injected
        if each.fault.kind in _SLOW_DOWN and each.began_us is not None
    ]


def of_server(inputs: VerdictInputs) -> list[InjectedFault]:
    """The faults of the server and of the network to it."""
    injected = inputs.faults.injected
    return [each for each in injected if not each.fault.of_worker and each.began_us is not None]


def blamed(inputs: VerdictInputs) -> str:
    """That faults of the server may have done what the sentence before says; empty without any."""
    faults = of_server(inputs)
    return f"{named(faults)} may have done that" if faults else ""


def held_back(inputs: VerdictInputs) -> Iterator[VerdictReason]:
    """That tasks were sent late, as faults kept the server from taking them."""
    if inputs.lateness.held_s:
        yield VerdictReason(
            "held_back",
            f"for {units.format_duration(inputs.lateness.held_s)} the server took no tasks or "
            f"what was late was being sent, because of {named(of_server(inputs))}: schedule_lag "
            "has that, and the latencies from the due time",
        )
