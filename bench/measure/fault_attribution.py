"""Which fault explains what became of a task; pure.

A task is counted under at most one fault. What no fault explains stays unexplained, so that a run
that loses tasks by itself is judged as gravely as without faults.
"""

from collections.abc import Callable, Sequence

import numpy as np

from bench.arrays import Integers
from bench.measure.faults import InjectedFault
from bench.workload.faults import MAY_LOSE, FaultKind

SETTLING_US = 1_000_000
"""How long before a fault a task may have been sent that gets no reply because of it, and how long
after it the server may still refuse tasks."""
_NEVER_US = 1 << 62
NOTHING = -1
"""In place of the index of a fault: none explains it."""


def losing_faults(faults: Sequence[InjectedFault], answered_us: Integers) -> Integers:
    """Returns the index of the fault (n,) that explains the loss of each task, acknowledged at this
    moment (n,): the first one that may lose tasks and was not over by then.

    A negative moment is not known, and explained by nothing.
    """

    def explains(fault: InjectedFault) -> Integers:
        may = MAY_LOSE[fault.fault.kind] and answered_us <= _over_us(fault)
        return np.asarray(may & (answered_us >= 0))

    return _first(faults, len(answered_us), explains)


def repeating_faults(faults: Sequence[InjectedFault], answered_us: Integers) -> Integers:
    """Returns the index of the fault (n,) that explains that a task, acknowledged at this moment
    (n,), was completed again by another worker: the first one that was not over by then."""

    def explains(fault: InjectedFault) -> Integers:
        may = fault.fault.kind is not FaultKind.START
        return np.asarray(may & (answered_us >= 0) & (answered_us <= _over_us(fault)))

    return _first(faults, len(answered_us), explains)


def earlier_faults(faults: Sequence[InjectedFault], at_us: Integers) -> Integers:
    """Returns the index of the last fault (n,) that began before each moment (n,): it explains that
    a worker completed a task again then."""
    found = np.full(len(at_us), NOTHING)
    for index, fault in enumerate(faults):
        if fault.began_us is not None and fault.fault.kind is not FaultKind.START:
            found[at_us >= fault.began_us] = index
    return found


def silencing_faults(faults: Sequence[InjectedFault], sent_us: Integers) -> Integers:
    """Returns the index of the fault (n,) that explains that a task, sent at this moment (n,), got
    no reply, or an error: the first one of the server or the network that lasted then, give or take
    ``SETTLING_US``."""

    def explains(fault: InjectedFault) -> Integers:
        began_us = (fault.began_us or 0) - SETTLING_US
        may = not fault.fault.of_worker and fault.fault.kind is not FaultKind.START
        return np.asarray(
            may
            & (sent_us >= 0)
            & (sent_us >= began_us)
            & (sent_us <= _over_us(fault) + SETTLING_US)
        )

    return _first(faults, len(sent_us), explains)


def _first(
    faults: Sequence[InjectedFault], tasks: int, explains: Callable[[InjectedFault], Integers]
) -> Integers:
    found = np.full(tasks, NOTHING)
    for index, fault in enumerate(faults):
        if fault.began_us is not None:
            found[(found == NOTHING) & explains(fault)] = index
    return found


def _over_us(fault: InjectedFault) -> int:
    """When a fault was over; far away where it was not."""
    return _NEVER_US if fault.ended_us is None else fault.ended_us
