"""Decides whether the figures of a run may be quoted; reports only print the decision.

Each rule yields a warning, which names its cause and then its cure, and the verdict that follows
from it. The worst verdict wins.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from bench import units
from bench.measure import priorities, task_rules
from bench.measure.verdict_inputs import (
    Verdict,
    VerdictInputs,
    VerdictReason,
    quantity,
    server_error_or,
)

ENQUEUED_SHARE = 0.99
LAG_LIMIT_S = 0.010
"""p99 of schedule_lag above which the generator was too late for its figures to be trusted."""
LOOP_LAG_LIMIT_S = 0.010
"""p99 of an event loop's lateness above which a warning is given."""
GROWTH_SHARE = 0.01
"""Share of the offered rate above which a growth of the backlog makes a run unstable."""
SHORT_GROWTH_SHARE = 0.10
"""Share of the offered rate that applies instead if there are too few rows for a slope."""
_FEWEST_BACKLOG_ROWS = 5
_MOST_BACKLOG_ROWS = 400
_MOST_INVERSIONS = 3
"""Pairs of sub-queues that the warning names."""


def judge(inputs: VerdictInputs) -> tuple[Verdict, list[VerdictReason]]:
    """Returns the verdict and all warnings, the most severe first."""
    order = list(Verdict)
    reasons = sorted(
        [
            *task_rules.incomplete(inputs),
            *task_rules.lossy(inputs),
            *_generator_limited(inputs),
            *_unstable(inputs),
            *_notes_on_latencies(inputs),
            *_notes_on_producers(inputs),
            *task_rules.notes_on_ends(inputs),
            *_notes_on_run(inputs),
            *_notes_on_priorities(inputs),
        ],
        key=lambda reason: -order.index(reason.verdict or Verdict.VALID),
    )
    verdict = reasons[0].verdict if reasons else None
    return verdict or Verdict.VALID, reasons


def _generator_limited(inputs: VerdictInputs) -> Iterator[VerdictReason]:
    counts = inputs.counts
    if counts.enqueued < ENQUEUED_SHARE * counts.due:
        yield VerdictReason(
            "enqueued_too_few",
            f"only {counts.enqueued / counts.due:.1%} of the due tasks were enqueued"
            + server_error_or(inputs, ": lower the rate, add --producers, or check the server"),
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
            f"{quantity(inputs.negative_latencies, 'measured latency', 'measured latencies')} "
            "fell below zero, because two clocks disagree by more than these tasks took: do not "
            "rely on latencies below the clock's error bound",
        )
    if inputs.overflowed_latencies:
        yield VerdictReason(
            "overflow",
            f"{quantity(inputs.overflowed_latencies, 'latency', 'latencies')} exceeded one hour, "
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


def _notes_on_run(inputs: VerdictInputs) -> Iterator[VerdictReason]:
    if inputs.layout_note:
        yield VerdictReason("other_layout", inputs.layout_note)
    if inputs.reconnects:
        yield VerdictReason(
            "reconnected",
            f"producers lost their connection {quantity(inputs.reconnects, 'time')}: check the "
            "network, and the server's log and client limits",
        )
    if not inputs.is_steady:
        yield VerdictReason(
            "not_steady",
            "no steady state was reached within the first "
            f"{units.format_duration(inputs.most_warmup_s)}, so the warm-up may be longer than "
            "what was left out: run longer, or set --warmup",
        )


def _notes_on_priorities(inputs: VerdictInputs) -> Iterator[VerdictReason]:
    clauses = priorities.clauses(inputs.inversions or (), is_drain=inputs.is_drain)
    if clauses:
        more = len(clauses) - _MOST_INVERSIONS
        shown = "; ".join(clauses[:_MOST_INVERSIONS])
        yield VerdictReason(
            "priority_inversion",
            f"{shown}{f'; {more} more pairs are inverted' if more > 0 else ''}, although the "
            "scenario lists the highest priority first: check the order in which the worker serves "
            "its queues; some workers choose it when they start, so repeat the run with --restarts",
        )
