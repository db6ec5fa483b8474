"""When a figure of a run is back where it had been before a fault; pure.

The *level* of a figure is what it was in the last seconds before the fault in which nothing else
disturbed it. A *disturbance* is a stretch of time in which the figure is not at its level, beyond
what chance explains. The figure is back at the end of the last disturbance of a chain: the first
begins at the latest ``HOLD_US`` after the fault is over, each further one within ``HOLD_US`` of the
end of the one before. So a figure that is back stays back for at least that time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

HOLD_US = 2_000_000
"""How long a figure must stay at its level to be back."""
LEAST_HOLD_US = 500_000
"""How much of that time must be part of the run: of a run that ends before, nothing is known."""
LEVEL_US = 5_000_000
"""The time before a fault from which the level is taken, at most."""
LEAST_LEVEL_US = 500_000
"""The shortest time from which it can be taken."""


@dataclass(frozen=True)
class Disturbance:
    """A stretch of time in µs after the start; ``end_us`` is None where it was not over."""

    begin_us: int
    end_us: int | None


@dataclass(frozen=True)
class FaultSpan:
    """When a fault began and was over, in µs after the start; None where it was not over."""

    began_us: int
    ended_us: int | None


@dataclass(frozen=True)
class Recovery:
    """When a figure was back."""

    has_level: bool
    """Whether there was a level before the fault to come back to."""
    after_us: int | None = None
    """From the begin of the fault until the figure was back; None where it was not back by the end,
    and without a level."""


Level = TypeVar("Level")


class Figure(Protocol[Level]):
    """A figure that is known throughout a run."""

    @property
    def until_us(self) -> int:
        """Until when it can be at its level, in µs after the start."""

    def level(self, from_us: int, until_us: int) -> Level | None:
        """Returns the level in this time; None where there was none."""

    def disturbances(self, level: Level, from_us: int) -> Sequence[Disturbance]:
        """Returns the disturbances from then on, in their order."""


def recoveries(faults: Sequence[FaultSpan], figure: Figure[Level], start_us: int) -> list[Recovery]:
    """Returns when a figure was back after each fault; ``faults`` are in their order.

    ``start_us`` is where the time begins from which levels are taken, such as the end of the
    warm-up. A fault that begins before the figure was back has the level of the fault before it.
    """
    found: list[Recovery] = []
    level: Level | None = None
    calm_from_us: int | None = start_us
    for fault in faults:
        if calm_from_us is not None:
            first_us = max(calm_from_us, fault.began_us - LEVEL_US)
            if fault.began_us - first_us >= LEAST_LEVEL_US:
                level = figure.level(first_us, fault.began_us)
        if level is None:
            found.append(Recovery(has_level=False))
            calm_from_us = fault.ended_us
            continue
        back_us = _back_us(fault, figure.disturbances(level, fault.began_us), figure.until_us)
        after_us = None if back_us is None else back_us - fault.began_us
        found.append(Recovery(has_level=True, after_us=after_us))
        is_over = back_us is not None and fault.ended_us is not None
        calm_from_us = max(back_us or 0, fault.ended_us or 0) if is_over else None
    return found


def _back_us(fault: FaultSpan, disturbances: Sequence[Disturbance], until_us: int) -> int | None:
    """When the figure was back, in µs after the start; None where it was not."""
    back_us = fault.began_us
    over_us = until_us if fault.ended_us is None else fault.ended_us
    watched_us = max(fault.began_us, over_us) + HOLD_US
    for each in disturbances:
        if each.end_us is not None and each.end_us <= fault.began_us:
            continue
        if each.begin_us > watched_us:
            break
        if each.end_us is None:
            return None
        back_us = each.end_us
        watched_us = max(watched_us, back_us + HOLD_US)
    return back_us if back_us + LEAST_HOLD_US <= until_us else None
