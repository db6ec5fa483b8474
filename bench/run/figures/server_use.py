"""What the server used, between two readings of its own figures.

A figure is None where the server does not tell it, and where the two readings do not belong
together: its counters go back when it is restarted or its statistics are reset. None is negative.
"""

from bench.measure.faults import InjectedFault
from bench.measure.ledger import Counts
from bench.records.resources import NodeCosts
from bench.redisio.server_info import ServerUsage, have_counters_gone_on, is_same_process
from bench.run.collected import CollectedRun
from bench.run.server_sampler import ServerSample
from bench.workload.faults import FaultKind


def costs_per_task(run: CollectedRun, counts: Counts) -> dict[str, float | None]:
    """What each enqueued task cost the server; None where the server does not tell, or its figures
    of before do not belong to those of after."""
    before, after = run.usage_before, run.usage_after
    if after is None or not counts.enqueued or not is_same_process(before, after):
        return {}

    def each(grown: float | None, scale: float = 1.0) -> float | None:
        # What has shrunk is no cost: memory that others have freed, or a count that was reset.
        return None if grown is None or grown < 0 else grown * scale / counts.enqueued

    costs = {
        "server_cpu_us_per_task": each(_difference(before.cpu_s, after.cpu_s), 1e6),
    }
    if has_kept_data(run):
        memory = _difference(before.memory_bytes, after.memory_bytes)
        costs["server_memory_bytes_per_task"] = each(memory)
    if have_counters_gone_on(before, after):
        commands = _difference(before.commands, after.commands)
        costs["server_commands_per_task"] = each(
            None if commands is None else commands - run.own_commands
        )
        network = _difference(before.network_bytes, after.network_bytes)
        costs["server_bytes_per_task"] = each(network)
    return costs


def costs_by_node(run: CollectedRun, counts: Counts) -> list[NodeCosts]:
    """What the tasks cost each master of a cluster; empty without one, and where its figures of
    before do not belong to those of after."""
    before, after = run.usage_before, run.usage_after
    if after is None or not counts.enqueued or not is_same_process(before, after):
        return []
    are_counted = have_counters_gone_on(before, after)

    def each(grown: float | None) -> float | None:
        return None if grown is None or grown < 0 else grown / counts.enqueued

    found = []
    for address, earlier in before.nodes.items():
        later = after.nodes[address]
        cpu_us = each(_difference(earlier.cpu_s, later.cpu_s))
        commands = each(_difference(earlier.commands, later.commands)) if are_counted else None
        memory = each(_difference(earlier.memory_bytes, later.memory_bytes))
        found.append(
            NodeCosts(
                node=address,
                cpu_us_per_task=None if cpu_us is None else cpu_us * 1e6,
                commands_per_task=commands,
                memory_bytes_per_task=memory if has_kept_data(run) else None,
            )
        )
    return found


def unknown_costs(run: CollectedRun) -> str:
    """Why a cost is not known, as a clause; empty where all are known, or the server is silent."""
    before, after = run.usage_before, run.usage_after
    if after is None:
        return ""
    if not is_same_process(before, after):
        if was_replaced_by_plan(run):
            return f"{_in_place(run)}, so that its counters began at zero"
        return "it was restarted, which sets its counters to zero: keep it up during a run"
    if not have_counters_gone_on(before, after):
        return "its statistics were reset meanwhile: let nothing send CONFIG RESETSTAT during a run"
    hidden = [
        shown
        for name, shown in (
            ("cpu_s", "CPU time"),
            ("memory_bytes", "memory"),
            ("commands", "statistics of commands"),
            ("network_bytes", "network traffic"),
        )
        if getattr(after, name) is None
    ]
    if not hidden:
        return ""
    return f"its INFO does not show its {' and '.join(hidden)}: ask its operator to allow that"


def evicted_keys(run: CollectedRun) -> int:
    """Number of keys, of anybody's, that the server evicted during the run."""
    if run.usage_after is None or not is_same_process(run.usage_before, run.usage_after):
        return 0
    return max(round(_difference(run.usage_before.evicted, run.usage_after.evicted) or 0), 0)


def lost_data(run: CollectedRun) -> str:
    """What happened to the data of the run's database, as text; empty for nothing.

    Evicted keys count where tasks that are gone are taken for ended. Elsewhere the account by id
    shows which tasks they were.
    """
    before, after = run.usage_before, run.usage_after
    if after is None:
        return ""
    if not is_same_process(before, after):
        if was_replaced_by_plan(run):
            return _lost_by_plan(run)
        return "was restarted" + (" and lost its data" if run.remaining.has_marker is False else "")
    evicted = evicted_keys(run)
    return _flush(run, before, after, evicted) or _eviction(run, evicted)


