"""What about the machine makes the figures of a run doubtful.

None of it changes the verdict: it says where else a latency may come from.
"""

from collections.abc import Iterator

from bench import units
from bench.measure.bottleneck import MachineUse
from bench.measure.canary import CanaryChange, disagreement
from bench.measure.verdict_inputs import VerdictReason, WatchedMachine

THROTTLED_NOTED = 0.01
"""Share of the quota's periods, in which it was used up, that is told: p99 then shows the quota."""
STOLEN_NOTED = 0.01
"""Share of the cores that a hypervisor took for others that is told."""
_FAST_CLOCKS = ("tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter", "riscv")
"""Clock sources that a process reads without a system call."""
_SAVING = "powersave"


def notes(machine: WatchedMachine) -> Iterator[VerdictReason]:
    """Yields a warning for each of the things that make figures doubtful."""
    if machine.use is not None:
        yield from _limits(machine.use)
    yield from _settings(machine)
    if machine.canaries is not None and machine.canaries.after is not None:
        apart = disagreement(machine.canaries.before, machine.canaries.after)
        if apart:
            yield VerdictReason(
                "machine_changed",
                f"the machine changed during the run: {'; '.join(map(_change, apart))}; stop other "
                "programs, and repeat the run before comparing it",
            )
    if machine.problem:
        yield VerdictReason(
            "not_watched",
            "the machine was not watched until the end, because of the process that does it "
            f"(bench.watcher): {machine.problem}; the figures are whole, but how much the machine "
            "adds to them is not known",
        )


def _limits(use: MachineUse) -> Iterator[VerdictReason]:
    share = use.throttled_share or 0.0
    if use.quota_cores is not None and share >= THROTTLED_NOTED:
        for_s = "" if use.throttled_s is None else f", {units.format_duration(use.throttled_s)}"
        yield VerdictReason(
            "throttled",
            f"the CPU quota of {use.quota_cores:g} cores was used up in "
            f"{share:.0%} of its periods{for_s} in all: whatever was due then waited "
            "for the next period, and percentiles show that; raise the quota, or offer less load",
        )
    if use.steal_cores >= STOLEN_NOTED * use.cores:
        yield VerdictReason(
            "stolen",
            f"the hypervisor took {use.steal_cores:.2f} of {use.cores} cores for other machines: "
            "use a machine with cores of its own, or repeat the run when they are idle",
        )


def _settings(machine: WatchedMachine) -> Iterator[VerdictReason]:
    if machine.governor == _SAVING:
        yield VerdictReason(
            "powersave",
            "the cores' governor is powersave, which may run them slowly while they have little to "
            "do: choose performance (cpupower frequency-set -g performance)",
        )
    if machine.clock_source is not None and machine.clock_source not in _FAST_CLOCKS:
        yield VerdictReason(
            "clock_source",
            f"the kernel's clock source is {machine.clock_source}, so that each time stamp takes a "
            "system call: choose tsc where the machine has one "
            "(/sys/devices/system/clocksource/clocksource0)",
        )


def _change(change: CanaryChange) -> str:
    before, after = map(units.format_duration, (change.before_s, change.after_s))
    return f"{_WORK[change.kind]} took {before} before it and {after} after it"


_WORK = {
    "spin": "a loop of the interpreter",
    "memory": "copying 4 MB",
    "loopback": "a round trip of the loopback interface",
}
