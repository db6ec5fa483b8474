"""What this process itself uses: CPU time and memory. From the standard library alone, as every
process of a run imports it."""

import resource
import sys
import time


class ProcessUsage:
    """What this process has used since the object was made."""

    def __init__(self) -> None:
        self._began_s = self._mark_s = time.monotonic()
        self._began_cpu_s = self._mark_cpu_s = time.process_time()
        self.busiest_cores = 0.0
        """CPU of the busiest second seen, in cores."""

    def sample(self) -> None:
        """Look whether another second has passed. To be called a few times a second."""
        now_s, cpu_s = time.monotonic(), time.process_time()
        if now_s - self._mark_s >= 1:
            cores = (cpu_s - self._mark_cpu_s) / (now_s - self._mark_s)
            self.busiest_cores = max(self.busiest_cores, cores)
            self._mark_s, self._mark_cpu_s = now_s, cpu_s

    def cpu_s(self) -> float:
        """User and system time."""
        return time.process_time() - self._began_cpu_s

    def elapsed_s(self) -> float:
        """Wall-clock time."""
        return time.monotonic() - self._began_s


def peak_memory_bytes() -> int:
    """The most memory that this process ever had resident."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
