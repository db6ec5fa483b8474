"""What the rules of the verdict examine and what they yield."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from bench import units
from bench.measure.arrivals import Arrivals
from bench.measure.bottleneck import MachineUse
from bench.measure.canary import Canaries
from bench.measure.faults import FaultOutcome, InjectedFault
from bench.measure.leases import Leases
from bench.measure.ledger import Counts
from bench.measure.priorities import Inversion
from bench.wire.layout_contract import CounterRules
from bench.workload.guards import Aborted

ENQUEUED_SHARE = 0.99
"""Share of the due tasks that must have been enqueued."""


class Verdict(StrEnum):
    """Whether a run may be quoted, in order from best to worst."""

    VALID = "valid"
    UNSTABLE = "unstable"
    GENERATOR_LIMITED = "generator_limited"
    LOSSY = "lossy"
    INCOMPLETE = "incomplete"
    ABORTED = "aborted"


CUT_SHORT = frozenset((Verdict.INCOMPLETE, Verdict.ABORTED))
"""Verdicts of runs that ended early or lack a part."""


@dataclass(frozen=True)
class VerdictReason:
    """One warning and the verdict that it causes; None for a warning that leaves the run valid."""

    code: str
    message: str
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Clocks:
    """How well the clocks of all processes agree."""

    error_s: float = 0.0
    """How far the stamps of two processes can be apart."""
    apart_s: float = 0.0
    """The part of it by which clocks that were taken for one certainly differ."""
    least_latency_s: float = 0.0
    """The smallest latency between the stamps of two processes."""
    median_e2e_s: float | None = None

    @property
    def disagree(self) -> bool:
        """Whether latencies between processes are unknown, because a task ended before it was due
        by more than the clocks may differ, or because these may differ by a typical latency."""
        if self.least_latency_s < -self.error_s or self.are_others:
            return True
        return self.median_e2e_s is not None and self.error_s > self.median_e2e_s

    @property
    def are_others(self) -> bool:
        """Whether clocks that were taken for one differ by more than a task takes.

        Their difference is part of the measured latencies, of which it is then more than half.
        """
        return self.apart_s > 0 and 2 * self.apart_s > (self.median_e2e_s or 0.0)


@dataclass(frozen=True)
class GivenUp:
    """What the generator gave up, as the time for sending it was over."""

    tasks: int = 0
    """Due tasks that were never sent."""
    behind_s: float = 0.0
    """How long the next of them had been due by then."""
    overrun_s: float = 0.0
    """How long enqueueing was to go on past its planned end."""


@dataclass(frozen=True)
class Lateness:
    """How late the generator sent tasks, by ``schedule_lag``, and what it did not send."""

    p99_s: float | None = None
    """None in a closed loop."""
    share: float = 0.0
    """Share of the tasks that were sent later than ``LAG_LIMIT_S``."""
    longest_s: float = 0.0
    """By how much the latest task was sent late."""
    reached_per_s: float | None = None
    """The rate at which tasks were enqueued in the window."""
    given_up: GivenUp = GivenUp()
    held_s: float = 0.0
    """For how long faults of the plan kept the server from taking tasks; what was sent late by that
    is in none of the figures above."""


@dataclass(frozen=True)
class ServerChange:
    """What happened to the server during the run."""

    lost_data: str = ""
    """What it did to its data, as a predicate such as ``was flushed``; empty for nothing."""
    gone_may_be_lost: bool = False
    """Whether tasks of which nothing is left may have been lost by it rather than have ended."""
    completed_gone: int = 0
    """Completed tasks that are not there any more, though their layout keeps them."""
    evicted: int = 0
    """Keys that it evicted, of anybody's."""
    unknown_costs: str = ""
    """Why it is not known what a task cost, as a clause; empty if that is known."""
    redirected: int = 0
    """Times that a node of a cluster refused a task, which was then sent again."""


@dataclass(frozen=True)
class FaultInputs:
    """The faults of a run's plan."""

    injected: Sequence[InjectedFault] = ()
    """The faults as they happened."""
    outcomes: Sequence[FaultOutcome] = ()
    """What each of them did to the tasks."""
    backlog_before: Sequence[float] = ()
    """Tasks pending at each second of the window before the first fault."""


