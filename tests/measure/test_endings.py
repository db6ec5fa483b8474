"""What became of tasks that left no trace, from what the counters of their queue gained."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure.endings import CountedEnds, CounterReadings, resolve, rules_of
from bench.measure.ledger import Counts
from bench.wire.layout_contract import CounterRules

RULES: Sequence[CounterRules] = ("attempts", "tasks")


def stable(processed: int, failed: int) -> CounterReadings:
    """Counters that did not move while the tasks were looked at."""
    return CounterReadings(CountedEnds(processed, failed), CountedEnds(processed, failed))


def ended(completed: int = 0, failed: int = 0, gone: int = 0) -> Counts:
    total = completed + failed + gone
    return Counts(
        due=total, enqueued=total, completed=completed, failed=failed, outcome_unknown=gone
    )


@pytest.mark.parametrize(
    ("rules", "known", "counted", "expected", "excess"),
    [
        # (completed, failed, gone) known, (processed, failed) counted,
        # (completed, failed, outcome unknown) expected.
        ("tasks", (0, 0, 3000), (2850, 150), (2850, 150, 0), 0),
        ("tasks", (0, 0, 10), (10, 0), (10, 0, 0), 0),
        ("tasks", (4, 2, 10), (10, 6), (10, 6, 0), 0),
        ("tasks", (10, 3, 0), (10, 3), (10, 3, 0), 0),
        ("tasks", (0, 0, 10), (8, 1), (8, 1, 1), -1),  # a worker died before it counted
        ("tasks", (0, 0, 10), (10, 1), (9, 0, 1), 1),  # a task ran twice
        ("tasks", (9, 0, 0), (8, 0), (9, 0, 0), -1),
        ("tasks", (9, 0, 0), (11, 0), (9, 0, 0), 2),
        ("attempts", (0, 0, 10), (10, 0), (10, 0, 0), 0),
        ("attempts", (0, 0, 10), (14, 4), (10, 0, 0), 0),  # four attempts were retried
        ("attempts", (0, 10_000, 500), (10_500, 10_500), (0, 10_500, 0), 0),  # a full archive
        ("attempts", (0, 1, 10), (11, 3), (8, 3, 0), 0),
        ("attempts", (0, 0, 10), (9, 0), (9, 0, 1), -1),
        ("attempts", (0, 0, 10), (12, 0), (10, 0, 0), 2),
    ],
)
def test_counters_split_what_is_gone_exactly_or_bound_it(
    rules: CounterRules,
    known: tuple[int, int, int],
    counted: tuple[int, int],
    expected: tuple[int, int, int],
    excess: int,
) -> None:
    found = resolve(ended(*known), stable(*counted), rules)
    counts = found.counts
    assert (counts.completed, counts.failed, counts.outcome_unknown) == expected
    assert found.excess == excess
    assert counts.duplicated == max(excess, 0)


def test_counters_of_attempts_show_the_attempts_that_were_retried() -> None:
    found = resolve(ended(completed=2, failed=1, gone=7), stable(15, 6), "attempts").counts
    assert (found.completed, found.failed, found.retried) == (9, 1, 5)


def test_tasks_that_may_have_ended_twice_widen_the_bounds() -> None:
    found = resolve(ended(gone=10), stable(8, 3), "tasks", late=1).counts
    assert (found.completed, found.failed, found.outcome_unknown) == (6, 1, 3)
    exact = resolve(ended(gone=10), stable(8, 2), "tasks", late=1).counts
    assert (exact.completed, exact.failed, exact.outcome_unknown) == (8, 2, 0)


def test_what_workers_have_reported_is_not_counted_a_second_time() -> None:
    """Counters have the retries and the second ends that surviving workers reported, too."""
    known = Counts(due=100, enqueued=100, completed=100, retried=10, duplicated=1)
    found = resolve(known, stable(111, 10), "attempts")
    assert (found.counts.retried, found.counts.duplicated, found.excess) == (10, 1, 0)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ((10, 0), (10, 0), (10, 0, 0)),
        ((10, 0), (15, 2), (8, 0, 2)),  # five more ended well meanwhile, and two failed
        ((7, 2), (8, 2), (7, 2, 1)),  # its last count came late
    ],
)
def test_workers_that_go_on_while_tasks_are_looked_at_widen_bounds_and_duplicate_nothing(
    first: tuple[int, int], last: tuple[int, int], expected: tuple[int, int, int]
) -> None:
    readings = CounterReadings(CountedEnds(*first), CountedEnds(*last))
    found = resolve(ended(gone=10), readings, "tasks")
    counts = found.counts
    assert (counts.completed, counts.failed, counts.outcome_unknown) == expected
    assert counts.duplicated == 0
    assert found.excess == 0


def test_counters_that_moved_past_the_number_of_ends_leave_their_rules_open() -> None:
    readings = CounterReadings(CountedEnds(8, 1), CountedEnds(12, 1))
    assert rules_of([], 10, readings) is None


@pytest.mark.parametrize(
    ("registered", "counted", "rules"),
    [
        (["attempts"], (0, 0), "attempts"),
        (["tasks"], (99, 99), "tasks"),
        ([], (10, 0), "attempts"),  # nothing failed: both rules say the same
        ([], (10, 3), "attempts"),
        ([], (7, 3), "tasks"),
        (["attempts", "tasks"], (7, 3), "tasks"),
        (["attempts", "tasks"], (12, 3), "attempts"),
    ],
)
def test_the_rules_are_those_of_the_registered_worker_else_of_the_figures(
    registered: list[CounterRules], counted: tuple[int, int], rules: CounterRules
) -> None:
    assert rules_of(registered, 10, stable(*counted)) == rules


ENDS = st.tuples(st.booleans(), st.booleans(), st.integers(0, 3))
"""Whether a task succeeded, whether its hash stayed, and how many attempts were retried before."""


def counted_by(rules: CounterRules, ends: Sequence[tuple[bool, bool, int]]) -> CounterReadings:
    """What a worker of that kind counts of these tasks."""
    good = sum(succeeded for succeeded, _, _ in ends)
    bad, retried = len(ends) - good, sum(attempts for _, _, attempts in ends)
    if rules == "attempts":
        return stable(good + bad + retried, bad + retried)
    return stable(good, bad)


@given(st.sampled_from(RULES), st.lists(ENDS))
def test_a_worker_that_counted_everything_is_agreed_with_to_the_task(
    rules: CounterRules, ends: list[tuple[bool, bool, int]]
) -> None:
    found = resolve(_seen(ends), counted_by(rules, ends), rules)
    good = sum(succeeded for succeeded, _, _ in ends)
    assert (found.counts.completed, found.counts.failed) == (good, len(ends) - good)
    assert (found.counts.outcome_unknown, found.excess) == (0, 0)


@given(st.lists(ENDS), st.lists(ENDS))
def test_bounds_hold_whatever_a_worker_of_runqy_died_before_counting(
    counted: list[tuple[bool, bool, int]], missed: list[tuple[bool, bool, int]]
) -> None:
    """It counts after the end. (asynq's worker counts in the script that ends the task.)"""
    ends = [*counted, *missed]
    found = resolve(_seen(ends), counted_by("tasks", counted), "tasks")
    counts = found.counts
    good = sum(succeeded for succeeded, _, _ in ends)
    assert counts.completed <= good <= counts.completed + counts.outcome_unknown
    assert counts.failed <= len(ends) - good <= counts.failed + counts.outcome_unknown
    assert counts.ended == len(ends)
    assert found.excess == -len(missed)


def _seen(ends: Sequence[tuple[bool, bool, int]]) -> Counts:
    """What the hashes show."""
    kept = [succeeded for succeeded, stayed, _ in ends if stayed]
    return ended(sum(kept), len(kept) - sum(kept), len(ends) - len(kept))
