"""The rules of the verdict about what became of the tasks: lost, unfinished, ended unseen."""

import math
from collections.abc import Iterator

from bench import units
from bench.measure.fault_verdict import are_stranded, explained, explained_count
from bench.measure.ledger import Counts
from bench.measure.verdict_inputs import (
    Verdict,
    VerdictInputs,
    VerdictReason,
    quantity,
    server_error_or,
)

_MOST_CLIENTS = 3
"""Other clients that a warning names."""


def incomplete(inputs: VerdictInputs) -> Iterator[VerdictReason]:
    if inputs.aborted is not None:
        yield VerdictReason("aborted", inputs.aborted.reason, Verdict.ABORTED)
    for sentence in inputs.interruptions:
        yield VerdictReason("incomplete", sentence, Verdict.INCOMPLETE)
    if inputs.server.lost_data:
        yield VerdictReason(
            "server_lost_data",
            f"the server {inputs.server.lost_data} during the run, so the state of its tasks is "
            f"unknown{_completed_gone(inputs)}: repeat the run on a server that keeps its data",
            Verdict.INCOMPLETE,
        )
    yield from _unmeasured(inputs)
    if inputs.are_outcomes_known:
        yield from _unfinished(inputs)
    else:
        yield VerdictReason(
            "fate_unknown",
            "the final state of some tasks could not be read, so the ledger's counts of completed "
            "and lost tasks are unreliable: check that the server responds, and repeat the run",
            Verdict.INCOMPLETE,
        )


def _unmeasured(inputs: VerdictInputs) -> Iterator[VerdictReason]:
    """A run that went well, and left no figure of what it was made for."""
    if inputs.counts.enqueued and not inputs.measured_tasks:
        yield VerdictReason(
            "nothing_measured",
            "every task was due in the warm-up, so that no figure is left: run for longer, or set "
            "a shorter --warmup",
            Verdict.INCOMPLETE,
        )
    elif inputs.expects_completions and inputs.counts.ended and not inputs.ends_seen:
        yield VerdictReason("no_end_seen", _no_end_seen(inputs), Verdict.INCOMPLETE)


def _no_end_seen(inputs: VerdictInputs) -> str:
    """The warning for a run without a single end-to-end latency, although tasks have ended."""
    if inputs.seen_by is None:
        return (
            "no task that was due after the warm-up has ended, so there is no end-to-end latency: "
            "run for longer, set a shorter --warmup, or add workers"
        )
    return (
        f"tasks have ended, but no traced task's {inputs.seen_by} showed its end after the "
        f"warm-up, so there is no end-to-end latency: use --seen-by {_other_sign(inputs.seen_by)}, "
        "trace more tasks (--traced), or run for longer"
    )


def _completed_gone(inputs: VerdictInputs) -> str:
    gone = inputs.server.completed_gone
    if not gone:
        return ""
    return f" ({quantity(gone, 'task')} that completed {'is' if gone == 1 else 'are'} not there)"


def _unfinished(inputs: VerdictInputs) -> Iterator[VerdictReason]:
    counts = inputs.counts
    has_completions = bool(counts.ended)
    if inputs.drain_waited_for and has_completions and not are_stranded(inputs):
        yield VerdictReason("drain_timed_out", _drain_timed_out(inputs), Verdict.INCOMPLETE)
    if inputs.expects_completions and counts.enqueued and not has_completions:
        yield VerdictReason("no_completions", _no_completions(inputs), Verdict.INCOMPLETE)
    if not counts.enqueued:
        yield VerdictReason(
            "nothing_enqueued",
            "no task was enqueued"
            + server_error_or(inputs, ": check the other warnings, the rate and the duration"),
            Verdict.INCOMPLETE,
        )


