"""The record of a sweep: one scenario at several loads or settings, as one JSON file.

It is also the state of ``bench sweep``: it is saved after each trial, and resumed from.

History of the format:

    runqy-bench-sweep/1   the first
"""

from pathlib import Path
from typing import Literal

import msgspec

from bench import files
from bench.errors import RecordError
from bench.records import formats
from bench.workload.scenario import Scenario

FORMAT = "runqy-bench-sweep/1"

SWEEP_PERCENTILES = ("p50", "p99", "p99.9")
"""The percentiles that a sweep shows, in ascending order."""


class SweptValues(msgspec.Struct, frozen=True, kw_only=True):
    """A field of the scenario, and the values that are tried."""

    field: str
    values: list[str]
    """As a command line has them, in the order in which they are shown."""


class SweepLevel(msgspec.Struct, frozen=True, kw_only=True):
    """One combination of values."""

    settings: dict[str, str]
    """The value of each field that is varied, as a command line has it."""
    offered_per_s: float | None
    """Mean offered rate; None for a closed loop."""


class SweepFigure(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of one trial, and how well that trial knows it: seconds, or tasks per second."""

    value: float | None = None
    """None where nothing was measured."""
    low: float | None = None
    high: float | None = None
    """The ends of the run's own 95% confidence interval; None where it has none."""
    withheld: str = ""
    """Why the run gives no interval, as in its record; empty where it gives one."""


class SweepTrial(msgspec.Struct, frozen=True, kw_only=True):
    """One trial: a complete run, whose record is ``file``."""

    level: int
    """Which of the levels, from 0."""
    repetition: int
    """Which of the trials of this level, from 1."""
    seed: int
    took_s: float
    """Wall time with start-up and drain."""
    file: str = ""
    """Name of its record in the folder of trials; empty where there is none."""
    verdict: str = ""
    """Of the run record; empty where there is none."""
    problem: str = ""
    """The gravest warning of a run that is not valid, or why there is none; else empty."""
    problem_code: str = ""
    """The code of that warning; empty without one."""
    falls_behind: bool = False
    """Whether a run that is valid completed clearly less than was offered, as one may that is too
    short to tell that its backlog grows."""
    missed: list[str] = []
    """Objectives that were missed."""
    achieved_per_s: SweepFigure = SweepFigure()
    """Tasks completed per second of the window; enqueued where no workers serve them."""
    latency_s: dict[str, SweepFigure] = {}
    """p50, p99 and p99.9 of the record's ``interval``, of all sub-queues together."""
    most_backlog: int | None = None
    """The most tasks that waited at the end of a second; None where that was not seen."""
    server_cores: float | None = None
    worker_cores: float | None = None
    generator_cores: float | None = None
    bound_by: str = ""
    """The limit that the run names."""


class SweepRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One sweep: its levels, the order of its trials, and their results."""

    format: str = FORMAT
    id: str
    started_at: str
    command: str
    scenario: Scenario
    """That of the first level; ``levels`` say in what the others differ."""
    words: list[str]
    """The arguments with which every trial's command line begins, without secrets."""
    swept: list[SweptValues]
    levels: list[SweepLevel]
    repeat: int
    """How many trials each level has."""
    order: list[int]
    """The level of each trial, in the order in which they are made: every level once in an order
    drawn by the seed, then all of them again in another one."""
    run_s: float | None
    """How long each trial enqueues at most; None where only a number of tasks ends it."""
    budget_s: float
    """The time that all trials may take."""
    interval: str
    """The interval that percentiles are of: ``e2e``, or ``enqueue`` without workers."""
    trials: list[SweepTrial] = []
    """In the order in which they were made."""
    environment: dict[str, object] = {}
    server: dict[str, object] = {}
    is_complete: bool = False
    """Whether all trials were made."""
    ended: Literal["", "finished", "budget", "interrupted", "failed"] = ""
    """Why no further trial is made; empty while it lasts."""


def encode(record: SweepRecord) -> bytes:
    """Returns the record as indented JSON, ending in a newline."""
    return formats.encode(record)


def save(record: SweepRecord, path: Path) -> None:
    """Writes the record whole; one with trials that cannot be saved there is saved elsewhere.

    Raises UsageError, which then says where, when its folder cannot be written.
    """
    write = files.save if record.trials else files.write_whole
    write(path, encode(record))


def load(path: Path) -> SweepRecord:
    """Reads a sweep record. Raises RecordError for any other file or format version, and for one
    whose trials are of levels that it does not have."""
    return checked(path, formats.load(path, SweepRecord, FORMAT, "a sweep record"))


def checked(path: Path, record: SweepRecord) -> SweepRecord:
    """Returns a record as it is. Raises RecordError where its parts contradict each other."""
    levels = range(len(record.levels))
    fields = [each.field for each in record.swept]
    problem = ""
    if any(each not in levels for each in record.order):
        problem = "$.order names a level that is not there"
    elif any(each.level not in levels for each in record.trials):
        problem = "$.trials has a trial of a level that is not there"
    elif any(list(each.settings) != fields for each in record.levels):
        problem = "$.levels has one without exactly the fields of $.swept"
    elif record.repeat < 1 or any((each.offered_per_s or 1.0) <= 0 for each in record.levels):
        problem = "it offers no rate, or repeats nothing"
    if problem:
        raise RecordError(f"{path}: not a sweep record: {problem}")
    return record
