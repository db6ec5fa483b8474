"""What the machine did during a run, on average and over time."""

from collections.abc import Mapping

from bench.machine import CpuTimes
from bench.measure.bottleneck import MachineUse
from bench.run.collected import CollectedRun
from bench.run.figures.rates import Window
from bench.run.figures.server_use import cores_between
from bench.run.machine_sampler import MachineSample
from bench.run.server_sampler import ServerSample

_LEAST_COUNTED = 0.5
"""Share of the time of one core that the system must account for at least; less means that it hides
what its cores do."""
_FOREIGN_CORES = -0.1
"""Below this, a part of the run must have used other cores than those that are looked at."""


def machine_use(run: CollectedRun, window: Window) -> MachineUse | None:
    """What the cores did in the window, from the samples nearest to its ends.

    None without two samples, and where the system does not account for its cores.
    """
    samples = run.machine
    before = [sample for sample in samples if sample.offset_us / 1e6 <= window.start_s]
    after = [sample for sample in samples if sample.offset_us / 1e6 >= window.end_s]
    first = before[-1] if before else next(iter(samples), None)
    last = after[0] if after else next(reversed(samples), None)
    if first is None or last is None or first is last:
        return None
    return use_between(run, first, last, server_samples(run))


def server_samples(run: CollectedRun) -> Mapping[int, ServerSample]:
    """The samples of the server by when they were taken; empty for one on another machine."""
    if not run.machine_limits.has_server:
        return {}
    return {sample.offset_us: sample for sample in run.samples}


def use_between(
    run: CollectedRun,
    first: MachineSample,
    last: MachineSample,
    server: Mapping[int, ServerSample],
) -> MachineUse | None:
    """What the cores did on average between two samples; None where the system does not account
    for them. ``server`` is what ``server_samples`` returns."""
    elapsed_s = last.cpu.at_s - first.cpu.at_s
    if elapsed_s <= 0 or _counted_s(first.cpu, last.cpu) < _LEAST_COUNTED * elapsed_s:
        return None

    def cores(before_s: float, after_s: float) -> float:
        return (after_s - before_s) / elapsed_s

    steal = cores(first.cpu.steal_s, last.cpu.steal_s)
    idle = cores(first.cpu.idle_s, last.cpu.idle_s)
    working = max(run.machine_limits.cores - idle - steal, 0.0)
    user_share = _user_share(first.cpu, last.cpu)
    generator = cores(first.generator_s, last.generator_s)
    worker = cores(first.worker_s, last.worker_s)
    harness = cores(first.harness_s, last.harness_s)
    server_cores = _server_cores(server, first, last)
    others = working - generator - worker - harness - (server_cores or 0.0)
    limits = run.machine_limits
    return MachineUse(
        cores=limits.cores,
        quota_cores=limits.quota_cores,
        throttled_share=_throttled_share(first.cpu, last.cpu),
        throttled_s=None
        if limits.quota_cores is None
        else last.cpu.throttled_s - first.cpu.throttled_s,
        user_cores=working * user_share,
        system_cores=working * (1 - user_share),
        steal_cores=steal,
        server_cores=server_cores,
        generator_cores=generator,
        worker_cores=worker,
        harness_cores=harness,
        other_cores=others if others >= _FOREIGN_CORES else None,
    )


def _user_share(first: CpuTimes, last: CpuTimes) -> float:
    """Share of the working time that is not the kernel's, by the ticks of either."""
    user_s = last.user_s - first.user_s
    system_s = last.system_s - first.system_s
    return user_s / (user_s + system_s) if user_s + system_s > 0 else 1.0


def _counted_s(first: CpuTimes, last: CpuTimes) -> float:
    """What the system has accounted for of all cores' time."""
    return (
        (last.idle_s - first.idle_s)
        + (last.user_s - first.user_s)
        + (last.system_s - first.system_s)
        + (last.steal_s - first.steal_s)
    )


def _server_cores(
    server: Mapping[int, ServerSample], first: MachineSample, last: MachineSample
) -> float | None:
    """What the server used between two samples; None without its figures for both."""
    before, after = server.get(first.offset_us), server.get(last.offset_us)
    return None if before is None or after is None else cores_between(before, after)


def _throttled_share(first: CpuTimes, last: CpuTimes) -> float | None:
    periods = last.periods - first.periods
    return (last.throttled_periods - first.throttled_periods) / periods if periods else None
