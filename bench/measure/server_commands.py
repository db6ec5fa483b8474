"""What the commands of a run's tasks cost its server, by the server's own count; no I/O."""

from collections.abc import Iterable, Mapping
from itertools import pairwise

import msgspec

Steps = Mapping[int, int]
"""By upper bound in µs, how many calls took at most that; bounds that add none are left out."""


class CommandCost(msgspec.Struct, frozen=True, kw_only=True):
    """What one command cost the server during a run, divided by the tasks enqueued."""

    command: str
    calls_per_task: float
    us_per_task: float
    """Time in which the server executed it, in µs. It runs nothing else meanwhile."""
    p50_at_most_us: float | None = None
    """Half of the calls took at most that; None where the server does not tell."""
    p99_at_most_us: float | None = None
    max_at_most_us: float | None = None


class SlowCommand(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the server's slow log: never its arguments, which may hold payloads."""

    at_s: float
    """When it was executed, after the run's start. The server notes whole seconds."""
    command: str
    of: str = ""
    """What key it was for: ``pending of inference_high``; empty for others."""
    duration_s: float


class ServerCommands(msgspec.Struct, frozen=True, kw_only=True):
    """What the server says of the commands that it executed during a run."""

    us_per_task: float | None = None
    """Time in which the server executed commands of tasks, in µs per task enqueued."""
    least_us_per_task: float | None = None
    """``us_per_task`` without the commands that scripts may have called: their time is part of the
    script's, and where they are sent directly, too, the server does not tell them apart. Without
    scripts, both are equal."""
    commands: list[CommandCost] = []
    """The most expensive first."""
    unknown: str = ""
    """Why these figures are not known, as a clause; empty where they are."""
    latencies: str = ""
    """``of the run``; ``since the server's start``, where it gives nothing else; empty without."""
    latencies_unknown: str = ""
    """Why the calls' own latencies are not known, or are those since the server's start."""
    slow: list[SlowCommand] = []
    """The slowest first."""
    slow_count: int | None = None
    """Entries of the slow log during the run; None where it could not be read."""
    slow_is_least: bool = False
    """Whether there were more: the log holds only so many."""
    slow_unknown: str = ""


def grown(before: Steps, after: Steps) -> dict[int, int] | None:
    """Returns what a cumulative histogram gained between two readings, as one; None if it has lost
    any, and so does not belong to the same counts."""
    gained: dict[int, int] = {}
    earlier = later = last = 0
    for bound in sorted({*before, *after}):
        earlier, later = before.get(bound, earlier), after.get(bound, later)
        if later - earlier < last:
            return None
        if later - earlier > last:
            last = gained[bound] = later - earlier
    return gained


def added(several: Iterable[Steps]) -> dict[int, int]:
    """Returns the sum of cumulative histograms."""
    counts: dict[int, int] = {}
    for steps in several:
        ordered = [(0, 0), *sorted(steps.items())]
        for (_, below), (bound, count) in pairwise(ordered):
            counts[bound] = counts.get(bound, 0) + count - below
    found, total = {}, 0
    for bound, count in sorted(counts.items()):
        total += count
        found[bound] = total
    return found


def at_most_us(steps: Steps, percent: float) -> int | None:
    """Returns the least upper bound in µs that this share of the calls did not exceed; None
    without calls."""
    total = max(steps.values(), default=0)
    if not total:
        return None
    return min(bound for bound, count in steps.items() if count * 100 >= total * percent)
