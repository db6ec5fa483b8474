"""Decides whether the figures of a run may be quoted; reports only print the decision.

Each rule yields a warning, which names its cause and then its cure, and the verdict that follows
from it. The worst verdict wins.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from bench import units
from bench.measure import arrival_verdict, fault_verdict, machine_rules, priorities, task_rules
from bench.measure.verdict_inputs import (
    ENQUEUED_SHARE,
    Verdict,
    VerdictInputs,
    VerdictReason,
    quantity,
    server_error_or,
)

LAG_LIMIT_S = 0.010
"""p99 of schedule_lag above which the generator was too late for its figures to be trusted."""
LONGEST_LAG_LIMIT_S = 0.25
"""Lateness of a single task above which the generator stood still for too long: a percentile does
not show that in a long run."""
LATE_SHARE_NOTED = 0.001
"""Share of tasks sent later than ``LAG_LIMIT_S`` above which a warning is given, since p99.9 then
shows the generator."""
CLOCK_ERROR_SHARE = 0.1
"""Share of the median latency above which the error bound of the clocks is told."""
LOOP_LAG_LIMIT_S = 0.010
"""p99 of an event loop's lateness above which a warning is given."""
GROWTH_SHARE = 0.01
"""Share of the offered rate above which a growth of the backlog makes a run unstable."""
ROW_OF_WAITING_S = 0.1
"""Time from one row of ``VerdictInputs.waiting`` to the next."""
SHORT_GROWTH_SHARE = 0.10
"""Share of the offered rate that applies instead if there are too few rows for a slope."""
_FEWEST_BACKLOG_ROWS = 5
_FEWEST_SHORT_ROWS = 2
_FEWEST_WAITING_MORE = 10
"""Tasks by which a very short run's backlog must have grown: fewer are chance."""
_MOST_BACKLOG_ROWS = 400
_MOST_INVERSIONS = 3
"""Pairs of sub-queues that the warning names."""


def judge(inputs: VerdictInputs) -> tuple[Verdict, list[VerdictReason]]:
    """Returns the verdict and all warnings, the most severe first."""
    order = list(Verdict)
    reasons = sorted(
        [
            *fault_verdict.not_injected(inputs),
            *task_rules.incomplete(inputs),
            *task_rules.lossy(inputs),
            *fault_verdict.stranded(inputs),
            *_generator_limited(inputs),
            *_clocks_apart(inputs),
            *_unstable(inputs),
            *fault_verdict.held_back(inputs),
            *_notes_on_latencies(inputs),
            *_notes_on_producers(inputs),
            *task_rules.notes_on_ends(inputs),
            *_notes_on_run(inputs),
            *_notes_on_priorities(inputs),
            *machine_rules.notes(inputs.machine),
        ],
        key=lambda reason: -order.index(reason.verdict or Verdict.VALID),
    )
    verdict = reasons[0].verdict if reasons else None
    return verdict or Verdict.VALID, reasons


def _generator_limited(inputs: VerdictInputs) -> Iterator[VerdictReason]:
    counts, given_up = inputs.counts, inputs.lateness.given_up
    if given_up.tasks:
        yield VerdictReason(
            "not_sent",
            f"{quantity(given_up.tasks, 'due task')} {'was' if given_up.tasks == 1 else 'were'} "
            f"never sent, because the generator or the server could not keep up{_reached(inputs)}: "
            f"{units.format_duration(given_up.overrun_s)} after the planned end it was "
            f"{units.format_duration(given_up.behind_s)} behind its schedule, and gave up: lower "
            "the rate, add --producers, or raise --overrun",
            Verdict.GENERATOR_LIMITED,
        )
    # What the server refused was sent, and what was given up is said already.
    due = counts.due - given_up.tasks
    if inputs.faults.injected:
        due -= counts.unknown  # was sent, and is told under its fault
    if counts.enqueued + counts.refused < ENQUEUED_SHARE * due:
        yield VerdictReason(
            "enqueued_too_few",
            f"only {counts.enqueued / counts.due:.1%} of the due tasks were enqueued"
            + server_error_or(inputs, ": lower the rate, add --producers, or check the server"),
            Verdict.GENERATOR_LIMITED,
        )
    p99_s = inputs.lateness.p99_s
    is_late = p99_s is not None and p99_s > LAG_LIMIT_S
    if is_late:
        yield VerdictReason(
            "schedule_lag",
            f"p99 of schedule_lag is {units.format_duration(p99_s)}, over the limit of "
            f"{units.format_duration(LAG_LIMIT_S)}, because the generator or the server's socket "
            f"did not keep up{_reached(inputs)}: lower the rate, add --producers, or free a core",
            Verdict.GENERATOR_LIMITED,
        )
    yield from _stood_still(inputs)
    yield from arrival_verdict.not_as_asked(inputs, is_late=is_late)


