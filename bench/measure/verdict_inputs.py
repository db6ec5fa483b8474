"""What the rules of the verdict examine and what they yield."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from bench import units
from bench.measure.leases import Leases
from bench.measure.ledger import Counts
from bench.measure.priorities import Inversion
from bench.wire.layout_contract import CounterRules


class Verdict(StrEnum):
    """Whether a run may be quoted, in order from best to worst."""

    VALID = "valid"
    UNSTABLE = "unstable"
    GENERATOR_LIMITED = "generator_limited"
    LOSSY = "lossy"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True)
class VerdictReason:
    """One warning and the verdict that it causes; None for a warning that leaves the run valid."""

    code: str
    message: str
    verdict: Verdict | None = None


@dataclass(frozen=True, kw_only=True)
class VerdictInputs:
    """The figures of a run that the rules examine."""

    counts: Counts
    is_closed_loop: bool
    expects_completions: bool
    watches_backlog: bool
    """Whether a growing backlog means that workers do not keep up."""
    lag_p99_s: float | None
    asked_per_s: float | None
    backlog: Sequence[float]
    """Tasks pending at each second of the window."""
    interruptions: Sequence[str]
    """Sentences that say why the run ended early or lacks a part."""
    drain_timed_out: bool
    leases: Leases | None = None
    """Leases on tasks when the drain timed out; None without any."""
    drain_timeout_s: float = 0.0
    needed_drain_s: float = 0.0
    """How long the drain would have to be for the tasks on lease to be run again."""
    negative_latencies: int
    overflowed_latencies: int
    missing_tasks: int
    first_error: str
    reconnects: int
    loop_lag_p99_s: float | None = None
    """p99 of how late a shared event loop ran its producers; None if no event loop was shared."""
    is_steady: bool
    most_warmup_s: float
    lost_data: str = ""
    """What the server did to its data during the run, as a predicate such as ``was flushed``."""
    are_outcomes_known: bool = True
    """Whether the final state of every task could be read at the end."""
    layout_note: str = ""
    """A sentence where another layout lives on the server; empty if none does."""
    looked_up: Counts | None = None
    """Tasks of which only Redis has shown how they ended, as processes died; None if none did."""
    seen_by: str | None = None
    """What shows the end of a task, ``state`` or ``result``; None if workers report it."""
    ends_seen: int = 0
    """Number of traced tasks that were seen to end."""
    awaits_reports: bool = False
    """Whether workers on other hosts were expected to report and none did."""
    unfinished: Mapping[str, int] = field(default_factory=dict)
    """Number of tasks, by state, that were on no list at the end and had not ended, as observed
    from outside the workers."""
    counter_rules: CounterRules | None = None
    """By whose rules the queues' own counters were read; None if they were not."""
    counter_excess: int = 0
    """Ends that the counters have beyond the tasks that ended; negative where some are missing."""
    inversions: list[Inversion] | None = None
    """Sub-queues that waited longer than one of lower priority; None if that was not judged."""
    is_drain: bool = False
    """Whether workers started only when everything was enqueued."""


def quantity(count: int, singular: str, plural: str = "") -> str:
    """Returns a count with its noun: ``1 task``, ``2 tasks``."""
    return f"{units.format_count(count)} {singular if count == 1 else plural or singular + 's'}"


def server_error_or(inputs: VerdictInputs, otherwise: str) -> str:
    """The rest of a sentence about tasks not enqueued: the server's error, or ``otherwise``."""
    if not inputs.first_error:
        return otherwise
    return f", because the server replied {inputs.first_error!r}: resolve that error and run again"
