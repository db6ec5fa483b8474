"""How tasks ended that left no trace of it, by what the counters of their queue gained.

A worker may delete a task's hash however the task ended. Then only the queue's own counters tell
successes from failures, and they mean different things by who keeps them:

    rules      kept by        processed                   failed                  successes
    attempts   asynq          attempts that ended,        attempts that failed    processed - failed
                              failed ones too
    tasks      runqy-worker   tasks that succeeded        tasks that failed       processed
                                                          for good

Counters that fit the number of tasks that ended split these exactly. Counters that do not fit (a
runqy-worker died between an end and its count, or a task ran twice) bound the split; the rest stays
unknown. asynq counts in the script that ends a task, so that no end is missing there.
"""

from collections.abc import Collection
from dataclasses import dataclass

import msgspec

from bench.measure.ledger import Counts
from bench.wire.layout_contract import CounterRules


class CountedEnds(msgspec.Struct, frozen=True):
    """What the two counters of a queue gained during a run."""

    processed: int = 0
    failed: int = 0

    def plus(self, other: "CountedEnds") -> "CountedEnds":
        """Returns the sum of both."""
        return CountedEnds(self.processed + other.processed, self.failed + other.failed)

    def successes(self, rules: CounterRules) -> int:
        """Returns the number of successes by these rules."""
        return self.processed - self.failed if rules == "attempts" else self.processed


def counted_for(counts: Counts, rules: CounterRules) -> CountedEnds:
    """Returns what counters have of a queue's tasks at most, by these rules."""
    failed = counts.failed + counts.outcome_unknown
    completed = counts.completed + counts.duplicated
    if rules == "tasks":
        return CountedEnds(completed + counts.outcome_unknown, failed)
    failed += counts.retried
    return CountedEnds(completed + failed, failed)


@dataclass(frozen=True)
class ResolvedEnds:
    """The counts of a queue after its counters were read."""

    counts: Counts
    excess: int
    """Ends that the counters have beyond the tasks that ended; negative where ends are missing."""


@dataclass(frozen=True)
class CounterReadings:
    """What the counters of a queue had gained at two moments: just before the last task was looked
    at, and just after. Workers that went on in between have counted more by the second one."""

    first: CountedEnds
    last: CountedEnds

    def plus(self, other: "CounterReadings") -> "CounterReadings":
        """Returns the sum of both, reading by reading."""
        return CounterReadings(self.first.plus(other.first), self.last.plus(other.last))


def rules_of(
    registered: Collection[CounterRules], ended: int, counted: CounterReadings
) -> CounterRules | None:
    """Returns the rules of counters that ``ended`` tasks have moved; None if that is not clear.

    ``registered`` are the rules of the workers that were registered for the queues. Where these are
    none or several, the figures decide: a counter of attempts has each task that ended at least
    once, a counter of successes has no failed one.
    """
    if len(set(registered)) == 1:
        return next(iter(registered))
    if counted.first.processed >= ended:
        return "attempts"
    return "tasks" if counted.last.processed < ended else None


def resolve(
    counts: Counts, counted: CounterReadings, rules: CounterRules, late: int = 0
) -> ResolvedEnds:
    """Returns a queue's counts with the tasks of unknown outcome split as far as counters allow.

    ``late`` is the number of tasks that ended after their lease had, and may have been counted
    twice, which widens bounds. What was known before stays: ``completed`` is at least that many
    afterwards, ``completed + outcome_unknown`` at most.
    """
    first, last = (_resolve(counts, each, rules, late) for each in (counted.first, counted.last))
    completed = min(first.counts.completed, last.counts.completed)
    failed = min(first.counts.failed, last.counts.failed)
    return ResolvedEnds(
        msgspec.structs.replace(
            counts,
            completed=completed,
            failed=failed,
            outcome_unknown=counts.ended - completed - failed,
            retried=min(first.counts.retried, last.counts.retried),
            duplicated=min(first.counts.duplicated, last.counts.duplicated),
        ),
        _nearest_zero(first.excess, last.excess),
    )


def _resolve(counts: Counts, counted: CountedEnds, rules: CounterRules, late: int) -> ResolvedEnds:
    gone = counts.outcome_unknown
    # Ends again after the first, of which workers have reported, have been counted as well.
    by_successes = counted.successes(rules) - counts.completed - counts.duplicated
    most_failed = counted.failed - counts.failed
    low = gone - most_failed
    high = gone if rules == "attempts" else low
    excess = _distance(by_successes, low, high)
    nearest = by_successes - excess
    slack = late if excess else 0
    fewest = _within(min(by_successes, nearest) - slack, gone)
    most = _within(max(by_successes, nearest) + slack, gone)
    retried = most_failed - (gone - fewest) if rules == "attempts" and not excess else 0
    return ResolvedEnds(
        msgspec.structs.replace(
            counts,
            completed=counts.completed + fewest,
            failed=counts.failed + gone - most,
            outcome_unknown=most - fewest,
            retried=max(counts.retried, retried),
            duplicated=counts.duplicated + max(excess, 0),
        ),
        excess,
    )


def _distance(value: int, low: int, high: int) -> int:
    """How far a value is above an interval, or, negative, below it."""
    return max(value - high, 0) + min(value - low, 0)


def _nearest_zero(first: int, second: int) -> int:
    """The value between these two that is nearest to zero."""
    if (first > 0) != (second > 0) or (first < 0) != (second < 0):
        return 0
    return min(first, second, key=abs)


def _within(value: int, most: int) -> int:
    return min(max(value, 0), most)
