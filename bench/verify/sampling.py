"""Which ids of a long list are looked at: some from both ends, and some evenly in between."""

from collections.abc import Iterable
from dataclasses import dataclass

_SMALLEST = 50
"""Ids in a span, at least."""
_MOST_SPANS = 40
"""Of one list: a span more is a command more."""
_TOWARDS_THE_END = 500
"""How far an id is followed: what workers pop in a moment."""
_AWAY_FROM_IT = 50
"""And what they give back."""


@dataclass(frozen=True)
class Span:
    """Ids [start, stop), counted from the end that workers pop: that count is the same after
    somebody has enqueued."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        """How many ids."""
        return self.stop - self.start


def spans(length: int, sample: int) -> list[Span]:
    """``min(length, sample)`` of ``length`` ids, in spans that do not overlap.

    The first begins at one end and the last ends at the other, where there is more than one.
    """
    wanted = min(length, sample)
    if wanted == 0:
        return []
    size = max(_SMALLEST, -(-wanted // _MOST_SPANS))
    left_out = length - wanted
    count = max(-(-wanted // size), min(2, wanted) if left_out else 1)
    made, start = [], 0
    for number in range(count):
        # What is left out lies evenly between the spans, and so does what does not divide.
        skipped = left_out * number // (count - 1) if count > 1 else 0
        stop = wanted * (number + 1) // count
        made.append(Span(start + skipped, stop + skipped))
        start = stop
    return made


def widened(found: Iterable[Span]) -> list[Span]:
    """Spans in which the same ids are found a moment later, when others have been popped, or a few
    given back; merged where they meet."""
    merged: list[Span] = []
    for span in sorted(found, key=lambda each: each.start):
        start, stop = max(span.start - _TOWARDS_THE_END, 0), span.stop + _AWAY_FROM_IT
        if merged and start <= merged[-1].stop:
            merged[-1] = Span(merged[-1].start, max(stop, merged[-1].stop))
        else:
            merged.append(Span(start, stop))
    return merged