def _reached(inputs: VerdictInputs) -> str:
    """The rate that was reached beside the one that was asked for, as a clause; empty where that
    is not known, or does not show anything."""
    reached_per_s, asked_per_s = inputs.lateness.reached_per_s, inputs.asked_per_s
    if reached_per_s is None or not asked_per_s or reached_per_s > ENQUEUED_SHARE * asked_per_s:
        return ""
    return f" ({units.format_rate(reached_per_s)} of {units.format_rate(asked_per_s)})"


def _stood_still(inputs: VerdictInputs) -> Iterator[VerdictReason]:
    """Tasks that were sent late, but too few of them to show at p99."""
    late = inputs.lateness
    is_long = late.longest_s > LONGEST_LAG_LIMIT_S
    is_shown_at_p99 = (late.p99_s or 0.0) > LAG_LIMIT_S
    if is_shown_at_p99 or not (is_long or late.share > LATE_SHARE_NOTED):
        return
    yield VerdictReason(
        "generator_stalled",
        f"the generator sent {late.share:.2%} of the tasks more than "
        f"{units.format_duration(LAG_LIMIT_S)} late, the latest by "
        f"{units.format_duration(late.longest_s)}, because it was stopped, had no core, or could "
        f"not write to the server's socket, so percentiles above {100 - 100 * late.share:.4g} show "
        "that and not the queue: repeat the run on a machine with cores to spare",
        Verdict.GENERATOR_LIMITED if is_long else None,
    )


def _clocks_apart(inputs: VerdictInputs) -> Iterator[VerdictReason]:
    error_s, median_s = inputs.clocks.error_s, inputs.clocks.median_e2e_s
    bound, least_s = units.format_duration(error_s), inputs.clocks.least_latency_s
    if least_s < -error_s:
        yield VerdictReason(
            "clocks_disagree",
            f"a latency of {units.format_duration(least_s)} was measured, although "
            f"the clocks of all processes were to agree within {bound}, so no latency is known: "
            "run producers and workers in the same time namespace, and let nothing set the "
            "server's clock during the run",
            Verdict.INCOMPLETE,
        )
    elif inputs.clocks.are_others:
        yield VerdictReason(
            "clocks_disagree",
            f"the clock of another process is {units.format_duration(inputs.clocks.apart_s)} apart "
            "from the run's, although both report the same host, so no latency is known: start "
            "workers, and those of Locust, in the run's time namespace, and not on a copy of its "
            "machine",
            Verdict.INCOMPLETE,
        )
    elif inputs.clocks.disagree:
        yield VerdictReason(
            "clocks_disagree",
            f"the clocks of two processes may differ by {bound}, which is more than the median "
            f"end-to-end latency of {units.format_duration(median_s)}, so no latency is known: "
            "let nothing set the server's clock during the run, and use a quicker network",
            Verdict.INCOMPLETE,
        )
    elif median_s is not None and error_s > CLOCK_ERROR_SHARE * median_s:
        yield VerdictReason(
            "clock_error",
            f"the clocks of two processes may differ by {bound}, beside a median end-to-end "
            f"latency of {units.format_duration(median_s)}: use a quicker network, or workers on "
            "the run's host",
        )


def _unstable(inputs: VerdictInputs) -> Iterator[VerdictReason]:
    if not inputs.watches_backlog or not inputs.asked_per_s:
        return
    if len(inputs.backlog) < _FEWEST_SHORT_ROWS:
        growth = _growth_of_waiting(inputs.waiting, inputs.asked_per_s)
    elif len(inputs.backlog) < _FEWEST_BACKLOG_ROWS:
        growth = _above(short_growth(inputs.backlog), SHORT_GROWTH_SHARE * inputs.asked_per_s)
    else:
        growth = unstable_growth(inputs.backlog, inputs.asked_per_s)
    if growth is not None:
        faults = fault_verdict.slowed_by(inputs)
        if faults and _was_stable(inputs):
            yield VerdictReason(
                "backlog_grows",
                f"the backlog grew by {units.format_rate(growth)} with "
                f"{fault_verdict.named(faults)}, and did not before",
            )
            return
        yield VerdictReason(
            "backlog_grows",
            f"the backlog grew by {units.format_rate(growth)} throughout the window because "
            "workers did not keep up, so latencies depend on how long the run lasted: offer less "
            "load or add workers",
            Verdict.UNSTABLE,
        )


