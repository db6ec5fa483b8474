"""When a run ends because its figures are known well enough (``--until``); no I/O.

There are few looks, each at a window half as long again as the one before. A run ends when three
looks in succession find every figure precise enough. ``tests/simulations/until.py`` measures how
often the interval at such an end holds the true value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from bench.measure.interim import LookFigure
from bench.workload.until import SUCCESSIVE, Target, look_length_s


class UntilLook(msgspec.Struct, frozen=True, kw_only=True):
    """What one figure was when a run with ``--until`` looked at it."""

    at_s: float
    """When, in seconds after the start of the run."""
    window_s: float
    """Length of the window so far."""
    asked: str
    """The precision asked for, as written."""
    value: float | None = None
    """In the metric's unit; None without data."""
    half_width: float | None = None
    """Half of the 95% confidence interval, in the metric's unit; None where ``withheld`` says why:
    ``short``, ``tail`` or ``periods``."""
    withheld: str = ""
    is_precise: bool = False
    """Whether that is as precise as asked."""


class UntilResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of ``--until`` in one run."""

    asked: list[str]
    """The precision asked for of each figure, as written."""
    ended_by: str
    """``precision``, ``duration``, or ``cut short`` where something else ended the run."""
    analyses: list[UntilLook] = []
    """What each look found of each figure, in the order of time."""

    @property
    def last(self) -> list[UntilLook]:
        """What the last look found of each figure; empty for a run that ended before the first."""
        return self.analyses[-len(self.asked) :] if self.analyses else []


@dataclass
class StoppingRule:
    """The looks of one run."""

    targets: Sequence[Target]
    analyses: list[UntilLook] = field(default_factory=list)
    _number: int = 0
    """Number of looks so far."""
    _in_succession: int = 0
    _effects: dict[str, float] = field(default_factory=dict)

    @property
    def next_s(self) -> int:
        """Length of the window at the next look."""
        return look_length_s(self._number)

    @property
    def is_reached(self) -> bool:
        """Whether the run is to end."""
        return self._in_succession >= SUCCESSIVE

    def largest_effect(self, target: Target) -> float:
        """Returns the largest design effect of a target's figure so far."""
        return self._effects.get(target.expression, 0.0)

    def note(self, at_s: float, window_s: float, figures: Mapping[str, LookFigure]) -> None:
        """Take in the figures of a look, by the expressions of their targets."""
        found = [
            look_of(target, figures[target.expression], at_s, window_s) for target in self.targets
        ]
        for target in self.targets:
            self._effects[target.expression] = figures[target.expression].effect
        self.analyses += found
        is_precise = all(each.is_precise for each in found)
        self._in_succession = self._in_succession + 1 if is_precise else 0
        self._number += 1
        while self.next_s <= window_s:  # a run that could not look for a while
            self._number += 1


def look_of(target: Target, figure: LookFigure, at_s: float, window_s: float) -> UntilLook:
    """Returns what a look found of one figure."""
    return UntilLook(
        at_s=at_s,
        window_s=window_s,
        asked=target.expression,
        value=figure.value,
        half_width=figure.half_width,
        withheld=figure.withheld,
        is_precise=target.is_reached(figure.value, figure.half_width),
    )
