"""The run record: one JSON file with everything that a run found out.

It is the boundary of the project: what is left of it talks to Redis, what is right of it (reports,
exports, comparisons) reads records only.

History of the format:

    runqy-bench/1   the first
"""

import contextlib
import datetime
import errno
import os
import re
import tempfile
from pathlib import Path

import msgspec

from bench.errors import ExitCode, RecordError, UsageError
from bench.measure.ledger import Counts
from bench.workload.scenario import Scenario

FORMAT = "runqy-bench/1"


class Warning_(msgspec.Struct, frozen=True):  # noqa: N801 - Warning is a builtin
    """Something that a reader must know: a code for programs, a sentence for people."""

    code: str
    message: str


class StageSummary(msgspec.Struct, frozen=True, kw_only=True):
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
    warnings: list[Warning_]
    attribution: str
    counts: Counts
    queues: dict[str, Counts]
    rates: Rates
    latency: dict[str, dict[str, StageSummary]]
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
    moment = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    safe = re.sub(r"[^\w.-]+", "-", name)  # a name is no path
    return Path("results") / f"{moment}-{safe}.json"


class _FormatOnly(msgspec.Struct):
    format: str = ""


def encode(record: RunRecord) -> bytes:
    """The record as JSON text that people can read too."""
    return msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"


def load(path: Path) -> RunRecord:
    """Read a record. Raises RecordError when the file is none, or of another format version."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path}: {error.strerror or error}") from None
    try:
        written = msgspec.json.decode(data, type=_FormatOnly).format
        if written == FORMAT:
            return msgspec.json.decode(data, type=RunRecord)
    except msgspec.MsgspecError as error:
        raise RecordError(f"{path}: not a run record: {error}") from None
    if not written.startswith("runqy-bench/"):
        raise RecordError(f"{path}: not a run record: it has no format that begins runqy-bench/")
    raise RecordError(f"{path}: format {written}; this version of bench reads {FORMAT}")


def save(record: RunRecord, path: Path) -> None:
    """Write to a temporary file beside ``path``, sync it, and rename it.

    A reader never sees half a record. Raises UsageError when the folder cannot be written.
    """
    try:
        _make_folder(path.parent)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(encode(record))
                file.flush()
                os.fsync(file.fileno())
            umask = os.umask(0)
            os.umask(umask)
            Path(temporary).chmod(0o666 & ~umask)
            Path(temporary).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from None


def require_writable(path: Path) -> None:
    """Find out before a run, rather than after it, that its record could not be written.

    Raises UsageError.
    """
    if path.is_dir():
        raise UsageError(f"cannot write {path}: it is a folder; name a file")
    try:
        _make_folder(path.parent)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:  # mkdir's own words would suggest the contrary
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), folder) from None
