"""The record of ``bench selftest``: what was planted on this machine, and what was measured.

History of the format:

    runqy-bench-selftest/1   the first
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from bench import files
from bench.records import formats

FORMAT = "runqy-bench-selftest/1"
MeasuredBy = Literal["observer", "built-in", "network"]
"""What measured: the observer of an external worker, the built-in worker, or the producer."""
Ended = Literal["", "finished", "interrupted", "failed"]


class ComparedStatistic(msgspec.Struct, frozen=True, kw_only=True):
    """A statistic of a latency as the record of a run has it, beside what it certainly was.

    It agrees where the two ranges, each of which may be a single value, are at most ``error_s``
    apart.
    """

    statistic: str
    """``p50`` or ``p99``."""
    known_low_s: float
    known_high_s: float
    """The range of the true value, from the time stamps of the stand-in, not from the plan: a
    machine that slept too long is no fault of the measurement."""
    measured_low_s: float
    measured_high_s: float
    """Different only where the measurement states a range: that of an observer's completions."""
    error_s: float
    """The stated error: the resolution of the histogram, and the error of mapping the clocks."""

    @property
    def within_s(self) -> float:
        """How far the measured value can be from the true one without being found out."""
        known_s = self.known_high_s - self.known_low_s
        return known_s + self.measured_high_s - self.measured_low_s + self.error_s

    @property
    def off_s(self) -> float:
        """How far the ranges are apart beyond the stated error; 0 where they agree."""
        below_s = self.known_low_s - self.measured_high_s
        above_s = self.measured_low_s - self.known_high_s
        return max(below_s - self.error_s, above_s - self.error_s, 0.0)


class DelayCheck(msgspec.Struct, frozen=True, kw_only=True):
    """A latency that was planted, and what was measured of it."""

    path: MeasuredBy
    interval: str
    planted_s: float | None
    """The delay as planned; None where nothing was planted in this interval."""
    samples: int
    """Number of tasks that the stand-in knows of."""
    measured_samples: int
    """Number of tasks whose latency is in the record; it must be the same."""
    compared: list[ComparedStatistic]

    @property
    def agrees(self) -> bool:
        """Whether every task was measured, and every statistic is what it was."""
        is_whole = self.samples == self.measured_samples > 0 and bool(self.compared)
        return is_whole and not any(each.off_s for each in self.compared)

    @property
    def tells(self) -> bool:
        """Whether a median of zero would have been found out, where a delay was planted."""
        if self.planted_s is None or not self.compared:
            return True
        return self.compared[0].within_s < self.compared[0].known_low_s


class CountCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks to which something was done, and how many of them the ledger shows."""

    path: MeasuredBy
    what: str
    """Field of the ledger: ``lost``, ``duplicated`` or ``completed``."""
    planted: int
    measured: int

    @property
    def agrees(self) -> bool:
        """Whether the two are equal."""
        return self.planted == self.measured


class SelftestCeiling(msgspec.Struct, frozen=True, kw_only=True):
    """The highest rate of one producer."""

    sink: str
    """What took the tasks: ``embedded server``, or ``none``, which only renders them."""
    per_s: float


class PacingCheck(msgspec.Struct, frozen=True, kw_only=True):
    """How punctually one producer sends at a rate."""

    asked_per_s: float
    enqueued_per_s: float | None
    lag_p50_s: float | None
    """How much later than due tasks were sent."""
    lag_p99_s: float | None


class RepeatNoise(msgspec.Struct, frozen=True, kw_only=True):
    """How a figure differs between identical runs."""

    figure: str
    values: list[float]
    """One of each run."""
    differs: float | None
    """By what share two single runs differ by chance in 95% of all cases, at most; None with fewer
    than three runs."""


class SelftestProblem(msgspec.Struct, frozen=True, kw_only=True):
    """A step that could not be carried out."""

    step: str
    reason: str


class SelftestRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What this machine and this version of bench measure of delays, losses and doubles that are
    known, what one producer can offer, and how much identical runs differ."""

    format: str = FORMAT
    started_at: str
    command: str
    is_quick: bool = False
    took_s: float = 0.0
    """Wall time."""
    steps: list[str] = []
    """Steps that were carried out, in their order."""
    delays: list[DelayCheck] = []
    counts: list[CountCheck] = []
    ceilings: list[SelftestCeiling] = []
    pacing: list[PacingCheck] = []
    noise: list[RepeatNoise] = []
    problems: list[SelftestProblem] = []
    environment: dict[str, object] = {}
    """As in a run record."""
    server: dict[str, object] = {}
    """As in a run record."""
    ended: Ended = ""
    """Why no further step follows; empty while it lasts."""


_OF_MACHINE = ("cpu_model", "cores", "usable_cores", "cpu_quota_cores", "memory_bytes", "kernel")


def differences(selftest: SelftestRecord, environment: Mapping[str, object]) -> list[str]:
    """Returns in what the machine and the versions of a self-test differ from those of a run, a
    clause each.

    ``environment`` is that of the run's record. A commit of the package counts only where both have
    one.
    """
    there = selftest.environment
    packages, own = _part(there, "packages"), _part(environment, "packages")
    pairs = {
        **{each: (there.get(each), environment.get(each)) for each in (*_OF_MACHINE, "python")},
        **{each: (packages.get(each), own.get(each)) for each in sorted({*packages, *own})},
    }
    commits = (_part(there, "git").get("commit"), _part(environment, "git").get("commit"))
    if all(commits):
        pairs["commit of bench"] = commits
    return [
        f"{name.replace('_', ' ')}: {old} there, {new} here"
        for name, (old, new) in pairs.items()
        if old != new
    ]


def _part(environment: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = environment.get(name)
    return value if isinstance(value, Mapping) else {}


def encode(record: SelftestRecord) -> bytes:
    """Returns the record as indented JSON, ending in a newline."""
    return formats.encode(record)


def save(record: SelftestRecord, path: Path) -> None:
    """Writes the record whole; one with results that cannot be saved there is saved elsewhere.

    Raises UsageError, which then says where, when its folder cannot be written.
    """
    write = files.save if record.steps else files.write_whole
    write(path, encode(record))


def load(path: Path) -> SelftestRecord:
    """Reads such a record. Raises RecordError for any other file or format version."""
    return formats.load(path, SelftestRecord, FORMAT, "a record of 'bench selftest'")
