"""Whether a run may be quoted. Decided here once; every report only prints it.

Each rule yields a warning with its reason, and the verdict that follows from it. The worst wins.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from bench import units
from bench.measure.ledger import Counts

ENQUEUED_SHARE = 0.99
LAG_LIMIT_S = 0.010
"""p99 of schedule_lag past which the generator was too late to be believed."""
LOOP_LAG_LIMIT_S = 0.010
"""p99 of an event loop's lateness past which a reader should know of it."""
SATURATED_CORES = 0.95
GROWTH_SHARE = 0.01
"""Growth of the backlog, as a share of the offered rate, from which it counts as growing."""
SHORT_GROWTH_SHARE = 0.10
"""The same where there are too few rows for a slope."""
_FEWEST_BACKLOG_ROWS = 5
_MOST_BACKLOG_ROWS = 400


class Verdict(StrEnum):
    """From good to worst."""

    VALID = "valid"
    UNSTABLE = "unstable"
    GENERATOR_LIMITED = "generator_limited"
    LOSSY = "lossy"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True)
class VerdictReason:
    """One warning, and the verdict that it means; None for a warning that changes nothing."""

    code: str
    message: str
    verdict: Verdict | None = None


@dataclass(frozen=True, kw_only=True)
class VerdictInputs:
    """What the rules look at."""

    counts: Counts
    is_closed_loop: bool
    expects_completions: bool
    watches_backlog: bool
    """Whether a growing backlog would mean that workers do not keep up."""
    busiest_producer_cores: float
    lag_p99_s: float | None
    asked_per_s: float | None
    backlog: Sequence[float]
    """Tasks pending at each second of the window."""
    interruptions: Sequence[str]
    """Why the run ended early or lacks a part, in words."""
    drain_timed_out: bool
    negative_latencies: int
    overflown_latencies: int
    missing_tasks: int
    first_error: str
    reconnects: int
    loop_lag_p99_s: float | None = None
    """How late event loops ran their producers, where producers share one."""
    is_steady: bool
    most_warmup_s: float
    lost_data: str = ""
    """What the server did to its data during the run, in words."""
    is_fate_known: bool = True
    """Whether it could be found out at the end what became of the tasks."""
    seen_by: str | None = None
    """What shows a task's end, where it is looked for from outside."""
    ends_seen: int = 0
    """How many traced tasks were seen to end."""
    awaits_reports: bool = False
    """Whether workers elsewhere were to report, and none has."""
    unfinished: Mapping[str, int] = field(default_factory=dict)
    """From outside: states of tasks that were on no list at the end and had not ended."""
    counted_successes: int | None = None
    """What the queues' own counters say, where completions were seen from outside."""


def judge(facts: VerdictInputs) -> tuple[Verdict, list[VerdictReason]]:
    """The verdict, and everything that a reader must know, the gravest first."""
    order = list(Verdict)
    findings = sorted(
        [
            *_incomplete(facts),
            *_lossy(facts),
            *_generator(facts),
            *_unstable(facts),
            *_notes(facts),
        ],
        key=lambda finding: -order.index(finding.verdict or Verdict.VALID),
    )
    verdict = findings[0].verdict if findings else None
    return verdict or Verdict.VALID, findings


def _incomplete(facts: VerdictInputs) -> Iterator[VerdictReason]:
    for reason in facts.interruptions:
        yield VerdictReason("incomplete", reason, Verdict.INCOMPLETE)
    counts = facts.counts
    if facts.lost_data:
        yield VerdictReason(
            "server_lost_data",
            f"the server {facts.lost_data} during the run: what became of its tasks is not known",
            Verdict.INCOMPLETE,
        )
    if not facts.is_fate_known:
        yield VerdictReason(
            "fate_unknown",
            "the tasks could not be asked at the end what became of them: completed and lost in "
            "the ledger are not known",
            Verdict.INCOMPLETE,
        )
        return
    has_completions = bool(counts.completed + counts.failed)
    if facts.drain_timed_out and has_completions:
        left = counts.pending + counts.active
        yield VerdictReason(
            "drain_timed_out",
            f"{units.format_count(left)} tasks were still waiting or active when the time to drain "
            "was over: offer less, add workers, or raise --drain-timeout",
            Verdict.INCOMPLETE,
        )
    if facts.expects_completions and counts.enqueued and not has_completions:
        yield VerdictReason("no_completions", _nobody(facts), Verdict.INCOMPLETE)
    if not counts.enqueued:
        yield VerdictReason(
            "nothing_enqueued",
            f"no task was enqueued{_because(facts.first_error)}",
            Verdict.INCOMPLETE,
        )


