"""Connects a run with workers on other hosts, through keys in Redis.

    bench:{run}:info             string   MessagePack ``RunInfo``, written by the run
    bench:{run}:workers          set      names of the workers that report
    bench:{run}:worker:{name}    string   MessagePack ``WorkerReport``, cumulative

All of them expire. The run renews its announcement while it lasts, workers renew what they write
with each report, and the run deletes all of them at its end.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

import msgspec
import redis

from bench.measure.histogram import HIGHEST_US
from bench.measure.report_checks import MOST, ReportLimits, require_readable
from bench.measure.reports import WorkerReport
from bench.measure.window import TimeLine
from bench.redisio.marker import EXPIRE_S
from bench.wire.ids import run_text

_MOST_PARTS = 10_000
"""Queues, and slices of the time line, that an announcement may have."""
Message = TypeVar("Message")


class RunInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker needs to measure a run's tasks on the run's time line."""

    line: TimeLine
    queues: list[str]
    host: str
    """Identity of the run's host. A worker on the same host shares its clock."""
    offset_us: int
    with_latency_counts: bool = False
    """Whether reports carry the latency counts of a live display."""
    latency_bounds_us: tuple[int, ...] = ()
    """Bounds of the buckets in which reports carry latencies; none without them."""
    fine_objectives: tuple[str, ...] | None = None
    """As in ``Scenario``."""


def info_key(run: int) -> str:
    """``bench:{run}:info``."""
    return f"bench:{run_text(run)}:info"


def workers_key(run: int) -> str:
    """``bench:{run}:workers``."""
    return f"bench:{run_text(run)}:workers"


def worker_key(run: int, name: str) -> str:
    """``bench:{run}:worker:{name}``."""
    return f"bench:{run_text(run)}:worker:{name}"


def announce(client: redis.Redis, run: int, info: RunInfo) -> None:
    """Announce a run to workers. Raises redis-py's errors."""
    client.set(info_key(run), msgspec.msgpack.encode(info), ex=EXPIRE_S)


def find(client: redis.Redis, runs: Sequence[int]) -> dict[int, RunInfo]:
    """The announcements of those runs that have one of this version, with one request. Raises
    redis-py's errors."""
    found = client.mget([info_key(run) for run in runs]) if runs else []
    infos = {run: _decoded(data, RunInfo) for run, data in zip(runs, found, strict=True)}
    return {run: info for run, info in infos.items() if info is not None and _can_be_measured(info)}


def publish(client: redis.Redis, run: int, report: WorkerReport) -> None:
    """Write a worker's newest report for the run to collect. Raises redis-py's errors."""
    with client.pipeline(transaction=False) as pipeline:
        pipeline.set(worker_key(run, report.name), msgspec.msgpack.encode(report), ex=EXPIRE_S)
        pipeline.sadd(workers_key(run), report.name)
        pipeline.expire(workers_key(run), EXPIRE_S)
        pipeline.execute()


def is_on(client: redis.Redis, run: int) -> bool:
    """Whether the run still collects reports. Raises redis-py's errors."""
    return bool(client.exists(info_key(run)))


@dataclass(frozen=True)
class FoundReports:
    """The newest reports of a run's workers."""

    reports: list[WorkerReport]
    """Those that can be shown while the run lasts; ``require_whole`` checks the rest of them."""
    unreadable: dict[str, str]
    """By the name of their worker, why others are left out."""


def collect(client: redis.Redis, run: int, limits: ReportLimits) -> FoundReports:
    """The newest report of every worker. Raises redis-py's errors."""
    found = FoundReports([], {})
    names = _names(client, run)
    values = client.mget([worker_key(run, name) for name in names]) if names else []
    for name, data in zip(names, values, strict=True):
        if data is None:  # it has expired, as its worker has ended long ago
            continue
        report = _decoded(data, WorkerReport)
        try:
            if report is None or report.name != name:
                raise ValueError("it is not one of a worker of this version")
            require_readable(report, limits)
        except ValueError as error:
            found.unreadable[name] = str(error)
        else:
            found.reports.append(report)
    return found


def remove(client: redis.Redis, run: int) -> None:
    """Delete all keys of a run and its workers. Raises redis-py's errors."""
    names = _names(client, run)
    client.delete(info_key(run), workers_key(run), *(worker_key(run, name) for name in names))


def _names(client: redis.Redis, run: int) -> list[str]:
    names = cast(Iterable[bytes], client.smembers(workers_key(run)))
    return sorted(name.decode(errors="replace") for name in names)


def _can_be_measured(info: RunInfo) -> bool:
    """Whether the numbers of an announcement are within bounds."""
    edges_us = info.line.edges_us
    return (
        max(len(edges_us), len(info.queues), len(info.latency_bounds_us)) <= _MOST_PARTS
        and all(0 <= each <= HIGHEST_US for each in info.latency_bounds_us)
        and list(edges_us) == sorted({*edges_us})
        and all(0 <= each <= MOST for each in (info.line.start_us, *edges_us))
        and abs(info.offset_us) <= MOST
    )


def _decoded(data: object, kind: type[Message]) -> Message | None:
    """A message that was found in Redis; None where there is none that this version reads."""
    if not isinstance(data, bytes):
        return None
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return None
