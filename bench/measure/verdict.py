"""Decides whether the figures of a run may be quoted; reports only print the decision.

Each rule yields a warning, which names its cause and then its cure, and the verdict that follows
from it. The worst verdict wins.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from bench import units
from bench.measure.ledger import Counts

ENQUEUED_SHARE = 0.99
LAG_LIMIT_S = 0.010
"""p99 of schedule_lag above which the generator was too late for its figures to be trusted."""
LOOP_LAG_LIMIT_S = 0.010
"""p99 of an event loop's lateness above which a warning is given."""
SATURATED_CORES = 0.95
GROWTH_SHARE = 0.01
"""Share of the offered rate above which a growth of the backlog makes a run unstable."""
SHORT_GROWTH_SHARE = 0.10
"""Share of the offered rate that applies instead if there are too few rows for a slope."""
_FEWEST_BACKLOG_ROWS = 5
_MOST_BACKLOG_ROWS = 400


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
    busiest_producer_cores: float
    lag_p99_s: float | None
    asked_per_s: float | None
    backlog: Sequence[float]
    """Tasks pending at each second of the window."""
    interruptions: Sequence[str]
    """Sentences that say why the run ended early or lacks a part."""
    drain_timed_out: bool
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
    seen_by: str | None = None
    """What shows the end of a task, ``state`` or ``result``; None if workers report it."""
    ends_seen: int = 0
    """Number of traced tasks that were seen to end."""
    awaits_reports: bool = False
    """Whether workers on other hosts were expected to report and none did."""
    unfinished: Mapping[str, int] = field(default_factory=dict)
    """Number of tasks, by state, that were on no list at the end and had not ended, as observed
    from outside the workers."""
    counted_successes: int | None = None
    """Successes according to the queues' own counters; None if workers report or there are none."""


def judge(inputs: VerdictInputs) -> tuple[Verdict, list[VerdictReason]]:
    """Returns the verdict and all warnings, the most severe first."""
    order = list(Verdict)
    reasons = sorted(
        [
            *_incomplete(inputs),
            *_lossy(inputs),
            *_generator_limited(inputs),
            *_unstable(inputs),
            *_notes_on_latencies(inputs),
            *_notes_on_producers(inputs),
            *_notes_on_observation(inputs),
            *_notes_on_run(inputs),
        ],
        key=lambda reason: -order.index(reason.verdict or Verdict.VALID),
    )
    verdict = reasons[0].verdict if reasons else None
    return verdict or Verdict.VALID, reasons


def _incomplete(inputs: VerdictInputs) -> Iterator[VerdictReason]:
    for sentence in inputs.interruptions:
        yield VerdictReason("incomplete", sentence, Verdict.INCOMPLETE)
    if inputs.lost_data:
        yield VerdictReason(
            "server_lost_data",
            f"the server {inputs.lost_data} during the run, so the state of its tasks is unknown: "
            "repeat the run on a server that keeps its data",
            Verdict.INCOMPLETE,
        )
    if inputs.are_outcomes_known:
        yield from _unfinished(inputs)
    else:
        yield VerdictReason(
            "fate_unknown",
            "the final state of some tasks could not be read, so the ledger's counts of completed "
            "and lost tasks are unreliable: check that the server responds, and repeat the run",
            Verdict.INCOMPLETE,
        )


def _unfinished(inputs: VerdictInputs) -> Iterator[VerdictReason]:
    counts = inputs.counts
    has_completions = bool(counts.completed + counts.failed)
    if inputs.drain_timed_out and has_completions:
        left = _quantity(counts.pending + counts.active, "pending or active task")
        yield VerdictReason(
            "drain_timed_out",
            f"the drain timed out with {left} left: offer less load, add workers, or raise "
            "--drain-timeout",
            Verdict.INCOMPLETE,
        )
    if inputs.expects_completions and counts.enqueued and not has_completions:
        yield VerdictReason("no_completions", _no_completions(inputs), Verdict.INCOMPLETE)
    if not counts.enqueued:
        yield VerdictReason(
            "nothing_enqueued",
            "no task was enqueued"
            + _server_error_or(inputs, ": check the other warnings, the rate and the duration"),
            Verdict.INCOMPLETE,
        )


