"""Which queues a draft has, in which order, and with which shares of the load."""

from collections.abc import Callable, Mapping, Sequence

from bench.errors import UsageError
from bench.names import require_queue_name
from bench.survey.observed import Survey
from bench.survey.traffic import Traffic
from bench.wire.layout_contract import split_queue
from bench.workload.queue_weights import MOST_QUEUES

_FEWEST = 20
"""Arrivals from which shares follow them."""
_URGENCY = (
    ("critical", "urgent", "realtime", "interactive"),
    ("high", "important", "fast", "express"),
    ("default", "normal", "medium", "standard"),
    ("low", "slow", "background", "batch", "bulk"),
)
"""Words in the names of queues, the highest priority first."""
_LEAST_SHARE = 0.001


def usable(found: Survey, seen: Traffic) -> tuple[list[str], list[str]]:
    """Returns the queues that one scenario can have, highest priority first, and notes about those
    that it cannot have."""
    names, notes = [], []
    for name in found.queues:
        try:
            names.append(require_queue_name(name))
        except UsageError as error:
            notes.append(f"left out: {error}")
    if found.layout.needs_parent:
        names, more = _of_one_parent(names, found, seen)
        notes += more
    names.sort(key=lambda each: (_urgency(each), each))
    return names[:MOST_QUEUES], notes


def shares(names: Sequence[str], found: Survey, seen: Traffic) -> tuple[dict[str, int], str]:
    """Returns the weight of each queue in percent of the load, and where it came from."""
    last = found.readings[-1].queues
    bases: tuple[tuple[str, Mapping[str, float], float], ...] = (
        (f"sampled: arrivals within {seen.watched_s:.1f} s", seen.arrived, _FEWEST),
        ("counters: tasks that ended yesterday", found.day_ends, 1),
        (
            "counters: tasks since they began",
            {name: float(each.processed or 0) for name, each in last.items()},
            1,
        ),
        ("sampled: tasks", _by_queue(names, lambda name: _sampled(found, name)), 1),
        (
            "lengths: tasks that have not ended",
            {name: float(each.unfinished) for name, each in last.items()},
            1,
        ),
    )
    for origin, basis, least in bases:
        parts = {name: basis.get(name, 0.0) for name in names}
        total = sum(parts.values())
        if total >= least:
            counts = ", ".join(f"{name} {part:,.0f}" for name, part in parts.items())
            text = origin if len(names) > 12 else f"{origin} ({counts})"
            return {name: _weight(part / total) for name, part in parts.items()}, text
    return dict.fromkeys(names, 1), "assumed: equal shares, since no queue has had a task"


def _of_one_parent(
    names: Sequence[str], found: Survey, seen: Traffic
) -> tuple[list[str], list[str]]:
    """The sub-queues of the parent with the most tasks: a scenario of this layout has one."""
    by_parent: dict[str, list[str]] = {}
    lacking = []
    for name in names:
        parent, sub_queue = split_queue(name, found.layout.separator)
        if parent and sub_queue:
            by_parent.setdefault(parent, []).append(name)
        else:
            lacking.append(name)
    notes = [f"left out: {', '.join(lacking)}, without a parent"] if lacking else []
    if not by_parent:
        return [], notes
    last = found.readings[-1].queues

    def load(parent: str) -> tuple[float, float]:
        members = by_parent[parent]
        tasks = sum(last[each].unfinished + _sampled(found, each) for each in members)
        return sum(seen.arrived.get(each, 0.0) for each in members), tasks

    busiest = max(by_parent, key=load)
    rest = sorted({*by_parent} - {busiest})
    if rest:
        notes.append(
            f"left out: the queues of {', '.join(rest)}, since one run serves one parent; this is "
            f"the busiest"
        )
    return by_parent[busiest], notes


def _by_queue(names: Sequence[str], count: Callable[[str], int]) -> dict[str, float]:
    return {name: float(count(name)) for name in names}


def _sampled(found: Survey, name: str) -> int:
    return sum(task.queue == name for task in found.tasks)


def _urgency(name: str) -> int:
    words = name.lower()
    return next(
        (place for place, known in enumerate(_URGENCY) if any(each in words for each in known)), 2
    )


def _weight(share: float) -> int:
    """A share in tenths of a percent, as a whole number of at least one."""
    return max(round(share / _LEAST_SHARE), 1)
