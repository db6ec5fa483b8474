"""Where the end-to-end latency went, and what Redis had of it, in sentences and rows."""

from collections.abc import Iterator, Sequence

from bench import units
from bench.measure.breakdown import LatencyPart, PercentileBreakdown
from bench.measure.server_commands import CommandCost, ServerCommands, SlowCommand
from bench.records.run_record import RunRecord

_GROUPS: dict[str, Sequence[LatencyPart]] = {
    "waiting for a slot": (LatencyPart.SLOT_WAIT,),
    "in the worker's round trips and code": (
        LatencyPart.BLOCKED,
        LatencyPart.DELIVERY,
        LatencyPart.COMMANDS,
    ),
    "of service time": (LatencyPart.SERVICE_TIME,),
    "sent late": (LatencyPart.SCHEDULE_LAG,),
    "in earlier attempts": (LatencyPart.RETRIES,),
}
_COLUMNS: dict[LatencyPart, str] = {
    LatencyPart.SCHEDULE_LAG: "late",
    LatencyPart.SLOT_WAIT: "slot wait",
    LatencyPart.BLOCKED: "blocked",
    LatencyPart.DELIVERY: "delivery",
    LatencyPart.SERVICE_TIME: "service",
    LatencyPart.COMMANDS: "commands",
    LatencyPart.RETRIES: "retries",
}
_PREFERRED = ("p99", "p90", "p50")
_LEAST_SHARE = 0.005
"""Parts below this share are added up as the rest."""
_MOST_COMMANDS = 6
_LEAST_US = 0.05
_CLOCK_SHARE = 0.01


def sentence(record: RunRecord) -> str:
    """Returns what the latency around p99 consisted of, or why that is not known; empty for older
    records and where no task was finished."""
    found = record.breakdown
    if found is None or not record.counts.ended:
        return ""
    by_name = {each.percentile: each for each in found.percentiles}
    shown = next((by_name[name] for name in _PREFERRED if name in by_name), None)
    if shown is None:
        return f"e2e cannot be split: {found.unknown}" if found.unknown else ""
    parts = ", ".join(_parts(shown))
    error_s = record.clock.error_bound_s
    clocks = ""
    if error_s >= _CLOCK_SHARE * shown.value_s:
        clocks = f", and the clocks differ by up to {units.format_duration(error_s)}"
    return (
        f"e2e {shown.percentile} {units.format_duration(shown.value_s)}: {parts}"
        f" (means of {_tasks(shown)}{clocks}){_executed(record)}"
    )


def _parts(shown: PercentileBreakdown) -> Iterator[str]:
    """Yields the groups of parts, the largest first, and the rest where there is any."""
    sums = {
        text: sum(shown.parts_s.get(part, 0.0) for part in parts) for text, parts in _GROUPS.items()
    }
    total_s = sum(sums.values())
    rest_s = total_s
    for text, seconds in sorted(sums.items(), key=lambda each: -each[1]):
        if abs(seconds) >= _LEAST_SHARE * total_s:
            rest_s -= seconds
            yield f"{units.format_duration(seconds)} {text}"
    if abs(rest_s) >= 0.5e-6:
        yield f"{units.format_duration(rest_s)} the rest"


def _tasks(shown: PercentileBreakdown) -> str:
    """Returns which tasks the means are of, and what they add up to."""
    ends = f"{units.format_duration(shown.from_s)} to {units.format_duration(shown.to_s)}"
    together = units.format_duration(sum(shown.parts_s.values()))
    return f"the {units.format_count(shown.tasks)} tasks from {ends}, together {together}"


def _executed(record: RunRecord) -> str:
    """Returns how long Redis executed commands for a task of the run, or why that is not known."""
    commands = record.resources.server_commands
    if commands is None:
        return ""
    if commands.us_per_task is None:
        return f"; Redis's own part is not known: {commands.unknown}"
    return f"; Redis itself took {executed(commands)} per task on average"


def executed(commands: ServerCommands) -> str:
    """Returns the time in which Redis executed commands, per task: ``12 µs``, or ``9 to 12 µs``."""
    most, least = commands.us_per_task, commands.least_us_per_task
    if most is None:
        return "–"
    if least is None or f"{least:.1f}" == f"{most:.1f}":
        return f"{most:.1f} µs"
    return f"{least:.1f} to {most:.1f} µs"


def headings(record: RunRecord) -> list[str]:
    """Returns the headings of the rows of ``rows``."""
    return ["percentile", "e2e", "tasks", *(_COLUMNS[part] for part in _shown(record))]