def _nobody(facts: VerdictInputs) -> str:
    """Why no task was finished."""
    counts = facts.counts
    taken = counts.enqueued - counts.pending
    if facts.seen_by is not None and taken:
        other = "result" if facts.seen_by == "state" else "state"
        return (
            f"{units.format_count(taken)} tasks were taken from their queues, and none shows by "
            f"its {facts.seen_by} that it was finished{_hashes(facts)}: if the worker does finish "
            f"them, say --seen-by {other}, or let it write what is looked for (docs/external.md)"
        )
    if facts.awaits_reports and taken:
        return (
            "no 'bench worker' reported on these tasks, though they were taken from their queues: "
            "for anybody else's worker say --worker external"
        )
    return "no task was finished: no worker served these queues; check that one runs for them"


def _hashes(facts: VerdictInputs) -> str:
    """What the hashes of tasks say that were not seen to end; empty where nothing is known."""
    said = ", ".join(
        f"{state} {units.format_count(count)}" for state, count in facts.unfinished.items()
    )
    return f" (their hashes say: {said})" if said else ""


def _lossy(facts: VerdictInputs) -> Iterator[VerdictReason]:
    counts = facts.counts
    if counts.lost and facts.is_fate_known:
        why = (
            f"; workers popped {units.format_count(facts.missing_tasks)} ids that had no task "
            "behind them"
            if facts.missing_tasks
            else ""
        )
        yield VerdictReason(
            "lost",
            f"{units.format_count(counts.lost)} tasks were enqueued and are nowhere: "
            f"not finished, pending or active{why}{_hashes(facts)}",
            Verdict.LOSSY,
        )
    if counts.duplicated:
        yield VerdictReason(
            "duplicated",
            f"{units.format_count(counts.duplicated)} times a task was finished that had been "
            "finished before: something enqueues or takes tasks twice",
            Verdict.LOSSY,
        )
    if counts.unknown:
        yield VerdictReason(
            "unknown",
            f"{units.format_count(counts.unknown)} tasks were sent and never answered: the "
            "connection was lost, or the server dropped replies",
            Verdict.LOSSY,
        )


def _generator(facts: VerdictInputs) -> Iterator[VerdictReason]:
    counts = facts.counts
    if counts.enqueued < ENQUEUED_SHARE * counts.due:
        yield VerdictReason(
            "enqueued_too_few",
            f"only {counts.enqueued / counts.due:.1%} of the due tasks were enqueued"
            f"{_because(facts.first_error)}",
            Verdict.GENERATOR_LIMITED,
        )
    if facts.lag_p99_s is not None and facts.lag_p99_s > LAG_LIMIT_S:
        yield VerdictReason(
            "schedule_lag",
            f"p99 of schedule_lag is {units.format_duration(facts.lag_p99_s)}, over the limit of "
            f"{units.format_duration(LAG_LIMIT_S)}: tasks left late because the generator or the "
            "server's socket did not keep up; lower the rate, add --producers, or free a core",
            Verdict.GENERATOR_LIMITED,
        )
    if not facts.is_closed_loop and facts.busiest_producer_cores >= SATURATED_CORES:
        yield VerdictReason(
            "producer_saturated",
            f"a producer used {facts.busiest_producer_cores:.2f} of its core in one second: it "
            "may have been the limit; add --producers",
            Verdict.GENERATOR_LIMITED,
        )


