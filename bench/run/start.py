"""The second phase of a run: every process gets the same time line."""

import datetime
from dataclasses import dataclass

from bench.clock import host_identity
from bench.ipc import remote
from bench.ipc.messages import Begin
from bench.measure.window import TimeLine, time_line
from bench.redisio.connection import translated_errors
from bench.run.prepare import PreparedRun

START_DELAY_US, MOST_START_DELAY_US = 100_000, 300_000
"""From the message to begin until the first task is due: enough for every process to receive it and
to make its schedule, at the least; and across hosts, in Locust's processes or with an observer,
which must watch by then, at the most. Measured on two cores with four busy processes: 20 to 85 ms.
What is sent late for all that is counted as late."""
_CONNECTION_US = 1_000
"""What each connection of a worker may add, which it opens after that message."""


@dataclass(frozen=True)
class ActiveRun:
    """A run that has begun."""

    prepared: PreparedRun
    line: TimeLine
    started_at: str
    """UTC, ISO 8601, with milliseconds."""

    def offset_us(self) -> int:
        """Time since the run's start, in µs; negative before it."""
        return self.prepared.clock.now_us() - self.line.start_us


def start(prepared: PreparedRun) -> ActiveRun:
    """Send the time line to all processes, and announce it to workers elsewhere.

    Raises ServerUnreachable where the announcement cannot be written, and MeasurementError where
    the run's network does not work.
    """
    if prepared.network is not None:
        prepared.network.begin()
    started_at = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    scenario = prepared.scenario
    line = time_line(
        prepared.clock.now_us() + _delay_us(prepared), scenario.warmup_s, scenario.most_warmup_s
    )
    if scenario.external_workers:
        _announce(prepared, line)
    prepared.watch.begin(line, prepared.offset.offset_us)
    for producer in prepared.fleet.producers:
        producer.send(Begin(line))
    prepared.workers.begin(line)
    return ActiveRun(prepared, line, started_at)


def _delay_us(prepared: PreparedRun) -> int:
    """How far ahead the run starts, in µs."""
    scenario = prepared.scenario
    if scenario.external_workers or scenario.is_observed or not prepared.fleet.is_local:
        return MOST_START_DELAY_US
    connections = scenario.concurrency if scenario.has_workers else 0
    return min(START_DELAY_US + connections * _CONNECTION_US, MOST_START_DELAY_US)


def _announce(prepared: PreparedRun, line: TimeLine) -> None:
    info = remote.RunInfo(
        line=line,
        queues=list(prepared.scenario.queues),
        host=host_identity(),
        offset_us=prepared.offset.offset_us,
        with_latency_counts=prepared.request.with_latency_counts,
        latency_bounds_us=prepared.request.latency_bounds_us,
        fine_objectives=prepared.scenario.fine_objectives,
    )
    with translated_errors(prepared.request.url):
        remote.announce(prepared.client, prepared.run_id, info)
    prepared.marker.keep(remote.info_key(prepared.run_id))
