"""The reports that producers, workers and observers send during a run and at its end.

Every report is cumulative and carries a revision number. The newest report of a sender replaces its
earlier ones, so a report that is lost or arrives twice changes nothing.
"""

import msgspec

from bench.measure.bits import Bits
from bench.measure.breakdown import SliceBreakdown
from bench.measure.fine_recorder import FineRows
from bench.measure.histogram import Packed
from bench.measure.latency_buckets import BucketCounts
from bench.measure.latency_counts import LatencyCounts
from bench.measure.ledger import ProducerLedger, WorkerLedger
from bench.measure.recorder import Interval, IntervalHistogram, LatencySeries
from bench.measure.send_times import SentSample
from bench.measure.sliced import SlicedLatencies
from bench.measure.unserved import Unserved
from bench.wire.layout_contract import CounterRules


class MeasuredLatencies(msgspec.Struct):
    """Latencies of one process: histograms per slice, interval and queue, a series of means, and
    coarse histograms in narrow slices."""

    parts: list[IntervalHistogram] = []
    series: LatencySeries = msgspec.field(default_factory=LatencySeries)
    narrow: SlicedLatencies = SlicedLatencies()


class ProducerReport(msgspec.Struct, tag="producer", kw_only=True):
    """The state of one producer. Only its final report has ``measured`` and the packed sets."""

    number: int
    revision: int = 0
    final: bool = False
    due: int = 0
    sent: int = 0
    enqueued: int = 0
    refused: int = 0
    not_replicated: dict[int, int] = {}
    """Acknowledged tasks, by queue index, that replicas or files did not acknowledge as asked."""
    first_error: str = ""
    reconnects: int = 0
    redirected: int = 0
    """Times that a node of a cluster refused a task, which was then sent again."""
    error: str = ""
    """Why the producer stopped before the end; empty if it did not."""
    behind_us: int = 0
    """How long the next task has been due, where tasks are due by a schedule: as the report was
    made or, in a final one, as the rest was given up; zero there if nothing was."""
    given_up: int = 0
    """Number of tasks among those due that were not sent, as the time for it was over; only in a
    final report."""
    cpu_s: float = 0.0
    busiest_second_cores: float = 0.0
    elapsed_s: float = 0.0
    clock_error_us: float = 0.0
    clock_offset_us: int | None = None
    """The server's time minus the producer's monotonic time, as it was last measured; None where
    the run has started the producer."""
    clock_offset_error_us: float = 0.0
    """Bound of the error of ``clock_offset_us``."""
    shares_clock: bool = True
    """Whether the producer took its monotonic clock for the run's, because both are on one host;
    the run checks it by the offset."""
    loop_lag_p99_us: float = 0.0
    """How late a shared event loop runs the producer; zero if it has a process of its own."""
    finished_us: int | None = None
    """Time of the last reply on the run's clock; None while tasks are still to be sent."""
    offered_by_bin: list[int] = []
    enqueued_by_bin: list[int] = []
    sent_by_bin: list[int] = []
    """Tasks by the time at which they were sent, in the final report of an open loop."""
    sent_sample: SentSample | None = None
    """When some of the tasks were sent; likewise."""
    latency_counts: dict[Interval, dict[int, LatencyCounts]] = {}
    """Latencies so far by interval and queue index, if the run asked for them."""
    latency_buckets: dict[Interval, dict[int, BucketCounts]] = {}
    """Latencies so far in the buckets of the run's bounds, if it gave any."""
    peak_memory_bytes: int = 0
    measured: MeasuredLatencies = msgspec.field(default_factory=MeasuredLatencies)
    held_us: list[tuple[int, int]] = []
    """When the server took nothing, from the first moment until everything late was sent, in µs
    after the start; only in a final report of a run with faults."""
    own_lag: MeasuredLatencies = msgspec.field(default_factory=MeasuredLatencies)
    """``schedule_lag`` of the tasks that were sent outside of these times; likewise."""
    fine: FineRows | None = None
    """Rows of ten milliseconds, in the final report of a run with faults."""
    acknowledged: bytes = b""
    refused_set: bytes = b""

    def ledger(self) -> ProducerLedger:
        """Returns the producer's ledger, which is complete only in a final report."""
        return ProducerLedger(self.due, self.sent, Bits(self.acknowledged), Bits(self.refused_set))


