"""The capacity record: the trials, levels and predictions of one ``bench capacity`` search.

The record is also the state of the search. It is written after every trial, so that an interrupted
search can be resumed. ``bench plan`` and the reports read nothing else.

History of the format:

    runqy-bench-capacity/1   the first
"""

from pathlib import Path
from typing import Literal

import msgspec

from bench import files
from bench.measure.confidence import ConfidenceInterval
from bench.records import formats
from bench.workload.scenario import Scenario

FORMAT = "runqy-bench-capacity/1"

Axis = Literal["workers", "slots"]
"""What the search varies: the number of worker processes, or the concurrency of one worker."""
Purpose = Literal["fill", "saturation", "search", "load"]
"""Why a trial was made: ``fill`` measures memory per queued task, ``saturation`` the throughput of
saturated workers, ``search`` looks for the limit, ``load`` measures latency at 80% of the limit."""


class TrialRow(msgspec.Struct, frozen=True, kw_only=True):
    """One trial: a complete run, whose record is ``file``. Seconds, and tasks per second."""

    purpose: Purpose
    units: int
    """Number of workers or slots."""
    rate_per_s: float | None
    """Offered rate; None for a closed loop, which sends as fast as replies arrive."""
    duration_s: float
    """How long the load was offered."""
    took_s: float
    """Wall-clock time of the whole run, including start-up and drain."""
    verdict: str
    good: bool
    """Whether the workers sustained the load: the run was valid and every objective held."""
    reason: str
    """Why the load was not sustained, in words; empty if it was."""
    completed_per_s: float | None
    enqueued_per_s: float | None
    e2e_s: dict[str, dict[str, float | None]]
    """p50, p95 and p99 of the end-to-end latency, for ``all`` and for each sub-queue."""
    server_cores: float | None
    worker_cores: float | None
    generator_cores: float | None
    attribution: str
    file: str
    completed_confidence: ConfidenceInterval | None = None
    """The run's own 95% confidence interval of ``completed_per_s``, or why it has none; None in
    older records."""
    e2e_confidence: dict[str, dict[str, ConfidenceInterval]] = {}
    """That of each latency in ``e2e_s``, likewise; empty in older records."""


class LevelRow(msgspec.Struct, frozen=True, kw_only=True):
    """The capacity found for one number of workers or slots."""

    units: int
    saturation_per_s: float | None
    """Throughput of saturated workers, whatever the latency: of the trial that saturates them, or
    of one at a higher rate that held."""
    lower_per_s: float | None
    """Highest rate at which every objective holds; None if there is none."""
    upper_per_s: float | None
    """Lowest higher rate at which some objective fails; None if none was found."""
    is_settled: bool
    """Whether both bounds are proven and close enough. False if the time budget ran out first."""
    is_held_out: bool
    """Whether the level was predicted before it was measured, and left out of the fit."""
    limit: str
    """What fails at the upper bound, in words."""
    held_per_s: float | None = None
    """Highest rate that held in the trials so far, proven or not: ``lower_per_s`` where there is
    one. None where no rate held, and in older records."""
    held_trials: tuple[int, int] | None = None
    """How many of the trials at ``held_per_s`` were good, and how many there were."""


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """A prediction, written down before its point is measured. ``measured`` and the fields after it
    are None until then."""

    what: Literal["capacity", "e2e.p99"]
    kind: Literal["interior", "extrapolated", "load"]
    units: int
    rate_per_s: float | None
    """For a latency: the rate at which it is predicted."""
    value: float
    low: float
    high: float
    made_at: str
    measured: float | None = None
    measured_low: float | None = None
    measured_high: float | None = None
    measured_at: str | None = None
    measured_confidence: ConfidenceInterval | None = None
    """For a latency: how sure ``measured`` is, by the run itself; None in older records."""

    @property
    def error(self) -> float | None:
        """Returns the relative error, (predicted − measured) / measured; None until measured."""
        return None if self.measured is None else self.value / self.measured - 1

    @property
    def is_inside(self) -> bool | None:
        """Returns whether the measurement (its bounds, for a capacity) overlaps the predicted
        interval; None until measured."""
        if self.measured is None:
            return None
        low = self.measured if self.measured_low is None else self.measured_low
        high = self.measured if self.measured_high is None else self.measured_high
        return low <= self.high and high >= self.low


