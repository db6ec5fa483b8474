"""What the machine did during a run, on average and over time."""

from bench.machine import CpuTimes
from bench.measure.bottleneck import MachineUse
from bench.run.collected import CollectedRun
from bench.run.figures.rates import Window
from bench.run.machine_sampler import MachineSample
from bench.run.server_sampler import ServerSample


def machine_use(run: CollectedRun, window: Window) -> MachineUse | None:
    """What the cores did between the first and the last sample in the window; None without two."""
    samples = [sample for sample in run.machine if window.includes(sample.offset_us)]
    if len(samples) < 2:
        samples = list(run.machine)
    if len(samples) < 2:
        return None
    return use_between(run, samples[0], samples[-1])


def use_between(run: CollectedRun, first: MachineSample, last: MachineSample) -> MachineUse:
    """What the cores did on average between two samples."""
    elapsed_s = last.cpu.at_s - first.cpu.at_s

    def cores(before_s: float, after_s: float) -> float:
        return (after_s - before_s) / elapsed_s

    steal = cores(first.cpu.steal_s, last.cpu.steal_s)
    idle = cores(first.cpu.idle_s, last.cpu.idle_s)
    working = max(run.machine_limits.cores - idle - steal, 0.0)
    user_share = _user_share(first.cpu, last.cpu)
    generator = cores(first.generator_s, last.generator_s)
    worker = cores(first.worker_s, last.worker_s)
    harness = cores(first.harness_s, last.harness_s)
    server = _server_cores(run, first, last)
    limits = run.machine_limits
    return MachineUse(
        cores=limits.cores,
        quota_cores=limits.quota_cores,
        throttled_share=_throttled_share(first.cpu, last.cpu),
        user_cores=working * user_share,
        system_cores=working * (1 - user_share),
        steal_cores=steal,
        server_cores=server,
        generator_cores=generator,
        worker_cores=worker,
        harness_cores=harness,
        other_cores=working - generator - worker - harness - (server or 0.0),
    )


def _user_share(first: CpuTimes, last: CpuTimes) -> float:
    """Share of the working time that is not the kernel's, by the ticks of either."""
    user_s = last.user_s - first.user_s
    system_s = last.system_s - first.system_s
    return user_s / (user_s + system_s) if user_s + system_s > 0 else 1.0


def _server_cores(run: CollectedRun, first: MachineSample, last: MachineSample) -> float | None:
    """What the server used between two samples; None on another machine, or without its figures."""
    by_offset: dict[int, ServerSample] = {sample.offset_us: sample for sample in run.samples}
    before, after = by_offset.get(first.offset_us), by_offset.get(last.offset_us)
    if not run.machine_limits.has_server or before is None or after is None:
        return None
    return (after.cpu_s - before.cpu_s) / ((after.offset_us - before.offset_us) / 1e6)


def _throttled_share(first: CpuTimes, last: CpuTimes) -> float | None:
    periods = last.periods - first.periods
    return (last.throttled_periods - first.throttled_periods) / periods if periods else None
