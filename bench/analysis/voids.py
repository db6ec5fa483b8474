"""Pairs that are void because their canaries disagree: the machine changed within the pair.

A canary exercises the machine alone, so whether a pair is void does not depend on the figures that
are compared, and leaving void pairs out favours neither side.
"""

from collections.abc import Iterator
from itertools import combinations

from bench.measure.canary import Canary, changes
from bench.records.comparison_record import Disagreement
from bench.records.run_record import RunRecord

MOST_APART = {"spin": 0.45, "memory": 0.45, "loopback": 0.9, "round": 1.5}
"""By how much of the smaller one the times of a pair's canaries may differ: the fastest of each
piece of work, and the mean of a round of all three.

It is more than what makes the warning of a single run: a void pair costs two runs. On a busy
machine, a loop takes a third longer while another program uses the other half of its core, and a
round trip 60% longer. That is how such a machine is all the time, and no reason to measure again.
"""
LEAST_S = 0.4
"""A shorter canary is not used: whether it ever ran undisturbed, and how often it did not, is
chance."""


def disagreement(one: RunRecord, other: RunRecord) -> Disagreement | None:
    """Returns where the canaries of a pair's runs disagree most; None where they agree.

    All of them are compared, those before and those after both runs. One that is missing or
    short agrees with every other.
    """
    found = [
        disagreed
        for (first, before), (second, after) in combinations(_canaries(one, other), 2)
        for disagreed in _between(first, before, second, after)
    ]
    return max(found, key=lambda each: each.share / MOST_APART[each.work], default=None)


def _canaries(*pair: RunRecord) -> Iterator[tuple[str, Canary]]:
    """Yields the canaries that can tell, in the order in which they were timed, and when that
    was."""
    ordered = sorted(pair, key=lambda record: record.started_at)
    for run, record in zip(("first", "second"), ordered, strict=True):
        timed = record.canary
        if timed is None:
            continue
        for moment, canary in (("before", timed.before), ("after", timed.after)):
            if canary is not None and canary.took_s >= LEAST_S and canary.rounds > 0:
                yield f"{moment} the {run} run", canary


def _between(first: str, before: Canary, second: str, after: Canary) -> Iterator[Disagreement]:
    apart = [(each.kind, each.before_s, each.after_s) for each in changes(before, after)]
    apart.append(("round", before.took_s / before.rounds, after.took_s / after.rounds))
    for work, before_s, after_s in apart:
        (fastest_s, fastest), (slowest_s, slowest) = sorted([(before_s, first), (after_s, second)])
        disagreed = Disagreement(
            work=work,
            fastest_s=fastest_s,
            fastest=fastest,
            slowest_s=slowest_s,
            slowest=slowest,
        )
        if disagreed.share > MOST_APART[work]:
            yield disagreed