def _unstable(facts: VerdictInputs) -> Iterator[VerdictReason]:
    if not facts.watches_backlog or not facts.asked_per_s:
        return
    growth = backlog_growth(facts.backlog)
    limit = GROWTH_SHARE
    if growth is None:
        growth, limit = short_growth(facts.backlog), SHORT_GROWTH_SHARE
    if growth is not None and growth > limit * facts.asked_per_s:
        yield VerdictReason(
            "backlog_grows",
            f"the backlog grew by {units.format_rate(growth)} through the window: workers do not "
            "keep up, and latency depends on when one stops looking; offer less or add workers",
            Verdict.UNSTABLE,
        )


def backlog_growth(backlog: Sequence[float]) -> float | None:
    """Tasks a second by which a backlog (n,) of one row a second grows; None for too few rows.

    The median of the slopes between all pairs of rows (Theil and Sen), so that one burst that is
    worked off again does not count as growth.
    """
    rows = np.asarray(backlog, np.float64)
    if len(rows) < _FEWEST_BACKLOG_ROWS:
        return None
    step = -(-len(rows) // _MOST_BACKLOG_ROWS)  # pairs grow with the square of the rows
    rows = rows[::step]
    first, second = np.triu_indices(len(rows), 1)
    return float(np.median((rows[second] - rows[first]) / ((second - first) * step)))


def short_growth(backlog: Sequence[float]) -> float | None:
    """Tasks a second from the first to the last of a few rows; None for less than two.

    Too few for a slope that a burst does not sway, so more growth is let pass.
    """
    if len(backlog) < 2:
        return None
    return (backlog[-1] - backlog[0]) / (len(backlog) - 1)


def _notes(facts: VerdictInputs) -> Iterator[VerdictReason]:
    if facts.negative_latencies:
        yield VerdictReason(
            "negative_latencies",
            f"{units.format_count(facts.negative_latencies)} latencies are negative: two clocks "
            "disagree by more than these tasks took; see the clock's error bound",
        )
    if facts.overflown_latencies:
        yield VerdictReason(
            "overflow",
            f"{units.format_count(facts.overflown_latencies)} latencies are over an hour, past "
            "the histogram's range; they count in percentiles and the maximum",
        )
    if facts.first_error and facts.counts.enqueued >= ENQUEUED_SHARE * facts.counts.due:
        yield VerdictReason(
            "server_errors", f"the server answered with errors{_because(facts.first_error)}"
        )
    if (facts.loop_lag_p99_s or 0) > LOOP_LAG_LIMIT_S:
        yield VerdictReason(
            "loop_lag",
            f"the producers' event loop ran {units.format_duration(facts.loop_lag_p99_s)} late at "
            "p99: their enqueue latencies include that; use more processes, or free a core",
        )
    if facts.seen_by is not None and facts.counts.completed and not facts.ends_seen:
        other = "result" if facts.seen_by == "state" else "state"
        yield VerdictReason(
            "no_end_seen",
            f"tasks were completed, but none was seen to end by its {facts.seen_by}, so there is "
            f"no end-to-end latency: say --seen-by {other}",
        )
    counted, completed = facts.counted_successes, facts.counts.completed
    if counted and counted != completed:  # a worker need not count
        yield VerdictReason(
            "counters_disagree",
            f"the queues' own counters saw {units.format_count(counted)} tasks succeed, and "
            f"{units.format_count(completed)} are completed or gone: the rest failed and was "
            "deleted, or somebody else uses these queues",
        )
    if facts.reconnects:
        yield VerdictReason(
            "reconnected",
            f"producers lost their connection {units.format_count(facts.reconnects)} times",
        )
    if not facts.is_steady:
        yield VerdictReason(
            "not_steady",
            f"no steady state within the first {units.format_duration(facts.most_warmup_s)}: the "
            "warm-up may be longer than what was left out; run longer, or set --warmup",
        )


def _because(error: str) -> str:
    return f": the server said {error!r}" if error else ""