def _drain_timed_out(inputs: VerdictInputs) -> str:
    """The warning for a drain that did not end in time."""
    counts = inputs.counts
    left = counts.pending + counts.active
    if not left and counts.lost:
        return (
            f"the drain timed out waiting for {quantity(counts.lost, 'task')} that no list holds "
            f"({_unfinished_states(inputs) or 'nothing of them is left'}): check the worker's log "
            "for tasks that it took and dropped"
        )
    if inputs.leases is not None and inputs.needed_drain_s > inputs.drain_timeout_s:
        return (
            f"when the drain timed out, {inputs.leases.sentence}; where a worker is gone, another "
            "one takes its tasks over within a few minutes after their lease: to wait for that, "
            f"set --drain-timeout to {math.ceil(inputs.needed_drain_s)}s or more"
        )
    if not left:
        return (
            f"the drain timed out waiting for {inputs.drain_waited_for}, "
            "although every task has ended by now: check the server and the workers, or raise "
            "--drain-timeout"
        )
    return (
        f"the drain timed out with {quantity(left, 'pending or active task')} left"
        f"{_drain_takes(inputs)}: offer less load, add workers, or raise --drain-timeout"
    )


def _drain_takes(inputs: VerdictInputs) -> str:
    """How long the drain would have had to be, as a clause; empty where that is not known."""
    if inputs.drain_takes_s is None:
        return ""
    needed = units.format_duration(inputs.drain_timeout_s + inputs.drain_takes_s)
    return f", which would have taken about {needed} in all at the rate of its end"