def _was_stable(inputs: VerdictInputs) -> bool:
    """Whether the backlog is known not to have grown before the first fault."""
    before = inputs.faults.backlog_before
    growth = short_growth(before)
    return growth is not None and growth <= SHORT_GROWTH_SHARE * (inputs.asked_per_s or 0.0)


def unstable_growth(
    backlog: Sequence[float], asked_per_s: float | None, row_s: float = 1.0
) -> float | None:
    """Returns the growth, in tasks/s, of a backlog (n,) where it makes a run unstable.

    ``row_s`` is the time from one row to the next. None for a smaller growth, for a closed loop,
    which asks for no rate, and for fewer than five rows.
    """
    per_row = backlog_growth(backlog)
    if per_row is None or not asked_per_s:
        return None
    return _above(per_row / row_s, GROWTH_SHARE * asked_per_s)


def _above(growth: float | None, limit: float) -> float | None:
    return growth if growth is not None and growth > limit else None


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


def _growth_of_waiting(waiting: Sequence[float], asked_per_s: float) -> float | None:
    """The growth, in tasks/s, of tasks (n,) that wait at each tenth of a second, where it makes a
    run unstable that is over within one or two rows of the server's backlog."""
    per_row = backlog_growth(waiting)
    if per_row is None or waiting[-1] - waiting[0] < _FEWEST_WAITING_MORE:
        return None
    return _above(per_row / ROW_OF_WAITING_S, SHORT_GROWTH_SHARE * asked_per_s)


def short_growth(backlog: Sequence[float]) -> float | None:
    """Returns the growth, in tasks/s, from the first to the last row of a short backlog (n,).

    A burst distorts this figure, so it needs a higher limit than ``backlog_growth``. None for
    fewer than two rows.
    """
    if len(backlog) < _FEWEST_SHORT_ROWS:
        return None
    return (backlog[-1] - backlog[0]) / (len(backlog) - 1)


def _notes_on_latencies(inputs: VerdictInputs) -> Iterator[VerdictReason]:
    if inputs.negative_latencies and not inputs.clocks.disagree:
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
    if counts.not_replicated:
        yield VerdictReason(
            "not_replicated",
            f"{quantity(counts.not_replicated, 'task')} of {counts.enqueued:,} "
            f"{'was' if counts.not_replicated == 1 else 'were'} acknowledged by the server, but "
            "not replicated as --ack asks for, so a failover may lose them: check the replicas, "
            "or give them more time",
        )
    if (inputs.loop_lag_p99_s or 0) > LOOP_LAG_LIMIT_S:
        yield VerdictReason(
            "loop_lag",
            f"the producers' event loop ran {units.format_duration(inputs.loop_lag_p99_s)} late at "
            "p99, which enqueue latencies include: use more processes, or free a core",
        )


def _notes_on_run(inputs: VerdictInputs) -> Iterator[VerdictReason]:
    if inputs.server.unknown_costs:
        yield VerdictReason(
            "costs_unknown",
            f"what a task cost the server is not known in every respect, because "
            f"{inputs.server.unknown_costs}",
        )
    if inputs.layout_note:
        yield VerdictReason("other_layout", inputs.layout_note)
    if inputs.reconnects:
        cure = fault_verdict.blamed(inputs) or (
            "check the network, and the server's log and client limits"
        )
        yield VerdictReason(
            "reconnected",
            f"producers lost their connection {quantity(inputs.reconnects, 'time')}: {cure}",
        )
    if inputs.server.redirected:
        yield VerdictReason(
            "redirected",
            f"nodes of the cluster refused tasks {quantity(inputs.server.redirected, 'time')}, as "
            "their slots moved or were not served, and the tasks were sent again, which enqueue "
            "latencies include: let no slot move during a run, unless that is what it measures",
        )
    if inputs.unserved:
        yield VerdictReason(
            "not_served",
            f"workers could not serve tasks that they took ({'; '.join(inputs.unserved)}): "
            "'bench verify' shows what is wrong with tasks that are still there",
        )
    if inputs.difficulties:
        cure = fault_verdict.blamed(inputs) or "check the server's log"
        yield VerdictReason(
            "difficulties",
            f"workers met difficulties, waited for them to pass, and went on "
            f"({'; '.join(inputs.difficulties)}), which latencies include: {cure}",
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
