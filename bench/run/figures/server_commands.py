"""What a run's server says of the commands that it executed: what they cost, which were slow.

Its counters are read just before the run begins and when the queues are drained, so that they
belong to all of its tasks. What others send to the server meanwhile counts, too.
"""

from collections.abc import Iterator, Mapping

import msgspec

from bench.measure import server_commands as measured
from bench.measure.ledger import Counts
from bench.measure.server_commands import CommandCost, ServerCommands, SlowCommand
from bench.redisio.command_latencies import CommandLatencies, SlowEntry
from bench.redisio.rights import called_by_scripts
from bench.redisio.server_info import (
    ServerUsage,
    have_counters_gone_on,
    is_own,
    is_same_process,
)
from bench.run.collected import CollectedRun

_MOST = 20
"""Most commands, and most entries of the slow log, that a record lists."""
_SCRIPTS = frozenset(
    ("eval", "eval_ro", "evalsha", "evalsha_ro", "fcall", "fcall_ro"),
)


def server_commands(run: CollectedRun, counts: Counts) -> ServerCommands:
    """What the tasks' commands cost, how long their calls took, and what the slow log noted."""
    before, after = run.usage_before, run.usage_after
    unknown = _unknown(before, after, counts)
    if after is None or unknown:
        return ServerCommands(unknown=unknown, slow_unknown=unknown)
    costs = _costs(before, after, counts.enqueued)
    costs = _with_latencies(costs, before.latencies, after.latencies)
    total = sum(each.us_per_task for each in costs)
    nested: frozenset[str] = frozenset()
    if any(each.command in _SCRIPTS for each in costs):
        nested = called_by_scripts(run.scenario.wire_layout)
    found = ServerCommands(
        us_per_task=total,
        least_us_per_task=sum(each.us_per_task for each in costs if each.command not in nested),
        commands=sorted(costs, key=lambda each: -each.us_per_task)[:_MOST],
        latencies=_source(before.latencies, after.latencies),
        latencies_unknown=after.latencies.unknown or before.latencies.unknown,
    )
    return _with_slow_log(found, run, after)


def _unknown(before: ServerUsage, after: ServerUsage | None, counts: Counts) -> str:
    """Why the readings cannot be subtracted, as a clause; empty where they can."""
    if after is None:
        return "the server did not answer at the end"
    if not is_same_process(before, after):
        return "the server was restarted or another took over, so that its counters began at zero"
    if not have_counters_gone_on(before, after):
        return "its statistics were reset meanwhile"
    if not after.command_us:
        return "its INFO does not show statistics of commands"
    return "" if counts.enqueued else "no task was enqueued"


def _costs(before: ServerUsage, after: ServerUsage, tasks: int) -> list[CommandCost]:
    """The commands that were called meanwhile, without those of the harness."""
    costs = []
    for name, calls in after.calls.items():
        grown = calls - before.calls.get(name, 0)
        grown_us = after.command_us.get(name, 0) - before.command_us.get(name, 0)
        if grown > 0 and not is_own(name):
            costs.append(
                CommandCost(
                    command=name, calls_per_task=grown / tasks, us_per_task=grown_us / tasks
                )
            )
    return costs


def _source(before: CommandLatencies, after: CommandLatencies) -> str:
    if not (before.unknown or after.unknown):
        return "of the run"
    return "since the server's start" if after.since_start else ""


def _with_latencies(
    costs: list[CommandCost], before: CommandLatencies, after: CommandLatencies
) -> list[CommandCost]:
    if before.unknown or after.unknown:
        return [
            msgspec.structs.replace(each, **_since_start(after.since_start.get(each.command, {})))
            for each in costs
        ]
    found = []
    for each in costs:
        steps = measured.grown(
            before.histograms.get(each.command, {}), after.histograms.get(each.command, {})
        )
        bounds = {
            name: measured.at_most_us(steps or {}, percent)
            for name, percent in (
                ("p50_at_most_us", 50.0),
                ("p99_at_most_us", 99.0),
                ("max_at_most_us", 100.0),
            )
        }
        found.append(msgspec.structs.replace(each, **bounds))
    return found


def _since_start(percentiles: Mapping[str, float]) -> dict[str, float | None]:
    return {
        "p50_at_most_us": percentiles.get("p50"),
        "p99_at_most_us": percentiles.get("p99"),
    }


def _with_slow_log(found: ServerCommands, run: CollectedRun, after: ServerUsage) -> ServerCommands:
    """With what the slow logs of the server, or of all masters of a cluster, have noted since."""
    pairs = [(run.usage_before, after)]
    if after.nodes:
        pairs = [(run.usage_before.nodes[name], node) for name, node in after.nodes.items()]
    unknown = next(
        (each.latencies.slow_unknown for pair in pairs for each in pair if _is_silent(each)), ""
    )
    if unknown:
        return msgspec.structs.replace(found, slow_unknown=unknown)
    new = [entry for pair in pairs for entry in _new(*pair)]
    keys = _keys(run)
    start_s = run.line.start_us / 1e6
    shown = sorted(new, key=lambda entry: -entry.duration_us)[:_MOST]
    return msgspec.structs.replace(
        found,
        slow=[_slow(entry, keys, start_s) for entry in shown],
        slow_count=len(new),
        slow_is_least=any(_has_forgotten(*pair) for pair in pairs),
    )


def _is_silent(usage: ServerUsage) -> bool:
    return bool(usage.latencies.slow_unknown)


def _newest(usage: ServerUsage) -> int:
    return max((entry.number for entry in usage.latencies.slow), default=-1)


def _new(before: ServerUsage, after: ServerUsage) -> Iterator[SlowEntry]:
    """The entries since then: their numbers go on even where the log is emptied."""
    last = _newest(before)
    return (entry for entry in after.latencies.slow if entry.number > last)


def _has_forgotten(before: ServerUsage, after: ServerUsage) -> bool:
    """Whether entries since then are not in the log any more."""
    new = [entry.number for entry in _new(before, after)]
    first = _newest(before) + 1
    is_known = bool(before.latencies.slow)
    return bool(new) and is_known and len(new) < max(new) + 1 - first


def _keys(run: CollectedRun) -> dict[bytes, str]:
    """What each key of the run's queues is called."""
    layout = run.scenario.wire_layout
    return {
        key.key.encode(): f"{key.name} of {queue}"
        for queue in run.scenario.queues
        for key in layout.queue_keys(queue)
    }


def _slow(entry: SlowEntry, keys: Mapping[bytes, str], start_s: float) -> SlowCommand:
    return SlowCommand(
        at_s=entry.at_s - start_s,
        command=entry.command,
        of=next((keys[key] for key in entry.keys if key in keys), ""),
        duration_s=entry.duration_us / 1e6,
    )
