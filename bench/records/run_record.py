"""The run record: one JSON file with everything that one run measured.

It is the boundary of the project. Code that produces it talks to Redis; code that uses it (reports,
exports, comparisons) reads records only.

History of the format:

    runqy-bench/1   the first
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench import files, result_files
from bench.errors import ExitCode, RecordError
from bench.measure.arrivals import Arrivals
from bench.measure.breakdown import LatencyBreakdown
from bench.measure.canary import Canaries
from bench.measure.confidence import ConfidenceInterval
from bench.measure.faults import FaultOutcome
from bench.measure.hiccups import Hiccup
from bench.measure.ledger import Counts, total
from bench.measure.network import NetworkUse
from bench.measure.observation import Observation
from bench.measure.priorities import Inversion
from bench.measure.stopping import UntilResult
from bench.records import formats, timestamps
from bench.records.resources import Resources
from bench.records.selftest_record import SelftestRecord
from bench.workload.guards import Aborted
from bench.workload.scenario import Scenario

FORMAT = "runqy-bench/1"


class RecordWarning(msgspec.Struct, frozen=True):
    """A warning that a reader must see: a code for programs and a sentence for people."""

    code: str
    message: str


NOT_REMOVED = "not_removed"
"""Code of the warning that something of the run is left on its server, unasked."""


PERCENTILE_FIELDS = {"p50_s": 50.0, "p90_s": 90.0, "p95_s": 95.0, "p99_s": 99.0, "p999_s": 99.9}
"""The percentiles of a summary, in percent, by the names of their fields."""


class LatencySummary(msgspec.Struct, frozen=True, kw_only=True):
    """The latency of one interval of one queue, in seconds. Times are None without samples."""

    count: int
    min_s: float | None = None
    mean_s: float | None = None
    p50_s: float | None = None
    p90_s: float | None = None
    p95_s: float | None = None
    p99_s: float | None = None
    p999_s: float | None = None
    max_s: float | None = None
    negative: int = 0
    overflow: int = 0
    hdr: str = ""
    """The samples within the histogram's range, in µs, as a base64 HdrHistogram V2 encoding."""
    confidence: dict[str, ConfidenceInterval] = {}
    """How sure each percentile is, by the name of its field (``p99_s``); empty in older records."""


class Hiccups(msgspec.Struct, frozen=True, kw_only=True):
    """How late a process woke that only slept, from the end of the warm-up until the last task had
    ended: one sample for each interval that passed, also for those in which it could not run."""

    interval_s: float
    """How long it slept at a time."""
    lateness: LatencySummary
    longest: list[Hiccup]
    """The latest wake-ups, the latest one first."""
    cpu_cores: float
    """Cores that the process itself used."""


class Rates(msgspec.Struct, frozen=True):
    """Tasks per second over the window. ``asked_per_s`` (offered rate): None in a closed loop.

    ``finished_per_s`` counts tasks that failed for good, too; older records lack it.
    """

    asked_per_s: float | None
    enqueued_per_s: float | None
    completed_per_s: float | None
    finished_per_s: float | None = None
    confidence: dict[str, ConfidenceInterval] = {}
    """How sure each measured rate is, by the name of its field; empty in older records."""


class Series(msgspec.Struct, frozen=True):
    """A time series: one row per ``interval_s`` seconds, with the values that ``columns`` names."""

    interval_s: float
    columns: list[str]
    rows: list[list[int | float | None]]


class ClockInfo(msgspec.Struct, frozen=True):
    """The clock of all time stamps, and how far the readings of two processes can differ."""

    domain: str
    error_bound_s: float


class Warmup(msgspec.Struct, frozen=True, kw_only=True):
    """The warm-up: what percentiles and rates leave out at the beginning, and how it was found."""

    method: str
    left_out_s: float
    most_s: float
    tasks: int = 0
    e2e_max_s: float | None = None


