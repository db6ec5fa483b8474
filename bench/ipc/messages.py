"""What a run and the processes that it starts say to each other."""

import msgspec

from bench.measure.reports import ProducerReport, WorkerReport
from bench.measure.window import TimeLine
from bench.workload.scenario import Scenario


class StartProducer(msgspec.Struct, frozen=True, tag="produce"):
    """Be producer ``number`` of this run."""

    url: str
    scenario: Scenario
    run: int
    number: int
    offset_us: int
    """From the host's monotonic clock to the run's clock."""
    with_latency_counts: bool = False
    """Whether reports should carry them."""
    progress_board: str | None = None
    """The file of a board to note progress on, where somebody looks at it."""


class StartObserver(msgspec.Struct, frozen=True, tag="observe", kw_only=True):
    """Watch this run's tasks being finished by workers that say nothing themselves."""

    url: str
    name: str
    scenario: Scenario
    run: int
    offset_us: int
    progress_board: str
    by_events: bool
    """Whether the server tells of changes; else tasks are looked at in turn."""


class StartWorker(msgspec.Struct, frozen=True, tag="work", kw_only=True):
    """Serve these queues until told to stop."""

    url: str
    name: str
    scenario: Scenario
    run: int
    """Whose tasks to report on."""
    offset_us: int
    with_latency_counts: bool = False


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The child's first message: connected, and waiting to begin."""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The child's last message when it cannot go on: one line, and the exit code it means."""

    message: str
    exit_code: int


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """Begin on this time line."""

    line: TimeLine


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """Come to an end, and send the final report."""


StartMessage = StartProducer | StartWorker | StartObserver
"""The first message to a child: what it is, and the server with its password."""

ParentMessage = StartMessage | Begin | Stop
"""From the run to a child."""

ChildMessage = Ready | Failed | ProducerReport | WorkerReport
"""From a child to the run."""
