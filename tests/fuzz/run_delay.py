"""For how long the machine has kept a process waiting for a core, which is no fault of a command."""

from pathlib import Path


def run_delay_s(pid: int | str = "self") -> float:
    """Seconds for which the main thread of a process was ready to run and had no core.

    Zero where the system does not say so, as elsewhere than on Linux, and for a process that ended.
    """
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0
