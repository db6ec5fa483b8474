"""The record of one queue under a set of faults, each in runs of its own, as one JSON file.

It is also the state of ``bench chaos``: it is saved after each run, and resumed from.

History of the format:

    runqy-bench-chaos/1   the first
"""

from pathlib import Path
from typing import Literal

import msgspec

from bench import files
from bench.measure.faults import FaultOutcome
from bench.records import formats
from bench.records.restarts_record import FaultSpread
from bench.workload.scenario import Scenario

FORMAT = "runqy-bench-chaos/1"


class ChaosCase(msgspec.Struct, frozen=True, kw_only=True):
    """A fault, and how its runs are made."""

    name: str
    plan: str
    """The faults of each run, as ``--faults`` takes them."""
    arguments: list[str]
    """What its runs have beside what all runs have, without the objectives."""
    slo: list[str] = []
    """Its objectives as they were written for all faults, in the order of ``run_slo``."""
    run_slo: list[str] = []
    """Its objectives as its runs take them."""
    is_asked: bool = False
    """Whether it was named, and may not be left out."""
    starts_topology: bool = False
    """Whether its runs start Sentinels of their own, for which there may be no program."""


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A fault that was not made."""

    name: str
    reason: str
    is_asked: bool = False
    """Whether it was named, so that it counts as one that could not be measured."""


class ObjectiveOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a run says of one objective."""

    expression: str
    """As it was written."""
    value: float | None
    """The measured value in the metric's unit or, with ``is_level``, the seconds from the fault's
    begin until it held again. None without data, and where it did not hold again."""
    passed: bool
    is_level: bool = False
    """Whether it bounds a latency, so that it is met where it held again by the end of the run."""


class ChaosRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    name: str
    """The name of its fault."""
    number: int
    """Which of the runs with this fault it is, from 1."""
    seed: int
    file: str = ""
    """Name of its record in the folder of runs; empty where there is none."""
    verdict: str = ""
    """Of the run record; empty where there is none."""
    took_s: float
    """Wall time with start-up and drain."""
    problem: str = ""
    """Why it does not answer what was asked; empty where it does. A loss that the fault explains is
    an answer."""
    outcome: FaultOutcome | None = None
    """What the fault did; of a worker that was killed and started again, what both did."""
    left: int = 0
    """Tasks that had not ended when the run did, and that Redis still had."""
    slo: list[ObjectiveOutcome] = []
    not_removed: str = ""
    """What the run could not remove from its server; empty where it did."""


class ChaosRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One queue, with one worker and one set of settings, under each fault of a set."""

    format: str = FORMAT
    started_at: str
    command: str
    scenario: Scenario
    """What all runs have in common, without faults and objectives."""
    words: list[str]
    """The arguments with which every run's command line begins, without secrets."""
    repeat: int
    """How many runs each fault has."""
    run_s: float
    """How long each run enqueues."""
    slo: list[str]
    """All objectives as they were written."""
    cases: list[ChaosCase]
    left_out: list[LeftOut]
    runs: list[ChaosRun]
    spreads: list[FaultSpread] = []
    """Each figure of each fault over its measured runs; ``left`` is a figure as well."""
    environment: dict[str, object] = {}
    server: dict[str, object] = {}
    is_complete: bool = False
    """Whether all runs were made."""
    ended: Literal["", "finished", "interrupted", "failed"] = ""
    """Why no further run is made; empty while it lasts."""


def encode(record: ChaosRecord) -> bytes:
    """Returns the record as indented JSON, ending in a newline."""
    return formats.encode(record)


def save(record: ChaosRecord, path: Path) -> None:
    """Writes the record whole; one with runs that cannot be saved there is saved elsewhere.

    Raises UsageError, which then says where, when its folder cannot be written.
    """
    write = files.save if record.runs else files.write_whole
    write(path, encode(record))


def load(path: Path) -> ChaosRecord:
    """Reads such a record. Raises RecordError for any other file or format version."""
    return formats.load(path, ChaosRecord, FORMAT, "a record of 'bench chaos'")
