"""A canary: fixed pieces of work that exercise the machine alone, timed before and after a run.

They need no server and no queue. If they take longer after a run than before it, or in one run than
in another, the machine has changed, and what was measured on it differs for that reason, too. In
"The Use of Change Point Detection to Identify Software Performance Regressions in a Continuous
Integration System" (Daly et al., ICPE 2020) MongoDB's performance team describes such tests.
"""

import msgspec

KINDS = ("spin", "memory", "loopback")
MOST_APART = {"spin": 0.10, "memory": 0.25, "loopback": 0.25}
"""By how much of the smaller one the fastest times of two canaries may differ."""

LEAST_ROUNDS = 100
"""With fewer rounds, not even the fastest of them need have been undisturbed."""


class Timing(msgspec.Struct, frozen=True):
    """How long one piece of work took, of all times that it was done."""

    min_s: float
    """The fastest: what disturbs a piece of work only makes it longer, so this depends least on
    what else the machine did."""
    median_s: float


class Canary(msgspec.Struct, frozen=True, kw_only=True):
    """What the pieces of work took, all in one process."""

    spin: Timing
    """A loop of the interpreter."""
    memory: Timing
    """Copying 4 MB."""
    loopback: Timing
    """A round trip of 64 bytes through a TCP connection of the loopback interface."""
    rounds: int
    """How often each was done."""
    took_s: float
    """How long all of it took."""


class Canaries(msgspec.Struct, frozen=True):
    """The canary before a run and the one after it; None where the run was cut short."""

    before: Canary
    after: Canary | None = None


class CanaryChange(msgspec.Struct, frozen=True):
    """One piece of work of two canaries: by how much the second one's fastest time differs."""

    kind: str
    before_s: float
    after_s: float

    @property
    def share(self) -> float:
        """The difference as a share of the first time; positive where the second is longer."""
        return self.after_s / self.before_s - 1.0 if self.before_s else 0.0

    @property
    def is_apart(self) -> bool:
        """Whether it is more than two canaries of an unchanged machine differ by."""
        low, high = sorted((self.before_s, self.after_s))
        return high > low * (1 + MOST_APART[self.kind])


def changes(before: Canary, after: Canary) -> list[CanaryChange]:
    """Returns the difference of each piece of work, in a fixed order."""
    pairs = ((kind, getattr(before, kind), getattr(after, kind)) for kind in KINDS)
    return [CanaryChange(kind, first.min_s, second.min_s) for kind, first, second in pairs]


def disagreement(before: Canary, after: Canary) -> list[CanaryChange]:
    """Returns the pieces of work in which two canaries differ by more than chance; empty where they
    agree, or one is too short to tell.

    Which of the two came first makes no difference, and nothing that a run measures does.
    """
    if min(before.rounds, after.rounds) < LEAST_ROUNDS:
        return []
    return [each for each in changes(before, after) if each.is_apart]