def _no_completions(inputs: VerdictInputs) -> str:
    """The warning for a run in which no task was finished."""
    taken = inputs.counts.enqueued - inputs.counts.pending
    if inputs.seen_by is not None and taken:
        states = _unfinished_states(inputs)
        return (
            f"workers took {_quantity(taken, 'task')} from the queues, but no task's "
            f"{inputs.seen_by} shows that it was finished{f' ({states})' if states else ''}: if "
            f"the worker does finish tasks, use --seen-by {_other_sign(inputs.seen_by)}, or make "
            f"the worker write the {inputs.seen_by} (docs/external.md)"
        )
    if inputs.awaits_reports and taken:
        return (
            "workers took tasks from the queues, but no 'bench worker' reported on them: if "
            "another program serves the queues, use --worker external"
        )
    return (
        "no task was finished, and no worker seems to serve these queues: check that a worker runs "
        "and consumes them"
    )


def _lossy(inputs: VerdictInputs) -> Iterator[VerdictReason]:
    counts = inputs.counts
    if counts.lost and inputs.are_outcomes_known:
        yield VerdictReason("lost", _lost(inputs), Verdict.LOSSY)
    if counts.duplicated:
        yield VerdictReason(
            "duplicated",
            f"workers finished tasks again after their first completion, "
            f"{_quantity(counts.duplicated, 'time')} in total: check whether a task is enqueued "
            "twice or given to two workers",
            Verdict.LOSSY,
        )
    if counts.unknown:
        yield VerdictReason(
            "unknown",
            f"{_quantity(counts.unknown, 'sent task')} received no reply, because the connection "
            "was lost or the server dropped replies: check the server and the network",
            Verdict.LOSSY,
        )


def _lost(inputs: VerdictInputs) -> str:
    """The warning for enqueued tasks that are nowhere."""
    details = ["neither finished, pending nor active"]
    if inputs.missing_tasks:
        popped = _quantity(inputs.missing_tasks, "id")
        details.append(f"workers popped {popped} without a task behind them")
    if inputs.unfinished:
        details.append(_unfinished_states(inputs))
    return (
        f"{_quantity(inputs.counts.lost, 'enqueued task')} disappeared ({'; '.join(details)}): "
        "look for evicted keys, other consumers of these queues, and workers that drop tasks"
    )


def _generator_limited(inputs: VerdictInputs) -> Iterator[VerdictReason]:
    counts = inputs.counts
    if counts.enqueued < ENQUEUED_SHARE * counts.due:
        yield VerdictReason(
            "enqueued_too_few",
            f"only {counts.enqueued / counts.due:.1%} of the due tasks were enqueued"
            + _server_error_or(inputs, ": lower the rate, add --producers, or check the server"),
            Verdict.GENERATOR_LIMITED,
        )
    if inputs.lag_p99_s is not None and inputs.lag_p99_s > LAG_LIMIT_S:
        yield VerdictReason(
            "schedule_lag",
            f"p99 of schedule_lag is {units.format_duration(inputs.lag_p99_s)}, over the limit of "
            f"{units.format_duration(LAG_LIMIT_S)}, because the generator or the server's socket "
            "did not keep up: lower the rate, add --producers, or free a core",
            Verdict.GENERATOR_LIMITED,
        )
    if not inputs.is_closed_loop and inputs.busiest_producer_cores >= SATURATED_CORES:
        yield VerdictReason(
            "producer_saturated",
            f"a producer used {inputs.busiest_producer_cores:.2f} of its core in one second and "
            "may have limited the rate: add --producers",
            Verdict.GENERATOR_LIMITED,
        )


def _unstable(inputs: VerdictInputs) -> Iterator[VerdictReason]:
    if not inputs.watches_backlog or not inputs.asked_per_s:
        return
    growth = backlog_growth(inputs.backlog)
    limit = GROWTH_SHARE
    if growth is None:
        growth, limit = short_growth(inputs.backlog), SHORT_GROWTH_SHARE
    if growth is not None and growth > limit * inputs.asked_per_s:
        yield VerdictReason(
            "backlog_grows",
            f"the backlog grew by {units.format_rate(growth)} throughout the window because "
            "workers did not keep up, so latencies depend on how long the run lasted: offer less "
            "load or add workers",
            Verdict.UNSTABLE,
        )


