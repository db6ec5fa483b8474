"""A plan for a person at a terminal: the answer first."""

from collections.abc import Iterable

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from bench import units
from bench.analysis.capacity.answer import counted
from bench.analysis.capacity.plan import CapacityPlan, PlanOption
from bench.reports.console import console_for_stdout
from bench.reports.tables import plain_table

_MOST_OPTIONS = 12


def print_plan(plan: CapacityPlan) -> None:
    """Print it."""
    console = console_for_stdout()
    for part in render(plan):
        console.print(part)


def render(plan: CapacityPlan) -> Iterable[RenderableType]:
    """The parts of the report, from the top."""
    yield Text(answer(plan), style="bold")
    for note in plan.notes:
        yield Text.assemble(("! ", "bold yellow"), note)
    yield ""
    if plan.options:
        yield _options(plan)
        yield ""
    yield from (Text(line) for line in facts(plan))


def answer(plan: CapacityPlan) -> str:
    """One sentence."""
    rate = units.format_rate(plan.request.rate_per_s)
    if plan.chosen is None:
        return f"The record cannot say how many {plan.axis} {rate} takes."
    chosen, shards = plan.chosen, plan.shards
    servers = "" if shards is None else f" and {shards} server{'' if shards == 1 else 's'}"
    return (
        f"{counted(chosen.units, plan.axis)}{servers} for {rate}, with {chosen.headroom:.0%} of "
        f"what they hold to spare ({chosen.basis})."
    )


def facts(plan: CapacityPlan) -> list[str]:
    """What else follows, a line each."""
    said = []
    if plan.first_to_give:
        said.append(f"first to give way: {plan.first_to_give}")
    if plan.server_share is not None:
        said.append(f"Redis: {plan.server_share:.0%} of a core on each server")
    backlog = units.format_count(plan.request.backlog)
    if plan.drain_s is not None:
        said.append(
            f"a backlog of {backlog}: drained in {units.format_duration(plan.drain_s)} while tasks "
            f"go on coming, in {units.format_duration(plan.drain_idle_s)} if none came"
        )
    elif plan.chosen is not None:
        said.append(f"a backlog of {backlog} is never drained at that rate")
    if plan.memory_full_at is not None:
        said.append(
            f"memory is full at {units.format_count(plan.memory_full_at)} tasks: after "
            f"{units.format_duration(plan.memory_full_s)} without any worker"
        )
    if plan.waits_s:
        waits = ", ".join(
            f"{queue} {units.format_duration(wait)}" for queue, wait in plan.waits_s.items()
        )
        said.append(f"mean wait for a worker, modelled: {waits}")
    return said


def _options(plan: CapacityPlan) -> Table:
    table = plain_table(plan.axis, text_columns=1)
    for name in ("hold", "basis", "to spare"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for option in _shown(plan):
        is_chosen = option is plan.chosen
        table.add_row(
            str(option.units),
            units.format_rate(option.holds_per_s),
            option.basis,
            f"{option.headroom:.0%}" if option.headroom >= 0 else "–",
            "this one" if is_chosen else option.rejected,
            style="bold" if is_chosen else "",
        )
    return table


def _shown(plan: CapacityPlan) -> list[PlanOption]:
    """Around the chosen one, where there are many."""
    options = plan.options
    if len(options) <= _MOST_OPTIONS:
        return options
    middle = options.index(plan.chosen) if plan.chosen is not None else len(options)
    first = max(min(middle - _MOST_OPTIONS // 2, len(options) - _MOST_OPTIONS), 0)
    return options[first : first + _MOST_OPTIONS]
