"""What a self-test plants, and how long each of its runs lasts."""

from dataclasses import dataclass


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
    estimate_s: float
    """Wall time on a quiet machine."""


FULL = SelftestPlan(
    observed_s=(0.0002, 0.001, 0.01, 0.1, 1.0),
    observed_rate_per_s=200,
    observed_duration_s=5.0,
    served=(
        PlannedDelay(0.0002, 200, 1, 2.0),
        PlannedDelay(0.001, 200, 1, 2.0),
        PlannedDelay(0.01, 50, 1, 3.0),
        PlannedDelay(0.1, 20, 4, 4.0),
        PlannedDelay(1.0, 10, 16, 4.0),
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
    ceiling_tasks=200_000,
    paced_per_s=(1000, 10_000, 50_000),
    paced_duration_s=3.0,
    repeats=8,
    repeat_duration_s=3.0,
    estimate_s=115.0,
)
QUICK = SelftestPlan(
    observed_s=(0.001, 0.01, 0.1),
    observed_rate_per_s=200,
    observed_duration_s=2.0,
    served=(PlannedDelay(0.001, 200, 1, 1.0), PlannedDelay(0.1, 20, 4, 1.5)),
    network_s=(0.0, 0.001, 0.01),
    network_rate_per_s=20,
    network_duration_s=2.5,
    tasks=1000,
    popped=7,
    deleted=3,
    doubled=5,
    drop_every=25,
    drop_wait_s=3.0,
    ceiling_tasks=50_000,
    paced_per_s=(1000, 10_000),
    paced_duration_s=1.0,
    repeats=4,
    repeat_duration_s=1.0,
    estimate_s=28.0,
)