def rows(record: RunRecord) -> list[list[str]]:
    """Returns, for each percentile, its value, the tasks around it, and the mean of each part."""
    percentiles = record.breakdown.percentiles if record.breakdown is not None else []
    return [
        [
            each.percentile,
            units.format_duration(each.value_s),
            units.format_count(each.tasks),
            *(units.format_duration(each.parts_s.get(part, 0.0)) for part in _shown(record)),
        ]
        for each in percentiles
    ]


def _shown(record: RunRecord) -> list[LatencyPart]:
    """The parts of which any task has any; a closed loop has no schedule to be late for."""
    percentiles = record.breakdown.percentiles if record.breakdown is not None else []
    return [part for part in LatencyPart if any(each.parts_s.get(part) for each in percentiles)]


EXPLANATION = (
    "Means over the tasks around each percentile, whose parts add up to their e2e. Late: due and "
    "not sent. Slot wait: the slots of the worker served other tasks. Blocked: commands of other "
    "tasks without an answer held the slots. Delivery: the worker asked for tasks. Service: the "
    "time drawn for the task. Commands: round trips of its own commands, and the worker's code. "
    "Retries: everything before the last attempt. How sure these means are is not known"
)


def server_lines(record: RunRecord) -> Iterator[str]:
    """Yields what each command cost Redis, and what its slow log noted, a line each."""
    commands = record.resources.server_commands
    if commands is None:
        return
    if commands.commands:
        shown = [each for each in commands.commands if each.us_per_task >= _LEAST_US]
        shown = shown[:_MOST_COMMANDS]
        more = len(commands.commands) - len(shown)
        costs = ", ".join(map(_cost, shown))
        tail = f", and {more} more" if more else ""
        source = _source(commands)
        bounds = " (p99 of a call)" if commands.latencies else ""
        yield f"Redis by command, per task{bounds}: {costs}{tail}{'; ' if source else ''}{source}"
    slow = slow_log(commands)
    if slow:
        yield slow


def server_notes(record: RunRecord) -> list[str]:
    """Returns what must be said beside ``command_rows``: whose latencies they are, and what the
    slow log noted."""
    commands = record.resources.server_commands
    if commands is None:
        return []
    source = _source(commands) if commands.commands else ""
    return [text for text in (source, slow_log(commands)) if text]


def _cost(cost: CommandCost) -> str:
    text = f"{cost.command.upper()} {cost.us_per_task:.1f} µs"
    bound = cost.p99_at_most_us
    return text if bound is None else f"{text} ({at_most(bound)})"


def at_most(bound_us: float | None) -> str:
    """Returns a bound of a call's latency: ``≤ 8 µs``."""
    return "–" if bound_us is None else f"≤ {units.format_duration(bound_us / 1e6)}"


def _source(commands: ServerCommands) -> str:
    if commands.latencies == "of the run":
        return ""
    what = f"those {commands.latencies}" if commands.latencies else "not known"
    return f"the latencies of calls are {what}: {commands.latencies_unknown}"


def slow_log(commands: ServerCommands) -> str:
    """Returns how many commands the slow log has of the run, and the slowest; why it is not known,
    or nothing where there was none."""
    if commands.slow_count is None:
        return f"slow log not read: {commands.slow_unknown}" if not commands.unknown else ""
    if not commands.slow:
        return ""
    least = "at least " if commands.slow_is_least else ""
    entries = "entry" if commands.slow_count == 1 else "entries"
    return (
        f"slow log: {least}{commands.slow_count:,} {entries} during the run, the slowest "
        f"{slow_command(commands.slow[0])}"
    )


def slow_command(entry: SlowCommand) -> str:
    """Returns a command of the slow log: ``LPUSH on pending of q, 12 ms, 3 s after the start``."""
    of = f" on {entry.of}" if entry.of else ""
    return (
        f"{entry.command.upper()}{of}, {units.format_duration(entry.duration_s)}, "
        f"{entry.at_s:.0f} s after the start"
    )


def command_rows(record: RunRecord) -> list[list[str]]:
    """Returns the calls and the time per task of each command, and bounds of its latency."""
    commands = record.resources.server_commands
    return [
        [
            each.command.upper(),
            f"{each.calls_per_task:.2f}",
            f"{each.us_per_task:.2f} µs",
            at_most(each.p50_at_most_us),
            at_most(each.p99_at_most_us),
            at_most(each.max_at_most_us),
        ]
        for each in ([] if commands is None else commands.commands)
    ]


COMMAND_HEADINGS = ("command", "calls per task", "time per task", "p50 of a call", "p99", "max")