class SloResult(msgspec.Struct, frozen=True):
    """One objective, the measured value (None without data), and whether the objective held.

    ``at_most`` is set where only bounds are known: the value is then the lower one.
    """

    expression: str
    value: float | None
    passed: bool
    at_most: float | None = None


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One run. Times are in seconds and rates per second throughout."""

    format: str = FORMAT
    """A record of another version is refused with an error that names the version."""
    id: str
    """The run's id, which is part of the id of each of its tasks."""
    started_at: str
    """When the run began, with its time zone."""
    duration_s: float
    """How long tasks were enqueued."""
    window_s: float
    """Length of the window that the figures describe, without the warm-up."""
    command: str
    """The command line, without secrets."""
    scenario: Scenario
    """The whole workload as resolved, with the seed."""
    environment: dict[str, object]
    """CPU, cores and how many of them the run may use, CPU quota, governor, clock source, memory,
    kernel, Python, packages, git revision, processes."""
    server: dict[str, object]
    """Product, version, allocator, settings, and address without user, password or query."""
    verdict: str
    """``valid``, or why the figures must not be quoted."""
    warnings: list[RecordWarning]
    guards: list[str] = []
    """The conditions that would have ended the run, as written; older records lack them."""
    aborted: Aborted | None = None
    """The guard that ended the run, its value, and when; None if none did."""
    until: UntilResult | None = None
    """Whether the run ended as its figures were known well enough, and what it saw; None without
    ``--until``, as in older records."""
    attribution: str
    """What limited the run, as a sentence."""
    bound_by: str = ""
    """The limit that ``attribution`` names, for programs: ``quota``, ``server``, ``worker``,
    ``producer``, ``host``, ``slots``, ``workers``, ``round trip`` or ``nothing``; empty in older
    records."""
    counts: Counts
    """The ledger of all tasks."""
    queues: dict[str, Counts]
    """The ledger of each sub-queue."""
    rates: Rates
    """Over the window; with ``worker_start = after-fill``, ``completed_per_s`` and
    ``finished_per_s`` over the span in which tasks finished."""
    arrivals: Arrivals | None = None
    """Whether tasks were sent as the schedule asked; None in older records."""
    latency: dict[str, dict[str, LatencySummary]]
    """Of each interval, for ``all`` and each sub-queue."""
    breakdown: LatencyBreakdown | None = None
    """Where the e2e of the tasks around p50, p90, p99 and p99.9 went; None in older records."""
    observation: Observation | None = None
    """How an observer measured completions; None if the workers reported them themselves."""
    inversions: list[Inversion] | None = None
    """Sub-queues that waited longer than one of lower priority; None if that was not judged, as in
    older records."""
    series: Series
    """One row per second: tasks offered, enqueued, started and finished, backlog per sub-queue, p50
    and p99 of e2e, server CPU and memory, and how many cores of the machine were in user mode, in
    the kernel, stolen, or used by others. In ``e2e_p50_s`` and ``e2e_p99_s`` a task counts in the
    second in which it finished."""
    resources: Resources
    """With ``worker_start = after-fill``, the figures of the server and the machine are those of
    the drain."""
    network: NetworkUse | None = None
    """The network that stood between the tasks and the server; None if they connected directly, as
    in older records."""
    clock: ClockInfo
    warmup: Warmup
    slo: list[SloResult]
    """Each objective, its value, and whether it was met."""
    faults: list[FaultOutcome] = []
    """What each fault of the plan did to the tasks, and until when; empty without faults."""
    hiccups: Hiccups | None = None
    """How late a process woke that only slept; None where that was not traced, as in older
    records."""
    canary: Canaries | None = None
    """What fixed pieces of work took before and after the run; None in older records."""
    selftest: SelftestRecord | None = None
    """The self-test of this machine that was attached; None without one, as in older records."""

    @property
    def is_valid(self) -> bool:
        """Whether the figures may be quoted: the verdict is ``valid``."""
        return self.verdict == "valid"


def exit_code(record: RunRecord) -> ExitCode:
    """Returns the exit code of the command that made the record: a guard that ended the run
    outranks an invalid measurement, that a missed objective, and each of them a server on which
    something was left."""
    if record.aborted is not None:
        return ExitCode.ABORTED
    if not record.is_valid:
        return ExitCode.INVALID
    if not all(objective.passed for objective in record.slo):
        return ExitCode.SLO_MISSED
    if any(warning.code == NOT_REMOVED for warning in record.warnings):
        return ExitCode.UNREACHABLE
    return ExitCode.PASSED


def default_path(name: str) -> Path:
    """Returns the default path of the record of a scenario named ``name``, reserved for this run.

    Raises UsageError when it cannot be written.
    """
    return result_files.new_file(name)


_WHAT = "a run record"
FORMATS = "runqy-bench"
"""The prefix of every format name of this project."""


