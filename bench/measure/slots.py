"""What the slots of the workers had to do, and how many slots an offered rate needs."""

import math
from dataclasses import dataclass

from bench import units

BUSY_SLOTS = 0.9
"""Share of the slots' time in service from which on they are the limit."""
_ROUNDING = 1e-6
"""So that 1,000/s of 5 ms need 5 slots, and not 6 for the last digit of a product."""


@dataclass(frozen=True, kw_only=True)
class SlotUse:
    """The slots of all workers, each of which serves one task at a time."""

    workers: int = 1
    """Worker processes; zero if how many there are is not known."""
    concurrency: int = 1
    """Slots of each."""
    prefetch: int = 1
    """Tasks that each takes at most; from 2 on, no more slots than that can be busy."""
    busy: float | None = None
    """Share of the slots' time in which a task was in service; None if that is not known."""
    drawn: float | None = None
    """The part of it that is the drawn service times, which no quicker machine would shorten."""
    offered_per_s: float = 0.0
    """The highest offered rate; zero in a closed loop, which has none."""
    needed: float | None = None
    """Slots that are busy on average at that rate, by Little's law: the rate times the mean time
    that a task, with all of its attempts, holds a slot. None if that is not known."""

    @property
    def of_each(self) -> int:
        """Slots of one worker that can be busy at the same time."""
        return self.concurrency if self.prefetch == 1 else min(self.concurrency, self.prefetch)

    @property
    def slots(self) -> int:
        """Slots of all workers that can be busy at the same time."""
        return self.workers * self.of_each

    @property
    def are_busy(self) -> bool:
        """Whether the slots had no time left."""
        return self.busy is not None and self.busy >= BUSY_SLOTS

    @property
    def are_busy_by_design(self) -> bool:
        """Whether the drawn service times alone left the slots no time."""
        return self.drawn is not None and self.drawn >= BUSY_SLOTS


def slots_sentence(use: SlotUse) -> str:
    """What it means that the slots had no time left, and how many the offered rate needs."""
    share = 0.0 if use.busy is None else min(use.busy, 1.0)
    each = f"the {use.slots} slots of the workers were"
    if use.slots == 1:
        each = "the worker's one slot was"
    elif use.workers == 1:
        each = f"the worker's {use.slots} slots were"
    text = f"bound by slots: {each} busy {share:.0%} of the time"
    if not use.needed or not use.offered_per_s:
        return f"{text}; raise --concurrency, or add workers"
    return f"{text}; {needs_clause(use)}: {_cure(use)}"


def needs_clause(use: SlotUse) -> str:
    """How many slots the offered rate needs, and how busy they are then; empty if not known."""
    if not use.needed or not use.offered_per_s:
        return ""
    least = max(math.ceil(use.needed - _ROUNDING), 1)
    text = f"{units.format_rate(use.offered_per_s)} needs at least {_slots(least)}"
    text += f" (busy {use.needed / least:.0%})"
    spare = _with_spare(use.needed)
    return text if spare == least else f"{text}, and {spare} to keep them below {BUSY_SLOTS:.0%}"


def _cure(use: SlotUse) -> str:
    """The flags that give so many slots that they are not busy all the time."""
    wanted = _with_spare(use.needed or 0.0)
    of_each = math.ceil(wanted / use.workers)
    flags = f"--concurrency {of_each}" if of_each > use.concurrency else ""
    if 1 < use.prefetch < of_each:
        flags = f"{flags} --prefetch {of_each}".strip()
    more = f"--workers {math.ceil(wanted / use.of_each)}"
    return f"set {flags}, or {more}" if flags else f"set {more}"


def _with_spare(needed: float) -> int:
    """The fewest slots that are below ``BUSY_SLOTS`` then."""
    return max(math.floor(needed / BUSY_SLOTS + _ROUNDING) + 1, 1)


def _slots(count: int) -> str:
    return "1 slot" if count == 1 else f"{count:,} slots"
