"""The record of a run that was repeated with servers and workers started afresh, as one JSON file.

History of the format:

    runqy-bench-restarts/1   the first
"""

from pathlib import Path

import msgspec

from bench.measure.confidence import ConfidenceInterval
from bench.measure.priorities import Inversion
from bench.records import formats
from bench.records.run_record import SloResult
from bench.workload.scenario import Scenario

FORMAT = "runqy-bench-restarts/1"


class StartedRun(msgspec.Struct, frozen=True, kw_only=True):
    """One of the runs."""

    file: str
    """Path of its run record."""
    verdict: str
    seed: int | None = None
    """The seed of its draws; None in older records."""
    inversions: list[Inversion] | None = None
    """As in the run record."""
    slo: list[SloResult] = []
    """As in the run record."""


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """How one metric differs between starts and within one."""

    metric: str
    values: list[float | None]
    """The value of each run that is not incomplete, in the metric's unit."""
    intervals: list[ConfidenceInterval | None] = []
    """The confidence interval of each of them, as in the run record; empty in older records."""
    between: float | None = None
    """Standard deviation between starts as a share, on logarithms, less ``error`` where that is
    known, else with all that differs from run to run; None with fewer than two values."""
    between_low: float | None = None
    """Lower end of its 95% confidence interval; None in older records, and with ``between``."""
    between_high: float | None = None
    """Its upper end."""
    error: float | None = None
    """Standard error of the figure of one run as a share of it, by the confidence intervals of the
    runs' own figures; None where one of them has none, as in older records."""
    pooled: float | None = None
    """A percentile of the tasks of all runs together, from their merged histograms; None for other
    metrics, and where samples lie outside of a histogram's range."""
    low: float | None = None
    """Lower end of the 95% confidence interval over starts of the metric's typical value (its
    geometric mean), by Student's t on logarithms; None with fewer than three values."""
    high: float | None = None
    """Its upper end."""
    within: float | None = None
    """Standard deviation from second to second of a run, as a share of the mean, where ``error`` is
    not known: no error of the run's figure. None where the runs hold no such series."""


class FaultSpread(msgspec.Struct, frozen=True, kw_only=True):
    """What one figure of one fault was in all runs in which the fault was injected."""

    number: int
    """Of the fault in the plan, from 1."""
    fault: str
    """As it was written in the first run."""
    figure: str
    """``lost``, ``twice``, ``again``, ``unknown`` and ``refused`` tasks; ``no reply``,
    ``no completion`` and ``back`` in seconds."""
    values: list[float | None]
    """Of each run; None for a time that had no end in the run."""
    median: float | None = None
    """None where it is such a time."""
    low: float | None = None
    """Lower end of the 95% confidence interval of the median."""
    high: float | None = None
    """Its upper end; None where that is a time without an end."""
    has_interval: bool = False
    """Whether there are enough runs for an interval."""


class RestartsRecord(msgspec.Struct, frozen=True, kw_only=True):
    """All runs of one scenario, each with processes of its own."""

    format: str = FORMAT
    started_at: str
    duration_s: float
    command: str
    starts: int
    """Number of runs that were asked for."""
    is_complete: bool
    """Whether all of them were made."""
    scenario: Scenario
    environment: dict[str, object]
    server: dict[str, object]
    runs: list[StartedRun]
    spreads: list[Spread]
    faults: list[FaultSpread] = []
    """Each figure of each fault; empty without faults."""


def encode(record: RestartsRecord) -> bytes:
    """Returns the record as indented JSON, ending in a newline."""
    return formats.encode(record)


def load(path: Path) -> RestartsRecord:
    """Reads a record of restarts. Raises RecordError for any other file or format version."""
    return formats.load(path, RestartsRecord, FORMAT, "a record of restarts")