def _eviction(run: CollectedRun, evicted: int) -> str:
    """That keys were evicted, as text, where the account by id cannot tell which tasks they were;
    empty otherwise, and where the plan had the memory filled."""
    are_taken_for_ended = run.scenario.is_observed or run.looked_up is not None
    is_planned = any(_has_begun(each, FaultKind.FILL) for each in run.faults)
    if not evicted or is_planned or not are_taken_for_ended:
        return ""
    return f"evicted {evicted:,} keys because its memory was full"


def gone_may_be_lost(run: CollectedRun) -> bool:
    """Whether tasks that are gone, and are taken for ended, may have been lost by the server.

    A replica that takes over lacks the newest tasks, although it has the run's marker.
    """
    is_ambiguous = run.scenario.is_observed or run.looked_up is not None
    took_over = any(
        _has_begun(each, FaultKind.FAILOVER, FaultKind.KILL) and not each.fault.of_worker
        for each in run.faults
    )
    return is_ambiguous and (took_over or bool(lost_data(run)))


_REPLACES = (FaultKind.RESTART, FaultKind.FAILOVER, FaultKind.KILL)


def was_replaced_by_plan(run: CollectedRun) -> bool:
    """Whether a fault of the plan has put another process in the server's place."""
    return any(_has_begun(each, *_REPLACES) and not each.fault.of_worker for each in run.faults)


def _in_place(run: CollectedRun) -> str:
    """What a planned fault put in the server's place, as a clause."""
    took_over = (FaultKind.FAILOVER, FaultKind.KILL)
    if any(_has_begun(each, *took_over) and not each.fault.of_worker for each in run.faults):
        return "another server took over as planned"
    return "it was restarted as planned"


def _has_begun(injected: InjectedFault, *kinds: FaultKind) -> bool:
    return injected.began_us is not None and injected.fault.kind in kinds


def _lost_by_plan(run: CollectedRun) -> str:
    """What a planned restart did to the data, where the account by id cannot tell: it takes a task
    that is gone for ended where workers do not report, or one of them was killed."""
    is_ambiguous = run.scenario.is_observed or run.looked_up is not None
    if run.remaining.has_marker is not False or not is_ambiguous:
        return ""
    return "lost its data as planned, and not all workers reported what they had done"


def _flush(run: CollectedRun, before: ServerUsage, after: ServerUsage, evicted: int) -> str:
    """Whether the run's database was flushed, as text; empty if it was not."""
    flushes = _difference(before.flushes, after.flushes)
    are_flushes_known = flushes is not None and have_counters_gone_on(before, after)
    if run.remaining.has_marker is False:
        if evicted and are_flushes_known and not flushes:
            return ""  # the marker was evicted: no database of the server was flushed
        return "lost the data of the run's database (as by a flush)"
    if run.remaining.has_marker is None and flushes:
        return "was flushed"
    if run.remaining.has_marker is None and not are_flushes_known:
        return "may have been flushed (neither a key of the run's own nor the statistics can tell)"
    return ""


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def has_kept_data(run: CollectedRun) -> bool:
    """Whether the server kept the data of the run's database, as far as that is known."""
    before, after = run.usage_before, run.usage_after
    if after is None or not is_same_process(before, after):
        return False
    if run.remaining.has_marker is not None:
        return run.remaining.has_marker
    return not _difference(before.flushes, after.flushes)


def cores_between(earlier: ServerSample, later: ServerSample) -> float | None:
    """Cores that the server used on average between two samples; None where it does not tell."""
    return _cores_of(_difference(earlier.cpu_s, later.cpu_s), earlier, later)


def main_cores_between(earlier: ServerSample, later: ServerSample) -> float | None:
    """Cores that the thread used which runs the commands, in a cluster that of the busiest node;
    None where the server does not tell it apart from others."""
    if earlier.node_cpu_s and later.node_cpu_s:
        used_s = [
            _difference(earlier.node_cpu_s[node], cpu_s)
            for node, cpu_s in later.node_cpu_s.items()
            if node in earlier.node_cpu_s
        ]
        known_s = [each for each in used_s if each is not None]
        return _cores_of(max(known_s, default=None), earlier, later)
    return _cores_of(_difference(earlier.main_cpu_s, later.main_cpu_s), earlier, later)


def _cores_of(used_s: float | None, earlier: ServerSample, later: ServerSample) -> float | None:
    if used_s is None:
        return None
    return used_s / ((later.offset_us - earlier.offset_us) / 1e6)
