"""What producers and workers tell the run while it lasts and at its end.

Every report is cumulative and carries a revision number: the newest one of each sender replaces
those before it, so that a report that is lost or comes twice changes nothing.
"""

import msgspec

from bench.measure.bits import Bits
from bench.measure.histogram import Packed
from bench.measure.latency_counts import LatencyCounts
from bench.measure.ledger import ProducerLedger, WorkerLedger
from bench.measure.recorder import Interval, IntervalHistogram, LatencySeries


class MeasuredLatencies(msgspec.Struct):
    """Latencies of one process."""

    parts: list[IntervalHistogram] = []
    series: LatencySeries = msgspec.field(default_factory=LatencySeries)


class ProducerReport(msgspec.Struct, tag="producer", kw_only=True):
    """One producer's state. ``measured`` and the packed sets come with the final one only."""

    number: int
    revision: int = 0
    final: bool = False
    due: int = 0
    sent: int = 0
    enqueued: int = 0
    refused: int = 0
    first_error: str = ""
    reconnects: int = 0
    error: str = ""
    """Why it gave up before the end, or empty."""
    cpu_s: float = 0.0
    busiest_second_cores: float = 0.0
    elapsed_s: float = 0.0
    clock_error_us: float = 0.0
    loop_lag_p99_us: float = 0.0
    """How late an event loop that it shares runs it; zero where it has a process of its own."""
    finished_us: int | None = None
    """When the last reply came, on the run's clock; None while tasks are still to be sent."""
    offered_by_point: list[int] = []
    enqueued_by_point: list[int] = []
    latency_counts: dict[Interval, dict[int, LatencyCounts]] = {}
    """Latencies so far by stage and queue index, where the run asked for them."""
    peak_memory_bytes: int = 0
    measured: MeasuredLatencies = msgspec.field(default_factory=MeasuredLatencies)
    acknowledged: bytes = b""
    refused_set: bytes = b""

    def ledger(self) -> ProducerLedger:
        """The sets of a final report."""
        return ProducerLedger(self.due, self.sent, Bits(self.acknowledged), Bits(self.refused_set))


class ObserverReport(msgspec.Struct, kw_only=True):
    """How completions were seen from outside."""

    method: str
    traced: int = 0
    """Tasks whose completion was looked out for, one by one."""
    unseen: int = 0
    """Of those, ended before they were first looked at, without a due time to count from."""
    counted: int | None = None
    """Successes that the queues' own counters saw meanwhile; None where there are none."""
    is_settled: bool = False
    """Whether every task was asked at the end what became of it."""
    unfinished: dict[str, int] = {}
    """At the end: states of the tasks that had not ended, those on lists included."""
    commands: int = 0
    """What it has asked the server, to be left out of what the tasks cost."""
    widths: Packed | None = None
    """Between the last look at which a task had not ended and the first at which it had, µs."""


class WorkerReport(msgspec.Struct, tag="worker", kw_only=True):
    """One worker's state. The full kind also carries ``measured`` and the packed sets."""

    name: str
    revision: int = 0
    full: bool = False
    final: bool = False
    host: str = ""
    made_us: int = 0
    """When the report was made, on the run's clock."""
    started: int = 0
    completed: int = 0
    failed: int = 0
    waiting_retry: int = 0
    in_flight: int = 0
    """Tasks taken and not yet ended."""
    missing: int = 0
    """Ids popped whose task was not there."""
    cpu_s: float = 0.0
    elapsed_s: float = 0.0
    peak_memory_bytes: int = 0
    clock_error_us: float = 0.0
    started_by_point: list[int] = []
    finished_by_point: list[int] = []
    e2e_by_second: dict[int, Packed] = {}
    latency_counts: dict[Interval, dict[int, LatencyCounts]] = {}
    """Latencies so far by stage and queue index, where the run asked for them."""
    measured: MeasuredLatencies = msgspec.field(default_factory=MeasuredLatencies)
    completed_sets: dict[int, bytes] = {}
    archived_sets: dict[int, bytes] = {}
    waiting_sets: dict[int, bytes] = {}
    """Of an observer: tasks whose next attempt is to come, on a list or not."""
    duplicated: dict[str, int] = {}
    retried: dict[str, int] = {}
    observed: ObserverReport | None = None
    """Of an observer: it stands for workers that do not report."""

    def ledger(self) -> WorkerLedger:
        """The sets of a full report."""
        return WorkerLedger(
            completed={number: Bits(packed) for number, packed in self.completed_sets.items()},
            archived={number: Bits(packed) for number, packed in self.archived_sets.items()},
            duplicated=dict(self.duplicated),
            retried=dict(self.retried),
        )
