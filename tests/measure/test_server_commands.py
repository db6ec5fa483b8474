"""Cumulative histograms of a server, and what they gained."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure.server_commands import Steps, added, at_most_us, grown

COUNTS = st.dictionaries(st.sampled_from([1, 2, 4, 8, 16, 33, 66, 132]), st.integers(1, 50))


def steps(counts: dict[int, int]) -> Steps:
    """The histogram of so many calls by their bound, as a server writes it."""
    total, found = 0, {}
    for bound, count in sorted(counts.items()):
        total += count
        found[bound] = total
    return found


@given(COUNTS, COUNTS)
def test_what_was_added_is_what_has_grown(first: dict[int, int], more: dict[int, int]) -> None:
    both = added([steps(first), steps(more)])
    assert grown(steps(first), both) == steps(more)
    assert grown({}, steps(more)) == steps(more)


@pytest.mark.parametrize(
    ("before", "after"),
    [({1: 5}, {1: 4}), ({1: 5}, {}), ({1: 5, 2: 9}, {1: 6, 2: 9})],
    ids=["fewer", "emptied", "moved"],
)
def test_a_histogram_that_has_lost_calls_is_not_subtracted(before: Steps, after: Steps) -> None:
    assert grown(before, after) is None


def test_a_percentile_is_the_least_bound_that_the_share_did_not_exceed() -> None:
    found = steps({2: 50, 8: 49, 66: 1})
    assert [at_most_us(found, percent) for percent in (50, 99, 99.1, 100)] == [2, 8, 66, 66]
    assert at_most_us({}, 50) is None