def _no_completions(inputs: VerdictInputs) -> str:
    """The warning for a run in which no task was finished."""
    taken = inputs.counts.enqueued - inputs.counts.pending
    if inputs.seen_by is not None and taken:
        states = _unfinished_states(inputs)
        return (
            f"workers took {quantity(taken, 'task')} from the queues, but no task's "
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


def lossy(inputs: VerdictInputs) -> Iterator[VerdictReason]:
    counts = inputs.counts
    if inputs.are_outcomes_known:
        yield from explained(inputs, "lost", "acknowledged and disappeared")
    lost, duplicated, refused, unknown = (
        getattr(counts, name) - explained_count(inputs, name)
        for name in ("lost", "duplicated", "refused", "unknown")
    )
    if lost > 0 and inputs.are_outcomes_known:
        yield VerdictReason("lost", _lost(inputs, lost), Verdict.LOSSY)
    yield from explained(inputs, "duplicated", "finished again")
    yield from explained(inputs, "refused", "refused by the server")
    yield from explained(inputs, "unknown", "sent, got no reply and appeared nowhere,")
    if duplicated > 0:
        yield VerdictReason(
            "duplicated",
            f"workers finished tasks again after their first completion, "
            f"{quantity(duplicated, 'time')} in total: check whether a task is enqueued "
            "twice or given to two workers",
            Verdict.LOSSY,
        )
    if refused > 0:
        yield VerdictReason(
            "refused",
            f"the server refused {quantity(refused, 'task')}"
            + server_error_or(inputs, ": check its configuration and log"),
            Verdict.LOSSY,
        )
    if unknown > 0:
        yield VerdictReason(
            "unknown",
            f"{quantity(unknown, 'sent task')} received no reply, because the connection "
            "was lost or the server dropped replies: check the server and the network",
            Verdict.LOSSY,
        )


def _lost(inputs: VerdictInputs, lost: int) -> str:
    """The warning for enqueued tasks that are nowhere and that no fault explains."""
    details = ["neither finished, pending nor active"]
    if inputs.missing_tasks:
        popped = quantity(inputs.missing_tasks, "id")
        details.append(f"workers popped {popped} without a task behind them")
    if inputs.unfinished:
        details.append(_unfinished_states(inputs))
    if inputs.looked_up is not None:
        return (
            f"{quantity(lost, 'enqueued task')} disappeared with the process that "
            f"died ({'; '.join(details)}): it had taken them from the queue and not marked them"
        )
    if inputs.server.evicted:
        evicted = quantity(inputs.server.evicted, "key")
        details.append(f"the server evicted {evicted} because its memory was full")
    if inputs.others.poppers:
        shown = ", ".join(inputs.others.poppers[:_MOST_CLIENTS])
        details.append(f"another client takes ids from lists of this server: {shown}")
    if inputs.others.tasks:
        details.append(f"others use these queues, too: {_other_tasks(inputs)}")
    return (
        f"{quantity(lost, 'enqueued task')} disappeared ({'; '.join(details)}): "
        "look for evicted keys, other consumers of these queues, and workers that drop tasks"
    )


def _other_tasks(inputs: VerdictInputs) -> str:
    return f"{quantity(inputs.others.tasks, 'id')} that the run did not enqueue"


def notes_on_ends(inputs: VerdictInputs) -> Iterator[VerdictReason]:
    if inputs.others.tasks and not inputs.counts.lost:
        yield VerdictReason(
            "other_tasks",
            f"the queues held {_other_tasks(inputs)}, which workers served beside its own tasks: "
            "stop other producers of these queues, or use queues of the run's own",
        )
    if inputs.looked_up is not None and inputs.are_outcomes_known:
        yield VerdictReason("reconciled", _reconciled(inputs.looked_up))
    if inputs.counts.outcome_unknown and inputs.server.gone_may_be_lost:
        yield VerdictReason("ended_or_lost", _ended_or_lost(inputs.counts), Verdict.INCOMPLETE)
    elif inputs.counts.outcome_unknown:
        yield VerdictReason("outcome_unknown", _outcome_unknown(inputs))
    if inputs.counter_excess:
        yield VerdictReason("counters_disagree", _counters_disagree(inputs))


def _reconciled(found: Counts) -> str:
    """The warning for a ledger that rests on Redis, as a process did not report."""
    ends = {
        "completed": found.completed,
        "failed": found.failed,
        "gone": found.outcome_unknown,
    }
    shown = ", ".join(f"{units.format_count(count)} {end}" for end, count in ends.items() if count)
    return (
        "a process died or was killed, so what became of the tasks that it did not report was read "
        f"from Redis, by id ({shown or 'none had ended'}): their latencies are not in the figures"
    )


def _ended_or_lost(counts: Counts) -> str:
    """The warning for tasks of which nothing is left after the server has lost some."""
    gone = counts.outcome_unknown
    return (
        f"of {quantity(gone, 'task')} nothing is left, so that each of them may have ended or been "
        f"lost with the server's data: between {units.format_count(counts.lost)} and "
        f"{units.format_count(counts.lost + gone)} were lost; to know, use the built-in worker "
        "with --store-results, or a server that keeps its data"
    )


def _outcome_unknown(inputs: VerdictInputs) -> str:
    """The warning for tasks that ended without a trace of how."""
    counts = inputs.counts
    most = counts.completed + counts.outcome_unknown
    why = (
        "the queues' counters do not fit the tasks that ended"
        if inputs.counter_rules is not None
        else "no counter of the queues was kept or read"
    )
    return (
        f"{quantity(counts.outcome_unknown, 'task')} ended without leaving a trace of whether "
        f"{'it' if counts.outcome_unknown == 1 else 'they'} succeeded, and {why}: at least "
        f"{units.format_count(counts.completed)} and at most {units.format_count(most)} completed; "
        "to know, let the worker keep what it has finished (result storage, retention), or say by "
        "--counters what the counters count"
    )


def _counters_disagree(inputs: VerdictInputs) -> str:
    """The warning for counters that do not fit the number of tasks that ended."""
    excess = inputs.counter_excess
    ends = quantity(abs(excess), "end")
    if excess > 0:
        return (
            f"the queues' counters, read as counting {inputs.counter_rules}, have {ends} more than "
            "tasks ended, because tasks ran twice or another program uses these queues: check the "
            "worker's log, and stop other users of the queues"
        )
    return (
        f"the queues' counters, read as counting {inputs.counter_rules}, have {ends} fewer than "
        "tasks ended, because they count something else (--counters), a worker died before it "
        "counted, or somebody else ends tasks of these queues: check --counters and the worker's "
        "log"
    )


def _unfinished_states(inputs: VerdictInputs) -> str:
    """The states that the hashes of unfinished tasks hold; empty if nothing is known."""
    states = ", ".join(
        f"{state} {units.format_count(count)}" for state, count in inputs.unfinished.items()
    )
    return f"states in the task hashes: {states}" if states else ""


def _other_sign(seen_by: str) -> str:
    """The other of the two signs of a task's end."""
    return "result" if seen_by == "state" else "state"
