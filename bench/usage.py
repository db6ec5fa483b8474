"""CPU time and memory of the current process, and how many threads it may start.

Imports the standard library alone, since every process of a run imports this module.
"""

import resource
import sys
import time
from collections.abc import Mapping

SINGLE_THREADED = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Environment that keeps numpy's linear algebra from starting a thread for each core. Nothing here
needs it to be fast, and the threads double the CPU time of a process's start."""
_MARK = "BENCH_SINGLE_THREADED"
"""Variable with the names of those that were set here, and not by the user."""


def limits_of_threads(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables to add to an environment for a process of this project, beside the user's."""
    missing = [name for name in SINGLE_THREADED if name not in environment]
    if not missing:
        return {}
    marked = " ".join([*environment.get(_MARK, "").split(), *missing])
    return {_MARK: marked, **{name: SINGLE_THREADED[name] for name in missing}}


def without_limits(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for a program of others: without what ``limits_of_threads`` has added."""
    added = {_MARK, *SINGLE_THREADED.keys() & environment.get(_MARK, "").split()}
    return {name: each for name, each in environment.items() if name not in added}


class ProcessUsage:
    """CPU and wall time of this process since the object was made."""

    def __init__(self) -> None:
        self._began_s = self._mark_s = time.monotonic()
        self._began_cpu_s = self._mark_cpu_s = time.process_time()
        self.busiest_cores = 0.0
        """CPU time of the busiest second so far, in cores."""

    def sample(self) -> None:
        """Update ``busiest_cores`` once a second has passed. Call it several times a second."""
        now_s, cpu_s = time.monotonic(), time.process_time()
        if now_s - self._mark_s >= 1:
            cores = (cpu_s - self._mark_cpu_s) / (now_s - self._mark_s)
            self.busiest_cores = max(self.busiest_cores, cores)
            self._mark_s, self._mark_cpu_s = now_s, cpu_s

    def cpu_s(self) -> float:
        """User and system time in seconds."""
        return time.process_time() - self._began_cpu_s

    def elapsed_s(self) -> float:
        """Wall time in seconds."""
        return time.monotonic() - self._began_s


def peak_memory_bytes() -> int:
    """The largest resident memory that this process has had, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
