"""Samples of the machine while a run lasts: what its cores do, and how much of it is the run's."""

import contextlib
from dataclasses import dataclass, field

from bench import machine
from bench.clock import Offset
from bench.machine import CpuQuota, CpuTimes, ProcessCpu
from bench.redisio.url import parse
from bench.run.fleet import Fleet
from bench.run.machine_watch import MachineWatch
from bench.run.network import RunNetwork
from bench.run.workers import Workers


@dataclass(frozen=True)
class MachineSample:
    """CPU times at one moment, in seconds since something before the run."""

    offset_us: int
    """When it was taken, in µs after the run's start."""
    cpu: CpuTimes
    generator_s: float
    """Of the producers on this machine."""
    worker_s: float
    """Of the workers that the run has started."""
    harness_s: float
    """Of the process that leads the run, of an observer, of the proxy of a network, and of the
    process that watches the machine."""


@dataclass(frozen=True)
class MachineLimits:
    """What bounds a run on this machine, beside the speed of its cores."""

    cores: int
    """Cores that the run's processes may use."""
    quota_cores: float | None
    """The CPU quota of their control group; None without one."""
    has_server: bool
    """Whether the server is on this machine."""
    round_trip_us: float
    """The shortest round trip to the server that was measured."""


@dataclass
class MachineSampler:
    """Takes samples, and keeps all of them."""

    fleet: Fleet
    workers: Workers
    network: RunNetwork | None = None
    watch: MachineWatch = field(default_factory=MachineWatch)
    quota: CpuQuota | None = field(default_factory=machine.cpu_quota)
    samples: list[MachineSample] = field(default_factory=list)
    _own: ProcessCpu = field(default_factory=ProcessCpu)

    def limits(self, url: str, offset: Offset) -> MachineLimits:
        """The limits of a run on the server at that URL, whose clock is off by ``offset``."""
        return MachineLimits(
            cores=machine.cores(),
            quota_cores=None if self.quota is None else self.quota.cores,
            has_server=parse(url).is_on_this_machine,
            round_trip_us=self._round_trip_us(offset),
        )

    def _round_trip_us(self, offset: Offset) -> float:
        measured_s = None if self.network is None else self.network.round_trip_s
        if measured_s is not None:
            return measured_s * 1e6
        return 2 * offset.error_us  # the bound is half of the round trip

    def sample(self, offset_us: int) -> None:
        """Take a sample. What cannot be read leaves a gap, and is no error."""
        with contextlib.suppress(OSError):
            self._add(offset_us)

    def _others_s(self) -> float:
        network_s = 0.0 if self.network is None else self.network.control.cpu_s
        return network_s + self.watch.cpu_s + sum(each.cpu_s for each in self.workers.observers)

    def _add(self, offset_us: int) -> None:
        self.samples.append(
            MachineSample(
                offset_us=offset_us,
                cpu=machine.read(self.quota),
                generator_s=sum(each.cpu_s for each in self.fleet.producers),
                worker_s=sum(each.cpu_s for each in self.workers.serving),
                harness_s=self._own.used_s() + self._others_s(),
            )
        )
