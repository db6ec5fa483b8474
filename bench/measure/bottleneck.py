"""Names what a run was bound by, from the CPU time of every part and of the machine."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from bench import units
from bench.measure.slots import SlotUse, needs_clause, slots_sentence

BUSY_CORES = 0.9
"""From here on, a part that uses one core counts as having used all of it."""
_MOST_BUSY_CORES = 1.1
"""Above this a worker has several threads, and which of them was busy is not known."""
BUSY_HOST = 0.85
"""Share of the machine's cores from which on the machine is the limit: processes then wait for each
other, as what is ready to run is not spread evenly over the cores."""
THROTTLED_SHARE = 0.05
"""Share of the quota's periods in which it was used up, from which on the quota is the limit."""


class Limit(StrEnum):
    """What a run was bound by."""

    QUOTA = "quota"
    SERVER = "server"
    WORKER = "worker"
    PRODUCER = "producer"
    HOST = "host"
    SLOTS = "slots"
    WORKERS = "workers"
    ROUND_TRIP = "round trip"
    NOTHING = "nothing"


class MachineUse(msgspec.Struct, frozen=True, kw_only=True):
    """What the machine's cores did in the window, in cores on average. None: not known."""

    cores: int
    """Cores that the run could use."""
    quota_cores: float | None = None
    """The CPU quota that applied to the run; None without one."""
    throttled_share: float | None = None
    """Share of the quota's periods in which it was used up."""
    throttled_s: float | None = None
    """For how long the quota kept a core's worth of the run from running, in all: of several that
    stood still at once, each counts. None without one, and in older records."""
    user_cores: float
    system_cores: float
    """In the kernel. Both together are what was neither idle nor stolen; they divide it in the
    ratio of the kernel's ticks."""
    steal_cores: float
    """Taken by the hypervisor for other machines."""
    server_cores: float | None = None
    """The server's part; None if it is on another machine."""
    generator_cores: float
    worker_cores: float
    harness_cores: float
    """Of the process that leads the run, and of an observer."""
    other_cores: float | None
    """What is neither stolen nor of any part of the run; None where a part of the run used other
    cores than these. As the parts are not read in the same instant, it can be slightly negative."""

    @property
    def busy_cores(self) -> float:
        """Everything that is not idle, what is stolen included."""
        return self.user_cores + self.system_cores + self.steal_cores


@dataclass(frozen=True, kw_only=True)
class Load:
    """What the parts of a run had to do. None stands for what was not measured."""

    server_cores: float | None
    """Of the thread that runs the server's commands, where that is known."""
    worker_cores: float | None
    """Of the busiest worker process that has a single thread for its tasks."""
    producer_cores: float | None
    """Of the busiest producer process."""
    is_closed_loop: bool
    is_late: bool
    """Whether producers sent tasks late, or too few."""
    falls_behind: bool
    """Whether the backlog grew, so that something limited the workers."""
    slots: SlotUse
    """What the slots of the workers had to do."""
    waits_for_workers: bool
    """Whether enqueueing waits while the backlog is long."""
    round_trip_s: float
    machine: MachineUse | None


@dataclass(frozen=True)
class Attribution:
    """What a run was bound by, and the sentence that says so."""

    limit: Limit
    sentence: str


def attribute(load: Load) -> Attribution:
    """Returns the first limit that applies, in the order of ``Limit``.

    Slots that the drawn service times fill come before all: nothing else could be quicker for it.
    Then comes a limit outside the run's own parts (the quota), as it slows all of them; the machine
    comes after single cores, which a busy part would use up on any machine.
    """
    return next(_limits(load), Attribution(Limit.NOTHING, _nothing(load)))