@dataclass(frozen=True)
class WatchedMachine:
    """What is known of the machine of a run."""

    use: MachineUse | None = None
    canaries: Canaries | None = None
    governor: str | None = None
    """Of the first core's frequency; None where there is none, as in virtual machines."""
    clock_source: str | None = None
    """The kernel's; None on other systems than Linux."""
    problem: str = ""
    """Why the machine was not watched until the end, as a clause; empty if it was."""


@dataclass(frozen=True)
class OtherUsers:
    """Who else used the run's queues, where nobody was to."""

    tasks: int = 0
    """Ids on the queues that the run did not enqueue."""
    poppers: Sequence[str] = ()
    """Clients that take ids from lists and are not of the run."""


@dataclass(frozen=True, kw_only=True)
class VerdictInputs:
    """The figures of a run that the rules examine."""

    counts: Counts
    is_closed_loop: bool
    expects_completions: bool
    watches_backlog: bool
    """Whether a growing backlog means that workers do not keep up."""
    asked_per_s: float | None
    backlog: Sequence[float]
    """Tasks pending at each second of the window."""
    interruptions: Sequence[str]
    """Sentences that say why the run ended early or lacks a part."""
    waiting: Sequence[float] = ()
    """Tasks enqueued and not started at the end of each tenth of a second of the window, by the
    counts of producers and workers; only of a window with fewer than two rows of ``backlog``."""
    aborted: Aborted | None = None
    """The guard that ended the run; None if none did."""
    leases: Leases | None = None
    """Leases on tasks when the drain timed out; None without any."""
    drain_timeout_s: float = 0.0
    needed_drain_s: float = 0.0
    """How long the drain would have to be for the tasks on lease to be run again."""
    negative_latencies: int
    overflowed_latencies: int
    missing_tasks: int
    first_error: str
    reconnects: int
    loop_lag_p99_s: float | None = None
    """p99 of how late a shared event loop ran its producers; None if no event loop was shared."""
    is_steady: bool
    most_warmup_s: float
    clocks: Clocks = Clocks()
    lateness: Lateness = Lateness()
    arrivals: Arrivals | None = None
    """How tasks were sent, against the schedule; None where that is not known."""
    drain_takes_s: float | None = None
    """How much longer the drain would have taken when it timed out, at the rate of its end; None
    where that is not known."""
    server: ServerChange = ServerChange()
    faults: FaultInputs = FaultInputs()
    others: OtherUsers = OtherUsers()
    machine: WatchedMachine = WatchedMachine()
    unserved: Sequence[str] = ()
    """The tasks that workers took and could not serve, by the reason, as clauses."""
    difficulties: Sequence[str] = ()
    """What workers met and went on after, as clauses."""
    measured_tasks: int = 1
    """Tasks whose latency of enqueueing is in the figures."""
    drain_waited_for: str = ""
    """What a drain was waiting for when it timed out; empty if it did not."""
    are_outcomes_known: bool = True
    """Whether the final state of every task could be read at the end."""
    layout_note: str = ""
    """A sentence where another layout lives on the server; empty if none does."""
    looked_up: Counts | None = None
    """Tasks of which only Redis has shown how they ended, as processes died; None if none did."""
    seen_by: str | None = None
    """What shows the end of a task, ``state`` or ``result``; None if workers report it."""
    ends_seen: int = 1
    """Tasks whose end-to-end latency is in the figures."""
    awaits_reports: bool = False
    """Whether workers on other hosts were expected to report and none did."""
    unfinished: Mapping[str, int] = field(default_factory=dict)
    """Number of tasks, by state, that were on no list at the end and had not ended, as observed
    from outside the workers."""
    counter_rules: CounterRules | None = None
    """By whose rules the queues' own counters were read; None if they were not."""
    counter_excess: int = 0
    """Ends that the counters have beyond the tasks that ended; negative where some are missing."""
    inversions: list[Inversion] | None = None
    """Sub-queues that waited longer than one of lower priority; None if that was not judged."""
    is_drain: bool = False
    """Whether workers started only when everything was enqueued."""


def quantity(count: int, singular: str, plural: str = "") -> str:
    """Returns a count with its noun: ``1 task``, ``2 tasks``."""
    return f"{units.format_count(count)} {singular if count == 1 else plural or singular + 's'}"


def server_error_or(inputs: VerdictInputs, otherwise: str) -> str:
    """The rest of a sentence about tasks not enqueued: the server's error, or ``otherwise``."""
    if not inputs.first_error:
        return otherwise
    return f", because the server replied {inputs.first_error!r}: resolve that error and run again"
