"""The phases of a Locust process as a producer: idle, present, assigned, producing, finished.

Each is a frozen value that holds everything there is in its phase.
"""

import contextlib
from dataclasses import dataclass

from bench.clock import Offset, RunClock, host_identity
from bench.errors import BenchError
from bench.ipc.messages import StartProducer
from bench.locust.alarm import Alarm
from bench.locust.messages import Assignment
from bench.locust.shared_feed import TICK_US, SharedFeed
from bench.measure.fine_recorder import fine_recorder
from bench.measure.reports import ProducerReport
from bench.measure.send_times import SendTimes
from bench.measure.window import TimeLine
from bench.producer.recorder import ProducerRecorder
from bench.producer.reporter import ProducerReporter
from bench.redisio import clock_sync, tls
from bench.redisio.cluster.layouts import refuse_cluster
from bench.redisio.connection import open_client, translated_errors
from bench.wire.frame_renderer import FrameRenderer
from bench.workload.feed import Feed
from bench.workload.overrun import Overrun
from bench.workload.scenario import Scenario


@dataclass(frozen=True)
class Idle:
    """Locust has given the process no user yet."""


@dataclass(frozen=True)
class Registered:
    """The coordinator knows of the process, which waits for its assignment."""


@dataclass(frozen=True)
class Assigned:
    """The process is one of the run's producers, and waits for the time line."""

    start: StartProducer
    url: str
    """This process's own way to the server."""
    mapped: Offset | None
    """Its own mapping to the server's clock; None where it is the coordinator's process."""
    shares_clock: bool
    """Whether it uses the coordinator's mapping, as one of the same host."""
    clock: RunClock
    feed: Feed
    renderer: FrameRenderer

    @property
    def scenario(self) -> Scenario:
        """The scenario of the run."""
        return self.start.scenario


@dataclass(frozen=True)
class Producing:
    """The run has begun for the process."""

    assigned: Assigned
    start_us: int
    batches: SharedFeed
    recorder: ProducerRecorder
    reporter: ProducerReporter
    alarm: Alarm


@dataclass(frozen=True)
class Finished:
    """Everything was sent and reported."""

    producing: Producing
    report: ProducerReport


Phase = Idle | Registered | Assigned | Producing | Finished


def assign(assignment: Assignment, own_url: str | None) -> Assigned:
    """Map the clock, and prepare everything that can be before the run begins.

    Raises ServerUnreachable, and ScenarioError when a payload file cannot be used.
    """
    start = assignment.start
    scenario = start.scenario
    url = start.url if own_url is None else tls.with_variables(own_url)
    is_same_host = bool(assignment.host) and assignment.host == host_identity()
    shares_clock = is_same_host or assignment.is_same_process
    mapped: Offset | None = None
    refuse_cluster(url, "Locust's processes keep")
    with open_client(url) as client, translated_errors(url):
        if not assignment.is_same_process:
            mapped = clock_sync.measure_offset(client)
    return Assigned(
        start=start,
        url=url,
        mapped=mapped,
        shares_clock=shares_clock,
        clock=RunClock(start.offset_us if mapped is None or shares_clock else mapped.offset_us),
        feed=Feed(scenario, start.number),
        renderer=FrameRenderer(
            scenario.wire_layout,
            list(scenario.queues),
            start.run,
            start.number,
            scenario.max_retry,
            by_command=scenario.is_closed_loop,
        ),
    )


def begin(assigned: Assigned, line: TimeLine) -> Producing:
    """The state of a producer on the run's time line."""
    scenario = assigned.scenario
    end_us: int | None = None
    if scenario.is_closed_loop and scenario.duration_s is not None:
        end_us = line.start_us + round(scenario.duration_s * 1e6)
    fine = fine_recorder(scenario.fine_objectives, scenario.queues)
    send_times = SendTimes.of(scenario, assigned.start.number, TICK_US, line.start_us)
    recorder = ProducerRecorder(line, scenario.is_closed_loop, fine, send_times=send_times)
    return Producing(
        assigned=assigned,
        start_us=line.start_us,
        batches=SharedFeed(
            assigned.feed,
            line.start_us,
            end_us,
            Overrun.of(scenario),
            is_closed_loop=scenario.is_closed_loop,
        ),
        recorder=recorder,
        reporter=ProducerReporter(
            assigned.start.number, recorder, latency_bounds_us=assigned.start.latency_bounds_us
        ),
        alarm=Alarm(assigned.clock),
    )


def note_clock(report: ProducerReport, assigned: Assigned) -> None:
    """Enter into a final report how the process's clock is mapped now, and the bound of the error
    of its stamps by both mappings: zero where they are in the coordinator's clock.

    Where the server is gone, the mapping is the one of the beginning, and the drift is not known.
    """
    mapped = assigned.mapped
    if mapped is None:
        return
    now = mapped
    with (
        contextlib.suppress(BenchError),
        open_client(assigned.url) as client,
        translated_errors(assigned.url),
    ):
        now = clock_sync.measure_offset(client)
    report.clock_offset_us, report.clock_offset_error_us = now.offset_us, now.error_us
    report.shares_clock = assigned.shares_clock
    if not assigned.shares_clock:
        apart_us = abs(now.offset_us - mapped.offset_us)
        report.clock_error_us = max(mapped.error_us, apart_us + now.error_us)