def backlog_growth(backlog: Sequence[float]) -> float | None:
    """Returns the growth, in tasks/s, of a backlog (n,) sampled once a second.

    The growth is the median slope between all pairs of rows (Theil-Sen estimator), so a burst that
    is worked off again does not count. None for fewer than five rows.
    """
    rows = np.asarray(backlog, np.float64)
    if len(rows) < _FEWEST_BACKLOG_ROWS:
        return None
    step = -(-len(rows) // _MOST_BACKLOG_ROWS)  # the number of pairs is quadratic in the rows
    rows = rows[::step]
    first, second = np.triu_indices(len(rows), 1)
    return float(np.median((rows[second] - rows[first]) / ((second - first) * step)))


def short_growth(backlog: Sequence[float]) -> float | None:
    """Returns the growth, in tasks/s, from the first to the last row of a short backlog (n,).

    A burst distorts this figure, so it needs a higher limit than ``backlog_growth``. None for
    fewer than two rows.
    """
    if len(backlog) < 2:
        return None
    return (backlog[-1] - backlog[0]) / (len(backlog) - 1)


def _notes_on_latencies(inputs: VerdictInputs) -> Iterator[VerdictReason]:
    if inputs.negative_latencies:
        yield VerdictReason(
            "negative_latencies",
            f"{_quantity(inputs.negative_latencies, 'measured latency', 'measured latencies')} "
            "fell below zero, because two clocks disagree by more than these tasks took: do not "
            "rely on latencies below the clock's error bound",
        )
    if inputs.overflowed_latencies:
        yield VerdictReason(
            "overflow",
            f"{_quantity(inputs.overflowed_latencies, 'latency', 'latencies')} exceeded one hour, "
            "the histogram's range, and percentiles among them show the maximum: offer less load "
            "or add workers",
        )


def _notes_on_producers(inputs: VerdictInputs) -> Iterator[VerdictReason]:
    counts = inputs.counts
    if inputs.first_error and counts.enqueued >= ENQUEUED_SHARE * counts.due:
        yield VerdictReason(
            "server_errors",
            f"the server replied with errors, the first being {inputs.first_error!r}: check the "
            "server's configuration and log",
        )
    if (inputs.loop_lag_p99_s or 0) > LOOP_LAG_LIMIT_S:
        yield VerdictReason(
            "loop_lag",
            f"the producers' event loop ran {units.format_duration(inputs.loop_lag_p99_s)} late at "
            "p99, which enqueue latencies include: use more processes, or free a core",
        )


def _notes_on_observation(inputs: VerdictInputs) -> Iterator[VerdictReason]:
    counted, completed = inputs.counted_successes, inputs.counts.completed
    if inputs.seen_by is not None and completed and not inputs.ends_seen:
        yield VerdictReason(
            "no_end_seen",
            f"tasks were completed, but no task's {inputs.seen_by} showed its end, so there is no "
            f"end-to-end latency: use --seen-by {_other_sign(inputs.seen_by)}",
        )
    if counted and counted != completed:  # zero: a worker need not maintain the counters
        yield VerdictReason(
            "counters_disagree",
            f"the queues' own counters report {_quantity(counted, 'success', 'successes')}, but "
            f"the ledger has {_quantity(completed, 'task')} completed or gone, because tasks "
            "failed and were deleted or another program uses these queues: check the worker's log "
            "and stop other users of the queues",
        )


def _notes_on_run(inputs: VerdictInputs) -> Iterator[VerdictReason]:
    if inputs.reconnects:
        yield VerdictReason(
            "reconnected",
            f"producers lost their connection {_quantity(inputs.reconnects, 'time')}: check the "
            "network, and the server's log and client limits",
        )
    if not inputs.is_steady:
        yield VerdictReason(
            "not_steady",
            "no steady state was reached within the first "
            f"{units.format_duration(inputs.most_warmup_s)}, so the warm-up may be longer than "
            "what was left out: run longer, or set --warmup",
        )


def _quantity(count: int, singular: str, plural: str = "") -> str:
    return f"{units.format_count(count)} {singular if count == 1 else plural or singular + 's'}"


def _server_error_or(inputs: VerdictInputs, otherwise: str) -> str:
    """The rest of a sentence about tasks not enqueued: the server's error, or ``otherwise``."""
    if not inputs.first_error:
        return otherwise
    return f", because the server replied {inputs.first_error!r}: resolve that error and run again"


def _unfinished_states(inputs: VerdictInputs) -> str:
    """The states that the hashes of unfinished tasks hold; empty if nothing is known."""
    states = ", ".join(
        f"{state} {units.format_count(count)}" for state, count in inputs.unfinished.items()
    )
    return f"states in the task hashes: {states}" if states else ""


def _other_sign(seen_by: str) -> str:
    """The other of the two signs of a task's end."""
    return "result" if seen_by == "state" else "state"
