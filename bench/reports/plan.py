"""A capacity plan as a terminal report: the answer first."""

from collections.abc import Iterable, Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from bench import units
from bench.analysis.capacity.answer import counted_units
from bench.analysis.capacity.memory import MemoryPlan
from bench.analysis.capacity.placement import Placement, QueueSplit
from bench.analysis.capacity.plan import CapacityPlan
from bench.analysis.capacity.plan_request import PlanOption
from bench.reports.console import note_line, print_parts
from bench.reports.figures import NOTHING, counted
from bench.reports.tables import plain_table

HOW_SURE = (
    "a measured rate held in the search, a modelled or extrapolated one is the low end of its 90% "
    "interval; how sure other figures are is not known"
)
_MOST_OPTIONS = 12
_MOST_SERVERS = 12


def print_plan(plan: CapacityPlan) -> None:
    """Print the report to standard output."""
    print_parts(lambda _: render(plan))


def render(plan: CapacityPlan) -> Iterable[RenderableType]:
    """Returns the parts of the report, top to bottom."""
    yield Text(answer(plan), style="bold")
    for note in plan.notes:
        yield note_line(note)
    yield ""
    if plan.options:
        yield _options(plan)
        yield ""
    yield from (Text(line) for line in facts(plan))


def answer(plan: CapacityPlan) -> str:
    """Returns one sentence: how many workers or slots the rate takes, and what is left to spare."""
    rate = units.format_rate(plan.request.rate_per_s)
    if plan.chosen is None:
        return f"The record does not show how many {plan.axis} {rate} would need."
    chosen, shards = plan.chosen, plan.shards
    servers = "" if shards is None else f" and {counted(shards, 'server')}"
    return (
        f"{counted_units(chosen.units, plan.axis)}{servers} for {rate}, with {chosen.headroom:.0%} "
        f"headroom ({chosen.basis})."
    )


def facts(plan: CapacityPlan) -> list[str]:
    """Returns what else follows from the plan, one line per fact."""
    lines = []
    if plan.first_bottleneck:
        lines.append(f"first bottleneck: {plan.first_bottleneck}")
    lines += _server_facts(plan)
    backlog = units.format_count(plan.request.backlog)
    if plan.drain_s is not None:
        lines.append(
            f"a backlog of {backlog} tasks drains in {units.format_duration(plan.drain_s)} at that "
            f"rate, and in {units.format_duration(plan.drain_idle_s)} if no new tasks arrive"
        )
    elif plan.chosen is not None:
        lines.append(f"a backlog of {backlog} tasks never drains at that rate")
    lines += _memory_facts(plan)
    if plan.waits_s:
        waits = ", ".join(
            f"{queue} {units.format_duration(wait)}" for queue, wait in plan.waits_s.items()
        )
        lines.append(f"mean wait for a worker (modelled): {waits}")
    if plan.options:
        lines.append(HOW_SURE)
    return lines


def _server_facts(plan: CapacityPlan) -> Iterator[str]:
    """Yields the load of the servers and, where there are several, the queues on each."""
    if plan.server_share is not None:
        which = "each" if plan.shards == 1 else "the busiest"
        yield f"Redis: {plan.server_share:.0%} of a core on {which} server"
    if plan.placement is None or plan.shards == 1:
        return
    for split in plan.placement.splits:
        yield _split(split, plan.placement)
    servers = plan.placement.servers
    for number, server in enumerate(servers[:_MOST_SERVERS], 1):
        queues = ", ".join(f"{queue.name} ({queue.share:.0%})" for queue in server.queues)
        yield f"server {number}: {queues}"
    if len(servers) > _MOST_SERVERS:
        yield f"and {counted(len(servers) - _MOST_SERVERS, 'server')} more; --json lists them all"


def _split(split: QueueSplit, placement: Placement) -> str:
    between = "and" if len(split.parts) == 2 else "to"
    return (
        f"split {split.queue} into {len(split.parts)} queues of equal weight, {split.parts[0]} "
        f"{between} {split.parts[-1]}: its {units.format_rate(split.rate_per_s)} exceed the "
        f"{units.format_rate(placement.limit_per_s)} that one server sustains with headroom, and a "
        "queue cannot be spread over several servers; producers choose one of the queues at "
        "random, and workers serve all of them"
    )


def _memory_facts(plan: CapacityPlan) -> Iterator[str]:
    """Yields the memory of kept tasks, if any are counted, and when a server is full."""
    memory, is_kept = plan.memory, bool(plan.request.keep_s)
    if is_kept:
        backlog = units.format_count(plan.request.backlog)
        yield _kept(memory, backlog)
        if memory.kept_share is not None:
            beside = memory.longest_keep_with_backlog_s
            yield (
                f"kept tasks take {memory.kept_share:.0%} of the memory of a server; at this rate "
                f"they can be kept for at most {units.format_duration(memory.longest_keep_s)}, or "
                f"{units.format_duration(beside)} beside a backlog of {backlog}"
            )
    if plan.memory_full_at is not None and (memory.kept_share or 0.0) < 1:
        yield (
            f"{'beside kept tasks, ' if is_kept else ''}memory is full at "
            f"{units.format_count(plan.memory_full_at)} {'queued ' if is_kept else ''}tasks: after "
            f"{units.format_duration(plan.memory_full_s)} without workers"
        )


def _kept(memory: MemoryPlan, backlog: str) -> str:
    line = f"kept tasks: {units.format_count(memory.kept_tasks)} in steady state"
    if memory.kept_bytes is None:
        return line
    line += f", {units.format_bytes(memory.kept_bytes)}"
    if memory.backlog_bytes is None:
        return line
    total = units.format_bytes(memory.kept_bytes + memory.backlog_bytes)
    queued = units.format_bytes(memory.backlog_bytes)
    return f"{line}; with a backlog of {backlog} ({queued}), {total}"


def basis(option: PlanOption) -> str:
    """Returns where an option's rate comes from, and of which number where it is another's."""
    of_others = f" with {option.of_units}" if option.of_units != option.units else ""
    return f"{option.basis}{of_others}"


def headroom(option: PlanOption) -> str:
    """Returns the share of an option's capacity that stays free, or ``–`` where it is too small."""
    return f"{option.headroom:.0%}" if option.headroom >= 0 else NOTHING


def _options(plan: CapacityPlan) -> Table:
    table = plain_table(plan.axis, text_columns=1)
    for name in ("sustained", "basis", "headroom"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for option in _shown(plan):
        is_chosen = option is plan.chosen
        table.add_row(
            str(option.units),
            units.format_rate(option.holds_per_s),
            basis(option),
            headroom(option),
            "chosen" if is_chosen else option.rejected,
            style="bold" if is_chosen else "",
        )
    return table


def _shown(plan: CapacityPlan) -> list[PlanOption]:
    """Returns the options around the chosen one, where there are too many to show them all."""
    options = plan.options
    if len(options) <= _MOST_OPTIONS:
        return options
    middle = options.index(plan.chosen) if plan.chosen is not None else len(options)
    first = max(min(middle - _MOST_OPTIONS // 2, len(options) - _MOST_OPTIONS), 0)
    return options[first : first + _MOST_OPTIONS]
