"""The capacity record: what a search for capacity tried, found, predicted and checked.

It is the state of the job as well: it is written after every trial, so an interrupted search goes
on where it was. Plans and reports read nothing else.

History of the format:

    runqy-bench-capacity/1   the first
"""

from pathlib import Path
from typing import Literal

import msgspec

from bench.files import write_whole
from bench.records import formats
from bench.workload.scenario import Scenario

FORMAT = "runqy-bench-capacity/1"

Axis = Literal["workers", "slots"]
"""What is varied: worker processes, or the tasks that one of them works on at once."""
Purpose = Literal["fill", "saturation", "search", "load"]
"""Of a trial: filling the queue, as fast as workers go, looking for the limit, at 80% of it."""


class TrialRow(msgspec.Struct, frozen=True, kw_only=True):
    """One trial: a run of its own, whose record is ``file``. Seconds and tasks a second."""

    purpose: Purpose
    units: int
    """How many workers or slots."""
    rate_per_s: float | None
    """Offered; None for as fast as possible."""
    duration_s: float
    """How long the load was offered for."""
    took_s: float
    """All of the run, start and drain included."""
    verdict: str
    good: bool
    """Whether the load held: a valid run in which every objective held."""
    reason: str
    """What did not hold, in words; empty where it did."""
    completed_per_s: float | None
    enqueued_per_s: float | None
    e2e_s: dict[str, dict[str, float | None]]
    """For ``all`` and each sub-queue: p50, p95, p99."""
    server_cores: float | None
    worker_cores: float | None
    generator_cores: float | None
    attribution: str
    file: str


class LevelRow(msgspec.Struct, frozen=True, kw_only=True):
    """What was found for one number of workers or slots."""

    units: int
    saturation_per_s: float | None
    """As fast as they go, whatever the latency."""
    lower_per_s: float | None
    """The highest rate that holds every objective; None where none does."""
    upper_per_s: float | None
    """The lowest rate above it that does not; None where none was found."""
    is_settled: bool
    """Whether both bounds are proven and close enough; else time was over before."""
    is_held_out: bool
    """Whether it was predicted before it was measured, and is no part of the fit."""
    limit: str
    """What gives way at the upper bound, in words."""


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """Something said before it was measured. ``measured`` and what follows are None until then."""

    what: Literal["capacity", "e2e.p99"]
    kind: Literal["interior", "extrapolated", "load"]
    units: int
    rate_per_s: float | None
    """For a latency: at which rate."""
    value: float
    low: float
    high: float
    made_at: str
    measured: float | None = None
    measured_low: float | None = None
    measured_high: float | None = None
    measured_at: str | None = None

    @property
    def error(self) -> float | None:
        """Signed, as a share of what was measured."""
        return None if self.measured is None else self.value / self.measured - 1

    @property
    def is_inside(self) -> bool | None:
        """Whether what was measured (its bounds, for a capacity) meets the interval."""
        if self.measured is None:
            return None
        low = self.measured if self.measured_low is None else self.measured_low
        high = self.measured if self.measured_high is None else self.measured_high
        return low <= self.high and high >= self.low


class ScalingRow(msgspec.Struct, frozen=True, kw_only=True):
    """The Universal Scalability Law of the levels, with 90% intervals as [low, high]."""

    alpha: float
    beta: float
    gamma: float
    alpha_interval: tuple[float, float]
    beta_interval: tuple[float, float]
    gamma_interval: tuple[float, float]
    peak_interval: tuple[float, float | None]
    """Number of workers at which throughput is highest; an end of None is without bound."""
    fitted: list[int]
    residuals: list[float]
    band: list[tuple[float, float, float, float]]
    """(workers, value, low, high) along the curve, as far as it may be extended."""


class ServiceRow(msgspec.Struct, frozen=True, kw_only=True):
    """Service times as measured at a low load, and what a task takes beside them."""

    mean_s: float
    variation: float
    """Squared coefficient of variation."""
    floor_s: float
    """From due to started without a queue: median."""
    hdr: str
    arrivals_variation: float


class RedisRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a task costs the server."""

    cpu_us_per_task: float | None
    commands_per_task: float | None
    bytes_per_task: float | None
    memory_bytes_per_queued_task: float | None
    enqueue_ceiling_per_s: float | None
    """As fast as tasks go in with nobody serving."""
    ceiling_per_s: float | None
    """Tasks a second, in and out, that would fill one core of the server: from the slope of what
    all trials used."""


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """How thoroughly to search. Seconds, shares."""

    budget_s: float
    initial_s: float
    final_s: float
    sum_s: float
    exceed_ratio: float
    width: float


class CapacityRecord(msgspec.Struct, frozen=True, kw_only=True):
    """All of a search for capacity."""

    format: str = FORMAT
    id: str
    started_at: str
    command: str
    scenario: Scenario
    words: list[str]
    """What every trial's command line begins with, without secrets."""
    axis: Axis
    asked: list[int]
    """The numbers of workers or slots to search."""
    slo: list[str]
    effort: Effort
    trials: list[TrialRow]
    levels: list[LevelRow]
    predictions: list[Prediction]
    scaling: ScalingRow | None
    service: ServiceRow | None
    redis: RedisRow | None
    environment: dict[str, object]
    server: dict[str, object]
    is_complete: bool


REJECTED_CAPACITY = 0.10
"""A capacity is missed when the prediction is further off than this."""
REJECTED_LATENCY = 1.5
"""A p99 is missed when it is off by more than this factor, either way."""


def missed(prediction: Prediction) -> bool:
    """Whether what was measured rejects the model: outside its interval, or too far off."""
    error = prediction.error
    if error is None:
        return False
    if not prediction.is_inside:
        return True
    if prediction.what == "capacity":
        return abs(error) > REJECTED_CAPACITY
    return not 1 / REJECTED_LATENCY <= 1 + error <= REJECTED_LATENCY


def is_rejected(record: CapacityRecord, what: str) -> bool:
    """Whether a checked prediction of that kind was missed."""
    return any(missed(each) for each in record.predictions if each.what == what)


def encode(record: CapacityRecord) -> bytes:
    """As JSON text that people can read too."""
    return formats.encode(record)


def save(record: CapacityRecord, path: Path) -> None:
    """Write it whole or not at all. Raises UsageError when the folder cannot be written."""
    write_whole(path, encode(record))


def load(path: Path) -> CapacityRecord:
    """Read one. Raises RecordError when the file is none, or of another version."""
    return formats.load(path, CapacityRecord, FORMAT, "a capacity record")