def _limits(load: Load) -> Iterator[Attribution]:
    if load.slots.are_busy_by_design:
        yield Attribution(Limit.SLOTS, slots_sentence(load.slots))
    machine = load.machine
    throttled = None if machine is None else machine.throttled_share
    if machine is not None and throttled is not None and throttled >= THROTTLED_SHARE:
        yield Attribution(Limit.QUOTA, _quota(machine, throttled))
    yield from _cores(load)
    if machine is not None and machine.busy_cores >= BUSY_HOST * machine.cores:
        yield Attribution(Limit.HOST, _host(machine))
    if load.slots.are_busy:
        yield Attribution(Limit.SLOTS, slots_sentence(load.slots))
    needs_workers = load.falls_behind or load.waits_for_workers
    if needs_workers and load.slots.busy is None:
        yield Attribution(Limit.WORKERS, _workers(load))
    if needs_workers or load.is_closed_loop:
        yield Attribution(
            Limit.ROUND_TRIP,
            "bound by round trips: all parts of the run waited for replies most of the time; a "
            f"round trip to the server takes {units.format_duration(load.round_trip_s)} at best",
        )


def _cores(load: Load) -> Iterator[Attribution]:
    """The parts that used up the one core that their thread can use."""
    if (load.server_cores or 0.0) >= BUSY_CORES:
        yield Attribution(
            Limit.SERVER,
            f"server-bound: Redis used {load.server_cores:.2f} of the core that runs its commands",
        )
    if BUSY_CORES <= (load.worker_cores or 0.0) <= _MOST_BUSY_CORES:
        yield Attribution(
            Limit.WORKER,
            f"worker-bound: a worker process used {load.worker_cores:.2f} of its core; add workers",
        )
    if (load.producer_cores or 0.0) >= BUSY_CORES and (load.is_late or load.is_closed_loop):
        yield Attribution(
            Limit.PRODUCER,
            f"generator-bound: a producer process used {load.producer_cores:.2f} of its core; "
            "add producers",
        )


def _quota(machine: MachineUse, throttled: float) -> str:
    return (
        f"quota-bound: the CPU quota of {machine.quota_cores:g} cores was used up in "
        f"{throttled:.0%} of its periods, and everything under it then stood still; raise the "
        "quota, or offer less load"
    )


def _host(machine: MachineUse) -> str:
    foreign = (machine.other_cores or 0.0) + machine.steal_cores
    cure = "offer less load, use a larger machine, or move parts to another one"
    if foreign > machine.busy_cores / 2:
        cure = "stop the other programs, or use a machine of your own"
    return (
        f"host-bound: {machine.busy_cores:.2f} of {_cores_of(machine)} were in use "
        f"({_parts(machine)}); {cure}"
    )


def _cores_of(machine: MachineUse) -> str:
    return "1 core" if machine.cores == 1 else f"{machine.cores} cores"


def _parts(machine: MachineUse) -> str:
    parts = {
        "server": machine.server_cores,
        "workers": machine.worker_cores,
        "generator": machine.generator_cores,
        "harness": machine.harness_cores,
        "others": machine.other_cores,
        "stolen": machine.steal_cores,
    }
    return ", ".join(f"{name} {cores:.2f}" for name, cores in parts.items() if cores is not None)


def _workers(load: Load) -> str:
    text = (
        "bound by the workers: the backlog waited for them; what they waited for themselves was "
        "not measured"
    )
    needs = needs_clause(load.slots)
    return f"{text}, but if each slot serves one task at a time, {needs}" if needs else text


def _nothing(load: Load) -> str:
    measured = {
        "the server": load.server_cores,
        "the workers": load.worker_cores,
        "the producers": load.producer_cores,
    }
    parts = [name for name, cores in measured.items() if cores is not None]
    text = "not CPU-bound"
    if parts:
        text += f": no core was used up by {', '.join(parts[:-1])}"
        text += f"{' or ' if parts[:-1] else ''}{parts[-1]}"
    if load.machine is None:
        return text
    spare = max(load.machine.cores - load.machine.busy_cores, 0.0)
    return f"{text}; of {_cores_of(load.machine)} that the run may use, {spare:.2f} were idle"