def encode(record: RunRecord) -> bytes:
    """Returns the record as indented JSON, ending in a newline."""
    return formats.encode(record)


def load(path: Path) -> RunRecord:
    """Reads a run record. Raises RecordError for any other file or format version, and for values
    that contradict each other."""
    return _decode(path, formats.read(path))


def load_data(path: Path, data: bytes) -> RunRecord:
    """Reads the content of a file, as ``load`` does."""
    return _decode(path, data)


def format_of(path: Path) -> str:
    """Returns the ``format`` field of a file. Raises RecordError when it is not a JSON object."""
    return _format(path, formats.read(path))


def _format(path: Path, data: bytes) -> str:
    return formats.written_format(path, data, _WHAT)


def _decode(path: Path, data: bytes) -> RunRecord:
    written = _format(path, data)
    if not written.startswith(f"{FORMATS}/"):
        raise RecordError(f"{path}: not {_WHAT}: it has no format that begins {FORMATS}/")
    if written != FORMAT:
        raise RecordError(f"{path}: format {written}; this version of bench reads {FORMAT}")
    loaded = formats.decode(path, data, RunRecord, _WHAT)
    formats.require_plausible(path, loaded, _WHAT)
    problem = next(_contradictions(loaded), None)
    if problem is not None:
        raise RecordError(f"{path}: not {_WHAT}: {problem}")
    return loaded


def _contradictions(record: RunRecord) -> Iterator[str]:
    """What the parts of a record say of each other that cannot be true, each with its place."""
    if total(record.queues.values()) != record.counts:
        yield "$.counts is not the sum of those in $.queues"
    if not timestamps.is_timestamp(record.started_at):
        yield "$.started_at is not a date with a time"
    if problem := _contradiction_in(record.rates.confidence, record.rates):
        yield f"$.rates {problem}"
    columns = len(record.series.columns)
    if any(len(row) != columns for row in record.series.rows):
        yield f"$.series.rows has a row without the {columns} values that $.series.columns names"
    for interval, queues in record.latency.items():
        for queue, summary in queues.items():
            problem = _contradiction_of(summary)
            if problem is not None:
                yield f"$.latency.{interval}.{queue} {problem}"


def _contradiction_of(summary: LatencySummary) -> str | None:
    """What is wrong with a summary in itself, or None."""
    if min(summary.count, summary.negative, summary.overflow) < 0:
        return "has a negative number of samples"
    percentiles = (summary.p50_s, summary.p90_s, summary.p95_s, summary.p99_s, summary.p999_s)
    known = [each for each in (summary.min_s, *percentiles, summary.max_s) if each is not None]
    if known != sorted(known):
        return "has percentiles that are not in ascending order"
    if known and known[0] < 0 and not summary.negative:
        return "has a time below zero, and no negative sample"
    return _contradiction_in(summary.confidence, summary)


def _contradiction_in(
    confidence: Mapping[str, ConfidenceInterval], figures: msgspec.Struct
) -> str | None:
    """What is wrong with the confidence intervals of these figures, or None."""
    for name, interval in confidence.items():
        if interval.withheld:
            continue
        value, low, high = getattr(figures, name, None), interval.low, interval.high
        if value is None or low is None or high is None or not low <= value <= high:
            return f"has a confidence interval of {name} that does not include it"
    return None


@dataclass
class RecordFile:
    """The file of a run's record: saved when the run is measured, and again when it has ended.

    A pipe or a device gets one record: the last one, at the latest when the ``with`` block is left.
    """

    path: Path
    _unsaved: RunRecord | None = None

    def save_measured(self, record: RunRecord) -> None:
        """Save a record that the run's end may still add warnings to. As ``save``."""
        if files.is_stream(self.path):
            self._unsaved = record
        else:
            save(record, self.path)

    def save(self, record: RunRecord) -> None:
        """Save the record of a run that has ended. As the function ``save``."""
        self._unsaved = None
        save(record, self.path)

    def __enter__(self) -> "RecordFile":
        return self

    def __exit__(self, *_: object) -> None:
        if self._unsaved is not None:
            self.save(self._unsaved)


def save(record: RunRecord, path: Path) -> None:
    """Writes the record atomically; a record that cannot be saved there is saved elsewhere.

    Raises UsageError, which then says where, when its folder cannot be written.
    """
    files.save(path, encode(record))
