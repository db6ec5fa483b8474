"""Which faults of a plan are under way at a moment, and which one comes next; pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.workload.faults import Fault

SHOWN_S = 1.0
"""How long a fault counts as under way that is over at once: a display is renewed in less."""


@dataclass(frozen=True)
class FaultsAt:
    """The faults of a plan at one moment."""

    under_way: Sequence[Fault] = ()
    next: Fault | None = None
    """The next one to begin; None after the last."""


def faults_at(plan: Sequence[Fault], elapsed_s: float) -> FaultsAt:
    """Returns the state of a plan, in the order of its moments, by the plan alone."""
    return FaultsAt(
        [each for each in plan if each.at_s <= elapsed_s < each.at_s + max(each.lasts_s, SHOWN_S)],
        next((each for each in plan if each.at_s > elapsed_s), None),
    )
