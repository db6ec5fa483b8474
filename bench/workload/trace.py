"""A trace: when tasks came in on another day, as a CSV file that a run replays.

A trace holds either the rate over time or one row per task. A scenario keeps what a reader must
know of the file, and its hash; the columns are read where they are needed, once in each process.
"""

import functools
import hashlib
import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from bench.arrays import Integers
from bench.errors import ScenarioError
from bench.workload.payload import MIN_SIZE
from bench.workload.schedule import CHUNK, RateStage
from bench.workload.trace_columns import TraceColumns, read_columns

_BIN_S = 0.1
"""Over how long tasks are counted for the highest rate."""


class TraceFile(msgspec.Struct, frozen=True):
    """What is in a trace, at its own speed."""

    file: str
    sha256: str
    kind: Literal["rates", "tasks"]
    tasks: int
    """Number of tasks; 0 for rates."""
    duration_s: float
    mean_per_s: float
    peak_per_s: float
    """The highest rate: of tasks, over a tenth of a second."""
    queues: dict[str, int] = {}
    """Sub-queues with their numbers of tasks, in order of their first; empty without a column."""
    has_sizes: bool = False
    smaller: int = 0
    """Number of tasks whose size is less than that of the smallest payload, which they get."""


def open_trace(path: Path) -> TraceFile:
    """Reads a trace. Raises ScenarioError that names the file, the line and the column."""
    digest, columns = _digest(path), read_columns(path)
    times_s = columns.times_s
    if columns.rates is not None:
        stages = stages_of(columns, path)
        duration_s = float(times_s[-1])
        total = math.fsum(
            each.duration_s * (each.start_per_s + each.end_per_s) / 2 for each in stages
        )
        if not total:
            raise ScenarioError(f"trace {path}: all its rates are zero")
        peak_per_s = float(columns.rates.max())
        return TraceFile(str(path), digest, "rates", 0, duration_s, total / duration_s, peak_per_s)
    count = len(times_s)
    # As long as that many tasks take at their mean rate: the last one is followed by a gap as well.
    duration_s = max(float(times_s[-1]) * count / max(count - 1, 1), 1e-3)
    bins = np.bincount((times_s / _BIN_S).astype(np.int64))
    shares = np.zeros(0) if columns.queues is None else np.bincount(columns.queues)
    return TraceFile(
        *(str(path), digest, "tasks", count, duration_s, count / duration_s),
        peak_per_s=max(float(bins.max()) / _BIN_S, count / duration_s),
        queues=dict(zip(columns.names, map(int, shares), strict=True)),
        has_sizes=columns.sizes is not None,
        smaller=0 if columns.sizes is None else int((columns.sizes < MIN_SIZE).sum()),
    )


def stages_of(columns: TraceColumns, path: Path) -> list[RateStage]:
    """Returns the rates of a trace as ramps from row to row.

    Raises ScenarioError for a trace without rates, or of fewer than two.
    """
    if columns.rates is None:
        raise ScenarioError(f"trace {path}: no column of rates: rate_per_s")
    if len(columns.rates) < 2:
        raise ScenarioError(f"trace {path}: holds fewer than two rows")
    times_s, rates = columns.times_s.tolist(), columns.rates.tolist()
    return [
        RateStage(end_s - begin_s, begin, end)
        for (begin_s, begin), (end_s, end) in pairwise(zip(times_s, rates, strict=True))
    ]


@functools.lru_cache(maxsize=1)
def columns_of(file: str, sha256: str) -> TraceColumns:
    """Returns the columns of a trace that was opened before.

    Raises ScenarioError where the file is not there any more, or another one.
    """
    path = Path(file)
    if _digest(path) != sha256:
        raise ScenarioError(f"trace {file}: it has changed since the run was planned")
    return read_columns(path)


def _digest(path: Path) -> str:
    try:
        if not path.is_file():
            kind = "not a file, and every producer reads it" if path.exists() else "no such file"
            raise ScenarioError(f"trace {path}: {kind}; name a file")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise ScenarioError(f"trace {path}: {reason or error}") from None


def rate_stages(trace: TraceFile, speed: float) -> Sequence[RateStage]:
    """Returns the rates of a trace over time, so many times as fast."""
    columns = columns_of(trace.file, trace.sha256)
    return [
        RateStage(each.duration_s / speed, each.start_per_s * speed, each.end_per_s * speed)
        for each in stages_of(columns, Path(trace.file))
    ]


def traced_tasks(
    trace: TraceFile, speed: float, producer: int, producers: int
) -> Iterator[tuple[Integers, Integers]]:
    """Yields (task numbers (n,), due times in µs from the start (n,)) of one producer, in order.

    Each of several producers sends every n-th task of the trace.
    """
    times_s = columns_of(trace.file, trace.sha256).times_s
    for first in range(producer, len(times_s), CHUNK * producers):
        numbers = np.arange(first, min(first + CHUNK * producers, len(times_s)), producers)
        yield numbers, np.floor(times_s[numbers] / speed * 1e6 + 1e-3).astype(np.int64)


def queues_of_tasks(trace: TraceFile, queues: Sequence[str]) -> tuple[Integers, Integers]:
    """Returns the sub-queue of each task (n,) by its number in the trace, and the index among
    ``queues`` of each such number."""
    columns = columns_of(trace.file, trace.sha256)
    if columns.queues is None:
        raise ValueError("the trace names no sub-queues")
    return columns.queues, np.array([queues.index(name) for name in columns.names], np.int64)


def sizes_of_tasks(trace: TraceFile) -> Integers:
    """Returns the size in bytes of the payload of each task (n,)."""
    columns = columns_of(trace.file, trace.sha256)
    if columns.sizes is None:
        raise ValueError("the trace has no sizes")
    return columns.sizes
