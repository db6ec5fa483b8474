"""The messages between a run and the processes that it starts."""

import msgspec

from bench.measure.reports import ProducerReport, WorkerReport
from bench.measure.window import TimeLine
from bench.workload.scenario import Scenario


class StartProducer(msgspec.Struct, frozen=True, tag="produce"):
    """Makes the child producer ``number`` of a run."""

    url: str
    scenario: Scenario
    run: int
    number: int
    offset_us: int
    """From the host's monotonic clock to the run's clock."""
    with_latency_counts: bool = False
    """Whether reports carry the latency counts of a live display."""
    progress_board: str | None = None
    """File of the ProgressBoard to write to; None where the run cannot read it."""
    latency_bounds_us: tuple[int, ...] = ()
    """Bounds of the buckets in which reports carry latencies; none without them."""
    cores: tuple[int, ...] = ()
    """The cores that the process may use; none for all."""


class StartObserver(msgspec.Struct, frozen=True, tag="observe", kw_only=True):
    """Makes the child the observer of tasks that are finished by workers without reports."""

    url: str
    name: str
    scenario: Scenario
    run: int
    offset_us: int
    progress_board: str
    by_events: bool
    """Whether completions are found by keyspace events; else by polling."""
    latency_bounds_us: tuple[int, ...] = ()
    """Bounds of the buckets in which reports carry latencies; none without them."""


class StartWorker(msgspec.Struct, frozen=True, tag="work", kw_only=True):
    """Makes the child a worker that serves the scenario's queues until ``Stop``."""

    url: str
    name: str
    scenario: Scenario
    run: int
    """The run whose tasks are reported."""
    offset_us: int
    with_latency_counts: bool = False
    latency_bounds_us: tuple[int, ...] = ()
    """Bounds of the buckets in which reports carry latencies; none without them."""
    cores: tuple[int, ...] = ()
    """The cores that the process may use; none for all."""


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The child's first message: it is connected and waits for ``Begin``."""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The child's last message when it cannot continue: the error's one line and exit code."""

    message: str
    exit_code: int


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """Begins the child's work on a time line."""

    line: TimeLine


class SendReport(msgspec.Struct, frozen=True, tag="report"):
    """Asks a worker for a report at once: the run waits for what it will say."""


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """Ends the child's work; it sends its final report."""


StartMessage = StartProducer | StartWorker | StartObserver
"""The first message to a child: its part in the run, and the server's URL with its password."""

ParentMessage = StartMessage | Begin | SendReport | Stop
"""From the run to a child."""

ChildMessage = Ready | Failed | ProducerReport | WorkerReport
"""From a child to the run."""
