"""When an open loop gives up what it has not sent: nothing here reads a clock."""

import math
from dataclasses import dataclass

from bench.workload.scenario import Scenario

ON_TIME_US = 10_000
"""A task that is sent so soon after it was due is on time: it is sent even without an overrun."""


@dataclass(frozen=True)
class Overrun:
    """The bound of enqueueing. Times are in µs after the run's start."""

    planned_end_us: float
    """Infinite where enqueueing has no planned end, as in a closed loop."""
    length_us: int
    """How long enqueueing may go on past that."""

    @classmethod
    def of(cls, scenario: Scenario) -> "Overrun":
        """The bound that a scenario sets; none to a closed loop, where no task is ever late."""
        planned_s = scenario.planned_duration_s
        is_endless = scenario.is_closed_loop or planned_s is None
        end_us = math.inf if is_endless or planned_s is None else planned_s * 1e6
        return cls(end_us, max(round(scenario.overrun_s * 1e6), ON_TIME_US))

    def is_over(self, now_us: int, due_us: int) -> bool:
        """Whether a task that was due then is not to be sent any more.

        Where the schedule is longer than planned, as random arrivals of a number of tasks may be,
        its last tasks get as much time.
        """
        return now_us - self.length_us >= max(self.planned_end_us, due_us)
