"""Spans of a list: as many ids as asked for, from both ends and between."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.verify.sampling import Span, spans, widened

_LENGTHS = st.integers(0, 10**7)
_SAMPLES = st.integers(1, 100_000)


@pytest.mark.parametrize(
    ("length", "sample", "expected"),
    [
        (0, 1000, []),
        (7, 1000, [(0, 7)]),
        (100, 1, [(0, 1)]),
        (100, 2, [(0, 1), (99, 100)]),
        (1000, 150, [(0, 50), (475, 525), (950, 1000)]),
    ],
)
def test_spans_by_hand(length: int, sample: int, expected: list[tuple[int, int]]) -> None:
    assert [(span.start, span.stop) for span in spans(length, sample)] == expected


@given(length=_LENGTHS, sample=_SAMPLES)
def test_spans_hold_what_was_asked_for_once_and_are_few(length: int, sample: int) -> None:
    made = spans(length, sample)
    assert sum(span.size for span in made) == min(length, sample)
    assert len(made) <= 40
    assert all(one.stop <= other.start for one, other in pairwise(made))
    assert all(span.size > 0 for span in made)
    if length:
        assert made[0].start == 0
    if len(made) > 1:
        assert made[-1].stop == length


@given(length=_LENGTHS, sample=_SAMPLES)
def test_spans_leave_out_evenly(length: int, sample: int) -> None:
    gaps = [other.start - one.stop for one, other in pairwise(spans(length, sample))]
    assert not gaps or max(gaps) - min(gaps) <= 1


@given(length=_LENGTHS, sample=_SAMPLES, popped=st.integers(0, 500))
def test_a_span_is_found_again_after_some_were_popped(
    length: int, sample: int, popped: int
) -> None:
    made = spans(length, sample)
    again = widened(made)
    assert all(one.stop < other.start for one, other in pairwise(again))
    for span in made:
        left = Span(max(span.start - popped, 0), max(span.stop - popped, 0))
        assert any(each.start <= left.start and left.stop <= each.stop for each in again)