class ScalingRow(msgspec.Struct, frozen=True, kw_only=True):
    """The Universal Scalability Law fitted to the levels, with 90% intervals as [low, high]."""

    alpha: float
    beta: float
    gamma: float
    alpha_interval: tuple[float, float]
    beta_interval: tuple[float, float]
    gamma_interval: tuple[float, float]
    peak_interval: tuple[float, float | None]
    """Number of workers with the highest throughput; an upper end of None means unbounded."""
    fitted: list[int]
    residuals: list[float]
    band: list[tuple[float, float, float, float]]
    """(workers, value, low, high) along the curve, as far as extrapolation is allowed."""


class ServiceRow(msgspec.Struct, frozen=True, kw_only=True):
    """Service times measured at a low load, and the fixed latency that a task has besides."""

    mean_s: float
    variation: float
    """Squared coefficient of variation of the service time."""
    floor_s: float
    """Median time from due to started with no queueing."""
    hdr: str
    arrivals_variation: float


class RedisRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a task costs the Redis server. Fields are None where they could not be measured."""

    cpu_us_per_task: float | None
    commands_per_task: float | None
    bytes_per_task: float | None
    memory_bytes_per_queued_task: float | None
    enqueue_ceiling_per_s: float | None
    """Enqueue throughput with no workers."""
    ceiling_per_s: float | None
    """Tasks per second, enqueued and served, that would saturate one core of the server:
    extrapolated from the server's CPU time in all trials."""


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """How thorough the search is: durations in seconds, ratios as fractions of 1."""

    budget_s: float
    initial_s: float
    final_s: float
    sum_s: float
    exceed_ratio: float
    width: float


class CapacityRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One search for capacity: its settings, its trials and its results."""

    format: str = FORMAT
    id: str
    started_at: str
    command: str
    scenario: Scenario
    words: list[str]
    """The arguments with which every trial's command line begins, without secrets."""
    axis: Axis
    asked: list[int]
    """The numbers of workers or slots that the user asked for."""
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
    """Whether the search came to its end: it found all that it looked for, or used its budget."""
    ended: Literal["", "finished", "budget", "interrupted", "failed"] = ""
    """Why the search is not going on: ``budget`` where some level is not settled or was not reached
    in time, ``failed`` where a trial could not be made. Empty while it lasts, and in older
    records."""
    continued_after: int = 0
    """How many trials there were when the search was last continued; 0 where it never was."""


REJECTED_CAPACITY = 0.10
"""A prediction of capacity is rejected when its relative error exceeds this."""
REJECTED_LATENCY = 1.5
"""A prediction of p99 is rejected when it is off by more than this factor in either direction."""


def missed(prediction: Prediction) -> bool:
    """Returns whether the measurement rejects the prediction: outside its interval, or too far off.

    False while the prediction has not been measured."""
    error = prediction.error
    if error is None:
        return False
    if not prediction.is_inside:
        return True
    if prediction.what == "capacity":
        return abs(error) > REJECTED_CAPACITY
    return not 1 / REJECTED_LATENCY <= 1 + error <= REJECTED_LATENCY


def is_rejected(record: CapacityRecord, what: str) -> bool:
    """Returns whether any measured prediction of ``what`` was rejected."""
    return any(missed(each) for each in record.predictions if each.what == what)


def encode(record: CapacityRecord) -> bytes:
    """Returns the record as indented JSON, ending in a newline."""
    return formats.encode(record)


def save(record: CapacityRecord, path: Path) -> None:
    """Writes the record atomically; one with trials that cannot be saved there is saved elsewhere.

    Raises UsageError, which then says where, when its folder cannot be written.
    """
    write = files.save if record.trials else files.write_whole
    write(path, encode(record))


def load(path: Path) -> CapacityRecord:
    """Reads a capacity record. Raises RecordError for any other file or format version."""
    return formats.load(path, CapacityRecord, FORMAT, "a capacity record")
