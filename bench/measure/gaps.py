"""The longest time without an event that touches a fault; pure."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.arrays import Integers
from bench.measure.fine_rows import ROW_US
from bench.measure.recovery import FaultSpan

SETTLING_US = 100_000
"""How long after a fault events may still come that were under way before it, such as tasks that a
killed worker had ended and an observer sees a moment later: a gap that begins then is of the fault.
"""


@dataclass(frozen=True)
class Gap:
    """How long nothing happened, to within a row of ten milliseconds at each end."""

    length_us: int | None
    """None where nothing happened before it, or nothing after it until the end."""
    at_least_us: int
    """The least that it can have been: shorter than ``length_us`` where somebody may have done
    something and died before it was reported."""


def longest_gap(
    rows: Integers, fault: FaultSpan, until_us: int, unknown: Sequence[tuple[int, int]] = ()
) -> Gap:
    """Returns the longest gap between events, counted per row (n,), that touches a fault, or begins
    within ``SETTLING_US`` after it.

    Events can happen until ``until_us``. In the stretches ``unknown``, in µs after the start and
    without overlaps, further events may have happened that nobody has reported.
    """
    filled = (np.flatnonzero(rows[: -(-until_us // ROW_US)]) * ROW_US).tolist()
    over_us = until_us if fault.ended_us is None else fault.ended_us
    settled_us = over_us + SETTLING_US
    inner = [
        (begin, end)
        for begin, end in itertools.pairwise(filled)
        if begin <= settled_us and end + ROW_US >= fault.began_us
    ]
    longest = max(inner, key=lambda gap: gap[1] - gap[0], default=None)
    least = 0 if longest is None else max(_known(gap, unknown) for gap in inner)
    if not filled:
        return Gap(None, until_us)
    if filled[0] > over_us:
        return Gap(None, max(least, filled[0]))
    length_us = 0 if longest is None else longest[1] - longest[0]
    is_longest = until_us - filled[-1] > length_us + ROW_US
    # After a fault that is never over, as of a server that another one replaces, events go on.
    is_last = fault.ended_us is not None and filled[-1] <= fault.ended_us
    if is_last or (filled[-1] <= settled_us and is_longest):  # nothing after it
        return Gap(None, max(least, _known((filled[-1], until_us), unknown)))
    return Gap(None if longest is None else length_us, least)


def _known(gap: tuple[int, int], unknown: Sequence[tuple[int, int]]) -> int:
    """The longest part of a gap in which it is known that nothing happened."""
    pieces, begin = [], gap[0]
    for first, last in sorted(unknown):
        if last > begin and first < gap[1]:
            pieces.append(first - begin)
            begin = max(begin, last)
    return max([*pieces, gap[1] - begin, 0])