class ObserverReport(msgspec.Struct, kw_only=True):
    """How an observer saw the completions of workers that do not report."""

    method: str
    traced: int = 0
    """Number of tasks that were queried one by one until they ended."""
    unseen: int = 0
    """Number of traced tasks that ended before their due time could be read."""
    counter_rules: list[CounterRules] = []
    """The rules of the workers that were registered for the queues."""
    leases_expired: int = 0
    """Number of tasks whose lease was seen to have ended."""
    ended_after_lease: dict[str, int] = {}
    """How many of them ended after that, by queue: they were run again, or their worker was
    slow."""
    are_outcomes_known: bool = False
    """Whether the final state of every task was queried at the end."""
    unfinished: dict[str, int] = {}
    """Number of tasks that had not ended by the end, by state, including those on lists."""
    commands: int = 0
    """Commands that the observer sent, which the server's cost per task leaves out."""
    widths: Packed | None = None
    """Histogram, in µs, of the time between the last query in which a task had not ended and the
    first in which it had."""


class WorkerReport(msgspec.Struct, tag="worker", kw_only=True):
    """The state of one worker. Only a full report has ``measured`` and the packed sets."""

    name: str
    revision: int = 0
    full: bool = False
    final: bool = False
    host: str = ""
    made_us: int = 0
    """Time at which the report was made, on the run's clock."""
    started: int = 0
    completed: int = 0
    failed: int = 0
    gone: int = 0
    """Tasks that ended without a trace of how; only an observer counts them."""
    waiting_retry: int = 0
    in_flight: int = 0
    """Tasks taken and not yet ended."""
    missing: int = 0
    """Number of popped ids whose task did not exist."""
    foreign: int = 0
    """Number of tasks that ended on the run's queues and were not the run's."""
    refusals: dict[str, int] = {}
    """Number of commands that the server refused and that were repeated, by the error's code."""
    unserved: dict[Unserved, int] = {}
    """Number of tasks that were taken and could not be served, by the reason."""
    reconnects: int = 0
    cpu_s: float = 0.0
    elapsed_s: float = 0.0
    peak_memory_bytes: int = 0
    clock_error_us: float = 0.0
    """Bound of the error between the worker's stamps and the run's, apart from the run's own."""
    clock_offset_us: int | None = None
    """The server's time minus the worker's monotonic time, as it was just measured; None in the
    report of a worker that the run has started."""
    clock_offset_error_us: float = 0.0
    """Bound of the error of ``clock_offset_us``."""
    shares_clock: bool = True
    """Whether the worker took its monotonic clock for the run's, because both are on one host;
    the run checks it by the offset."""
    started_by_bin: list[int] = []
    finished_by_bin: list[int] = []
    failed_by_bin: list[int] = []
    """Tasks among those finished that failed for good; empty in an observer's report."""
    e2e_by_second: dict[int, Packed] = {}
    latency_counts: dict[Interval, dict[int, LatencyCounts]] = {}
    """Latencies so far by interval and queue index, if the run asked for them."""
    latency_buckets: dict[Interval, dict[int, BucketCounts]] = {}
    """Latencies so far in the buckets of the run's bounds, if it gave any."""
    measured: MeasuredLatencies = msgspec.field(default_factory=MeasuredLatencies)
    fine: FineRows | None = None
    """Rows of ten milliseconds so far, in each report of a run with faults: a worker that is
    killed sends no final one."""
    breakdown: list[SliceBreakdown] = []
    """The parts of the latencies of its tasks; empty in an observer's report."""
    completed_sets: dict[int, bytes] = {}
    archived_sets: dict[int, bytes] = {}
    gone_sets: dict[int, bytes] = {}
    """Tasks that ended without a trace of how, by producer; set by observers only."""
    waiting_sets: dict[int, bytes] = {}
    """Tasks that wait for their next attempt, by producer; set by observers only."""
    duplicated: dict[str, int] = {}
    retried: dict[str, int] = {}
    failed_by_queue: dict[int, int] = {}
    """Tasks that failed for good, by queue index; empty in an observer's report."""
    observed: ObserverReport | None = None
    """What an observer saw; None in the report of a worker that measures itself."""

    @property
    def ended(self) -> int:
        """Number of tasks that have ended, however they did."""
        return self.completed + self.failed + self.gone

    def ledger(self) -> WorkerLedger:
        """Returns the worker's ledger, which is complete only in a full report."""
        return WorkerLedger(
            completed={number: Bits(packed) for number, packed in self.completed_sets.items()},
            archived={number: Bits(packed) for number, packed in self.archived_sets.items()},
            gone={number: Bits(packed) for number, packed in self.gone_sets.items()},
            duplicated=dict(self.duplicated),
            retried=dict(self.retried),
        )
