"""What a run has collected when it is over, as one frozen value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.measure.bits import Bits
from bench.measure.canary import Canaries
from bench.measure.endings import CounterReadings
from bench.measure.faults import InjectedFault
from bench.measure.hiccups import HiccupReport
from bench.measure.leases import Leases
from bench.measure.network import NetworkUse
from bench.measure.reports import ObserverReport, ProducerReport, WorkerReport
from bench.measure.stopping import UntilResult
from bench.measure.window import TimeLine
from bench.redisio.server_info import ServerUsage
from bench.run.machine_sampler import MachineLimits, MachineSample
from bench.run.reconcile import ReconciledTasks
from bench.run.server_sampler import ServerSample
from bench.workload.guards import Aborted
from bench.workload.scenario import Scenario


@dataclass(frozen=True)
class RemainingTasks:
    """The tasks on the queues' lists, once nothing of the run works on them any more."""

    pending: Mapping[int, Bits] = field(default_factory=dict)
    """Sequence numbers of the run's tasks, by producer, that wait for a worker."""
    active: Mapping[int, Bits] = field(default_factory=dict)
    """Those that a worker has."""
    has_marker: bool | None = None
    """Whether the database still holds the run's marker; None where that is not known."""
    others: int | None = 0
    """Ids that are not of the run; None where others may use the queues, too."""
    other_poppers: Sequence[str] = ()
    """Clients, by address and name, that take ids from lists and are not of the run; empty where
    workers of others are part of it."""


@dataclass(frozen=True)
class GuardOutcome:
    """What came of the guards of a run."""

    watched: Sequence[str] = ()
    """All guards, as written."""
    aborted: Aborted | None = None
    """The guard that ended the run; None if none did."""


@dataclass(frozen=True)
class SeenOfMachine:
    """What was seen of the machine by watching it, without measuring anything of the run."""

    hiccups: HiccupReport | None = None
    """How late a process woke that only sleeps; None without a trace."""
    canaries: Canaries | None = None
    """What pieces of work took before and after the run; None where none was timed."""
    problem: str = ""
    """Why the machine was not watched until the end, as a clause; empty if it was."""


@dataclass(frozen=True, kw_only=True)
class CollectedRun:
    """Everything that the record of a run is made from."""

    run_id: int
    started_at: str
    duration_s: float
    """From the run's start until its last process has ended."""
    command: str
    scenario: Scenario
    environment: dict[str, object]
    server: dict[str, object]
    line: TimeLine
    most_warmup_s: float
    """Upper bound on a warm-up that was still to be found."""
    drain_started_s: float | None
    """Seconds after the run's start; None where the run was not drained."""
    producers: Sequence[ProducerReport]
    workers: Sequence[WorkerReport]
    """Reports of workers, and of an observer where there is one."""
    has_remote_workers: bool
    """Whether a remote worker has reported."""
    remaining: RemainingTasks
    samples: Sequence[ServerSample]
    backlogs: Sequence[tuple[int, int]] = ()
    """Of a run with faults: moments, in µs after its start, and all pending tasks then."""
    machine: Sequence[MachineSample]
    machine_limits: MachineLimits
    looked_up: ReconciledTasks | None = None
    """What Redis held of tasks that no process has reported; None where all processes reported."""
    counted: Mapping[str, CounterReadings] = field(default_factory=dict)
    """What the counters of each queue gained during the run; empty where others use them, too."""
    usage_before: ServerUsage
    usage_after: ServerUsage | None
    """None where the server did not answer at the end."""
    completed_gone: int = 0
    """Number of tasks that completed, whose layout keeps them, and that are not there any more."""
    own_commands: int = 0
    """Commands of the run and an observer until then, beside those that are never counted."""
    own_peak_memory_bytes: int
    """The most memory that the process which leads the run had resident."""
    clock_error_us: float
    """How far the stamps of two processes can be apart."""
    clocks_apart_us: float = 0.0
    """The part of it by which clocks that were taken for one certainly differ."""
    layout_note: str = ""
    """A sentence where another layout lives on the server; empty if none does."""
    interruptions: Sequence[str]
    """Why the run ended early or lacks a part, one sentence each."""
    guards: GuardOutcome = GuardOutcome()
    drain_waited_for: str = ""
    """What a drain was waiting for when it timed out; empty if it did not."""
    leases: Leases | None = None
    """Leases on tasks when the drain timed out; None without any."""
    network: NetworkUse | None = None
    """What the tasks went through; None where they connected directly."""
    until: UntilResult | None = None
    """What came of ``--until``; None for a run without."""
    faults: Sequence[InjectedFault] = ()
    """The faults of the plan, in the order of their moments."""
    seen: SeenOfMachine = SeenOfMachine()
    """What was seen of the machine."""

    @property
    def is_cut_short(self) -> bool:
        """Whether the run ended early, or lacks a part."""
        return bool(self.interruptions) or self.guards.aborted is not None

    @property
    def serving_workers(self) -> list[WorkerReport]:
        """Reports of those that work on tasks, without the observer's."""
        return [report for report in self.workers if report.observed is None]

    @property
    def observed(self) -> ObserverReport | None:
        """What an observer saw; None where workers measure themselves."""
        return next(
            (report.observed for report in self.workers if report.observed is not None), None
        )
