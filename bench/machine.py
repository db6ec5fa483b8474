"""The machine that a run shares with others: what its cores do, and what limits their use."""

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

_CGROUPS = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")
_CPU0 = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
_SMT = Path("/sys/devices/system/cpu/smt/active")
_CLOCK_SOURCE = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")


@dataclass(frozen=True)
class CpuTimes:
    """What the cores that this process may use have done since the machine was started."""

    at_s: float
    """When the times were read, on the monotonic clock."""
    idle_s: float
    """With nothing to run, or waiting for disks. Linux measures this exactly. It counts the times
    below in ticks, which miss much of the work of processes that sleep and wake many times a
    second."""
    user_s: float
    system_s: float
    """In the kernel, interrupts included."""
    steal_s: float
    """Taken by the hypervisor for other machines."""
    periods: int = 0
    """Periods of the CPU quota that have passed; zero without a quota."""
    throttled_periods: int = 0
    """Periods in which the quota was used up before their end."""
    throttled_s: float = 0.0
    """For how long each core was kept from running by that, summed up over the cores."""


@dataclass(frozen=True)
class CpuQuota:
    """The tightest CPU quota of the control groups that this process is in."""

    cores: float
    folder: Path
    """The control group's files."""


class ProcessCpu:
    """The CPU time of a process, which may end."""

    def __init__(self, pid: int | None = None) -> None:
        """Watch the process of that id, or this one."""
        self._pid = pid
        self._process: psutil.Process | None = None
        self._used_s = 0.0

    def used_s(self) -> float:
        """User and system time so far, in seconds; once it has ended, when it was last read."""
        with contextlib.suppress(psutil.Error):
            if self._process is None:
                self._process = psutil.Process(self._pid)
            times = self._process.cpu_times()
            self._used_s = times.user + times.system
        return self._used_s


def cores() -> int:
    """Number of cores that this process may run on."""
    return len(usable()) or psutil.cpu_count() or 1


def read(quota: CpuQuota | None) -> CpuTimes:
    """The times until now; ``quota`` is what ``cpu_quota`` returned."""
    own = usable()
    each = psutil.cpu_times(percpu=True)
    # The rows have no numbers: where some cores are offline or hidden, all rows are taken.
    is_numbered = len(each) > max(own, default=0)
    times = [
        core for number, core in enumerate(each) if not own or not is_numbered or number in own
    ]
    throttling = {} if quota is None else _throttling(quota.folder)
    return CpuTimes(
        at_s=time.monotonic(),
        idle_s=sum(core.idle + getattr(core, "iowait", 0.0) for core in times),
        user_s=sum(core.user + getattr(core, "nice", 0.0) for core in times),
        system_s=sum(
            core.system + getattr(core, "irq", 0.0) + getattr(core, "softirq", 0.0)
            for core in times
        ),
        steal_s=sum(getattr(core, "steal", 0.0) for core in times),
        periods=throttling.get("nr_periods", 0),
        throttled_periods=throttling.get("nr_throttled", 0),
        throttled_s=_throttled_s(throttling),
    )


def cpu_quota() -> CpuQuota | None:
    """The CPU quota that applies to this process and its children; None without one."""
    found = [
        CpuQuota(quota, folder)
        for folder in _control_groups()
        if (quota := _quota_of(folder)) is not None
    ]
    return min(found, key=lambda each: each.cores, default=None)


def describe() -> dict[str, object]:
    """What decides how fast this machine is, for the record; None where it cannot be read."""
    quota = cpu_quota()
    return {
        "usable_cores": cores(),
        "cpu_quota_cores": None if quota is None else quota.cores,
        "governor": _text(_CPU0),
        "clock_source": _text(_CLOCK_SOURCE),
        "smt": _is_multithreading(),
    }


def _is_multithreading() -> bool | None:
    """Whether cores share execution units in pairs (SMT), so that one slows the other."""
    return {"0": False, "1": True}.get(_text(_SMT) or "")


def usable() -> set[int]:
    """The numbers of the cores that this process may run on; empty if that is not known."""
    if not hasattr(os, "sched_getaffinity"):  # macOS
        return set()
    return os.sched_getaffinity(0)


def _control_groups() -> Iterator[Path]:
    """The folders of this process's control groups for CPU time, and of those above them."""
    for line in (_text(_MEMBERSHIP) or "").splitlines():
        _, controllers, path = line.split(":", 2)
        roots = [_CGROUPS] if not controllers else []
        if "cpu" in controllers.split(","):  # version 1
            roots = [_CGROUPS / "cpu", _CGROUPS / "cpu,cpuacct"]
        for root in roots:
            folder = root / path.lstrip("/")
            # In a container the path may be that of the host, and the files be those of the root.
            yield from (each for each in (folder, *folder.parents) if each.is_relative_to(root))


def _quota_of(folder: Path) -> float | None:
    """A control group's quota in cores; None if it has none."""
    written = (_text(folder / "cpu.max") or "").split()
    if not written:  # version 1
        quota, period = _text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")
        written = [quota or "max", period or "0"]
    with contextlib.suppress(ValueError, ZeroDivisionError):
        cores = int(written[0]) / int(written[1])
        return cores if cores > 0 else None
    return None


def _throttling(folder: Path) -> dict[str, int]:
    """A control group's counters of its CPU quota."""
    pairs = (line.split() for line in (_text(folder / "cpu.stat") or "").splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}


def _throttled_s(counters: Mapping[str, int]) -> float:
    microseconds = counters.get("throttled_usec")
    if microseconds is not None:
        return microseconds / 1e6
    return counters.get("throttled_time", 0) / 1e9  # version 1


def _text(path: Path) -> str | None:
    with contextlib.suppress(OSError):
        return path.read_text().strip()
    return None
