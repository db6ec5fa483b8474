"""The run record: one JSON file with everything that a run found out.

It is the boundary of the project: what is left of it talks to Redis, what is right of it (reports,
exports, comparisons) reads records only.

History of the format:

    runqy-bench/1   the first
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from bench import files
from bench.errors import ExitCode, RecordError
from bench.measure.ledger import Counts
from bench.measure.observation import Observation
from bench.records import formats
from bench.workload.scenario import Scenario

FORMAT = "runqy-bench/1"


class RecordWarning(msgspec.Struct, frozen=True):
    """Something that a reader must know: a code for programs, a sentence for people."""

    code: str
    message: str


class LatencySummary(msgspec.Struct, frozen=True, kw_only=True):
    """One stage of one queue. Times are None without samples."""

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
    """HdrHistogram V2 encoding, in µs, of the samples that are in range."""


class Rates(msgspec.Struct, frozen=True):
    """Tasks a second over the window; asked is None for a closed loop."""

    asked_per_s: float | None
    enqueued_per_s: float | None
    completed_per_s: float | None


class Series(msgspec.Struct, frozen=True):
    """One row an interval."""

    interval_s: float
    columns: list[str]
    rows: list[list[int | float | None]]


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """What the run cost. None where it could not be seen."""

    generator_cpu_cores: float | None = None
    worker_cpu_cores: float | None = None
    server_cpu_cores: float | None = None
    server_cpu_us_per_task: float | None = None
    server_commands_per_task: float | None = None
    server_bytes_per_task: float | None = None
    server_memory_bytes_per_task: float | None = None
    generator_loop_lag_p99_s: float | None = None
    """How late event loops ran their producers, at p99; None where producers share none."""
    harness_memory_bytes: int | None = None
    """Peak of all the harness's processes together."""


class ClockInfo(msgspec.Struct, frozen=True):
    """Whose clock the stamps are on, and how far two processes' readings can differ."""

    domain: str
    error_bound_s: float


class Warmup(msgspec.Struct, frozen=True, kw_only=True):
    """What was left out of the percentiles and rates at the beginning, and how that was decided."""

    method: str
    left_out_s: float
    most_s: float
    tasks: int = 0
    e2e_max_s: float | None = None


class SloResult(msgspec.Struct, frozen=True):
    """One objective, what was measured (None without data), and whether it held."""

    expression: str
    value: float | None
    passed: bool


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """All of a run. Seconds and per-second throughout."""

    format: str = FORMAT
    id: str
    started_at: str
    duration_s: float
    window_s: float
    command: str
    scenario: Scenario
    environment: dict[str, object]
    server: dict[str, object]
    verdict: str
    warnings: list[RecordWarning]
    attribution: str
    counts: Counts
    queues: dict[str, Counts]
    rates: Rates
    latency: dict[str, dict[str, LatencySummary]]
    observation: Observation | None = None
    """Where workers tell nothing; None where they measured themselves."""
    series: Series
    resources: Resources
    clock: ClockInfo
    warmup: Warmup
    slo: list[SloResult]


def exit_code(record: RunRecord) -> ExitCode:
    """What a process that made it returns: an invalid measurement outranks a missed objective."""
    if record.verdict != "valid":
        return ExitCode.INVALID
    if not all(objective.passed for objective in record.slo):
        return ExitCode.SLO_MISSED
    return ExitCode.PASSED


def default_path(name: str) -> Path:
    """Where the record of a scenario of that name goes when nobody says."""
    return files.RESULTS / f"{files.stamped_name(name)}.json"


class _FormatOnly(msgspec.Struct):
    format: str = ""


FORMATS = "runqy-bench"
"""What every format of this project begins with."""


def encode(record: RunRecord) -> bytes:
    """The record as JSON text that people can read too."""
    return formats.encode(record)


def load(path: Path) -> RunRecord:
    """Read a record. Raises RecordError when the file is none, or of another format version."""
    return _decode(path, _read(path))


def load_all(paths: Iterable[Path]) -> list[RunRecord]:
    """Read records by name, and all those in folders; what else the project keeps in a folder is
    passed over.

    Raises RecordError for a file that is none, and for a folder that has none.
    """
    found: list[RunRecord] = []
    for path in paths:
        found.extend(_in_folder(path) if path.is_dir() else [load(path)])
    return found


def format_of(path: Path) -> str:
    """The format that a file says it is of. Raises RecordError when it is no JSON object."""
    return _format(path, _read(path))


def _in_folder(folder: Path) -> list[RunRecord]:
    found = []
    for path in sorted(folder.glob("*.json")):
        data = _read(path)
        written = _format(path, data)
        if written.startswith(FORMATS) and not written.startswith(f"{FORMATS}/"):
            continue
        found.append(_decode(path, data))
    if not found:
        raise RecordError(f"{folder}: there is no run record in this folder")
    return found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path}: {error.strerror or error}") from None


def _format(path: Path, data: bytes) -> str:
    try:
        return msgspec.json.decode(data, type=_FormatOnly).format
    except msgspec.MsgspecError as error:
        raise RecordError(f"{path}: not a run record: {error}") from None


def _decode(path: Path, data: bytes) -> RunRecord:
    written = _format(path, data)
    if not written.startswith(f"{FORMATS}/"):
        raise RecordError(f"{path}: not a run record: it has no format that begins {FORMATS}/")
    if written != FORMAT:
        raise RecordError(f"{path}: format {written}; this version of bench reads {FORMAT}")
    try:
        return msgspec.json.decode(data, type=RunRecord)
    except msgspec.MsgspecError as error:
        raise RecordError(f"{path}: not a run record: {error}") from None


def save(record: RunRecord, path: Path) -> None:
    """Write it whole or not at all. Raises UsageError when the folder cannot be written."""
    files.write_whole(path, encode(record))
