"""When a run has its machine watched, and for how long."""

from dataclasses import dataclass

from bench.measure.canary import Canary
from bench.measure.hiccups import HiccupReport
from bench.measure.window import TimeLine
from bench.watcher.control import MachineWatcher
from bench.workload.scenario import Scenario

MOST_CANARY_S = 0.5
_CANARY_SHARE = 0.05
"""Of a run's planned duration: a short run has a short canary."""
_UNPLANNED_CANARY_S = 0.1
"""Where it is not known how long the run will take."""


@dataclass(frozen=True)
class MachineWatch:
    """What watches the machine of one run; nothing by default."""

    watcher: MachineWatcher | None = None
    scenario: Scenario | None = None
    traces: bool = True
    """Whether a hiccup trace is made, beside the canaries."""

    @property
    def cpu_s(self) -> float:
        """CPU time that watching has cost so far, in seconds."""
        return 0.0 if self.watcher is None else self.watcher.cpu_s

    @property
    def problem(self) -> str:
        """Why the machine is watched no more, as a clause; empty while it is."""
        return "" if self.watcher is None else self.watcher.problem

    def canary(self) -> Canary | None:
        """Time a canary; nothing else of the run may work meanwhile. None where there is none."""
        if self.watcher is None or self.scenario is None:
            return None
        return self.watcher.canary(canary_s(self.scenario))

    def begin(self, line: TimeLine, offset_us: int) -> None:
        """Begin the hiccup trace of a run on its time line; ``offset_us`` leads from the host's
        monotonic clock to the run's."""
        if self.watcher is not None and self.traces:
            self.watcher.begin(line, offset_us)

    def end(self) -> HiccupReport | None:
        """End the hiccup trace; returns what it saw, or None where there is none."""
        return None if self.watcher is None else self.watcher.end()


def canary_s(scenario: Scenario) -> float:
    """Returns how long each of the two canaries of a run takes, in seconds."""
    planned_s = scenario.planned_duration_s
    if planned_s is None:
        return _UNPLANNED_CANARY_S
    return min(MOST_CANARY_S, _CANARY_SHARE * planned_s)
