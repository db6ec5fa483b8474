"""Which fault explains what became of a task; pure.

A task is counted under at most one fault. What no fault explains stays unexplained, so that a run
that loses tasks by itself is judged as gravely as without faults.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench.arrays import Integers
from bench.measure.faults import InjectedFault
from bench.workload.faults import MAY_LOSE, Fault, FaultKind

SETTLING_US = 1_000_000
"""How long before a fault a task may have been sent that gets no reply because of it, and how long
after it the server may still refuse tasks, or a master that was replaced may still acknowledge what
is then lost: until its clients have learned of the new one."""
_REPLACES_SERVER = frozenset((FaultKind.FAILOVER, FaultKind.KILL))
_NOTICED_US = 100_000
"""How long a server may go on giving tasks to a connection whose other end is gone."""
_ENDS_CONNECTIONS = frozenset((FaultKind.KILL, FaultKind.RESET))
_SERVER_WAITS = frozenset((FaultKind.STALL, FaultKind.PAUSE, FaultKind.NETWORK))
_NEVER_US = 1 << 62
NOTHING = -1
"""In place of the index of a fault: none explains it."""


@dataclass(frozen=True)
class TaskMoments:
    """When tasks (n,) were sent and acknowledged, in µs after the start; negative if not known."""

    sent_us: Integers
    answered_us: Integers

    def exist_before_end_of(self, fault: InjectedFault) -> Integers:
        """Whether the server can have had each task (n,) before the fault was over.

        It has a task as soon as it was sent: an acknowledgement is read later, and a worker may
        have taken the task by then. Where the server took nothing while the fault lasted, it has
        the task when it acknowledges it.
        """
        from_us = self.answered_us
        if not _keeps_tasks_waiting(fault.fault):
            from_us = np.where(self.sent_us < 0, from_us, np.minimum(self.sent_us, from_us))
        return np.asarray((self.answered_us >= 0) & (from_us <= _followed_us(fault)))


def losing_faults(faults: Sequence[InjectedFault], tasks: TaskMoments) -> Integers:
    """Returns the index of the fault (n,) that explains the loss of each acknowledged task: the
    first one that may lose tasks, and before whose end the server can have had it.

    A task of which it is not known when it was acknowledged is explained by nothing.
    """

    def explains(fault: InjectedFault) -> Integers:
        return np.asarray(MAY_LOSE[fault.fault.kind] & tasks.exist_before_end_of(fault))

    return _first(faults, len(tasks.answered_us), explains)


def repeating_faults(faults: Sequence[InjectedFault], tasks: TaskMoments) -> Integers:
    """Returns the index of the fault (n,) that explains that an acknowledged task was completed
    again by another worker: the first one before whose end the server can have had it."""

    def explains(fault: InjectedFault) -> Integers:
        may = fault.fault.kind is not FaultKind.START
        return np.asarray(may & tasks.exist_before_end_of(fault))

    return _first(faults, len(tasks.answered_us), explains)


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


def _keeps_tasks_waiting(fault: Fault) -> bool:
    """Whether the server takes no tasks, and loses none, as long as a fault lasts."""
    return fault.kind in _SERVER_WAITS and not fault.of_worker


def _followed_us(fault: InjectedFault) -> int:
    """When a fault was over and all had noticed: clients that another server took over, a server
    that nobody is behind a connection any more to which it still gives tasks."""
    kind, of_worker = fault.fault.kind, fault.fault.of_worker
    if kind in _REPLACES_SERVER and not of_worker:
        return _over_us(fault) + SETTLING_US
    return _over_us(fault) + (_NOTICED_US if kind in _ENDS_CONNECTIONS else 0)


def _over_us(fault: InjectedFault) -> int:
    """When a fault was over; far away where it was not."""
    return _NEVER_US if fault.ended_us is None else fault.ended_us
