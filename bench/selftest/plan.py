"""What a self-test plants, and how long each of its runs lasts."""

from dataclasses import dataclass

DROP_DURATION_S = 1.0
"""How long tasks are sent to the stand-in that loses some."""
FEWEST_REPEATS = 3
"""Identical runs that are made even where the planned time is over: fewer say nothing."""
_RUN_OVERHEAD_S = 1.2
"""Start and end of a run on an idle machine."""
_CANARIES = 1.1
"""A canary before and after a run each take a twentieth of its duration."""
_CEILING_PER_S = 40_000
_SHORT_TASK_S = 0.0012
"""A task with a service time of 1 ms, one after the other."""


@dataclass(frozen=True)
class PlannedDelay:
    """A delay of a built-in worker's run of its own, and the load that it can serve."""

    delay_s: float
    rate_per_s: int
    concurrency: int
    duration_s: float


@dataclass(frozen=True)
class SelftestPlan:
    """Everything that a self-test does."""

    observed_s: tuple[float, ...]
    """Delays from due to completed, one sub-queue each, of the run that an observer watches."""
    observed_rate_per_s: int
    observed_duration_s: float
    served: tuple[PlannedDelay, ...]
    """Service times of the built-in worker."""
    network_s: tuple[float, ...]
    """Delays of the relay between producer and server, one sub-queue each; the first is zero, and
    shows what a round trip takes without."""
    network_rate_per_s: int
    """So few that a batch has hardly ever to wait for the one before it."""
    network_duration_s: float
    tasks: int
    """Of the run in which tasks are lost and doubled."""
    popped: int
    deleted: int
    doubled: int
    drop_every: int
    """Of the run with a stand-in that loses tasks."""
    drop_wait_s: float
    """How long that run waits for tasks that will never end."""
    ceiling_tasks: int
    paced_per_s: tuple[int, ...]
    paced_duration_s: float
    repeats: int
    """Identical runs."""
    repeat_duration_s: float

    @property
    def runs(self) -> int:
        """How many runs it makes."""
        return 5 + len(self.served) + len(self.paced_per_s) + 2 * self.repeats

    @property
    def planned_s(self) -> float:
        """How long it takes on an idle machine: its runs, and what each takes besides its load."""
        ceiling_s = self.ceiling_tasks / _CEILING_PER_S
        load_s = (
            *(self.observed_duration_s, max(self.observed_s), self.network_duration_s),
            *(each.duration_s + each.delay_s for each in self.served),
            *(self.tasks * _SHORT_TASK_S, DROP_DURATION_S, self.drop_wait_s, ceiling_s),
            len(self.paced_per_s) * self.paced_duration_s,
            self.repeats * (self.repeat_duration_s + ceiling_s),
        )
        return self.runs * _RUN_OVERHEAD_S + _CANARIES * sum(load_s)


FULL = SelftestPlan(
    observed_s=(0.0002, 0.001, 0.01, 0.1, 1.0),
    observed_rate_per_s=200,
    observed_duration_s=5.0,
    served=(
        PlannedDelay(0.0002, 200, 1, 2.0),
        PlannedDelay(0.001, 200, 1, 2.0),
        PlannedDelay(0.01, 50, 1, 3.0),
        PlannedDelay(0.1, 20, 4, 3.0),
        PlannedDelay(1.0, 10, 16, 3.0),
    ),
    network_s=(0.0, 0.0002, 0.001, 0.01, 0.1),
    network_rate_per_s=8,
    network_duration_s=8.0,
    tasks=2000,
    popped=7,
    deleted=3,
    doubled=5,
    drop_every=25,
    drop_wait_s=3.0,
    ceiling_tasks=60_000,
    paced_per_s=(1000, 10_000, 50_000),
    paced_duration_s=2.5,
    repeats=8,
    repeat_duration_s=2.0,
)
QUICK = SelftestPlan(
    observed_s=(0.001, 0.01, 0.1),
    observed_rate_per_s=200,
    observed_duration_s=1.0,
    served=(PlannedDelay(0.01, 50, 1, 1.0),),
    network_s=(0.0, 0.001, 0.01),
    network_rate_per_s=20,
    network_duration_s=2.5,
    tasks=1000,
    popped=7,
    deleted=3,
    doubled=5,
    drop_every=25,
    drop_wait_s=1.5,
    ceiling_tasks=20_000,
    paced_per_s=(10_000,),
    paced_duration_s=1.0,
    repeats=3,
    repeat_duration_s=0.5,
)
