"""Which ids of a long list are read: some from both ends, and some evenly in between."""

from collections.abc import Iterable
from dataclasses import dataclass

_SMALLEST = 50
"""Least number of ids in a span."""
_MOST_SPANS = 40
"""Most spans of one list: each takes a command."""
_TOWARDS_THE_END = 500
"""Ids by which a span is widened towards the end that is popped, for what workers pop meanwhile."""
_AWAY_FROM_IT = 50
"""Ids by which a span is widened the other way, for what workers put back meanwhile."""


@dataclass(frozen=True)
class Span:
    """The ids [start, stop), counted from the end that workers pop.

    Counted from there, an id keeps its number when others are enqueued.
    """

    start: int
    stop: int

    @property
    def size(self) -> int:
        """Number of ids."""
        return self.stop - self.start


def spans(length: int, sample: int) -> list[Span]:
    """Returns ``min(length, sample)`` of ``length`` ids, as spans that do not overlap.

    If there is more than one span, the first begins at one end and the last ends at the other.
    """
    wanted = min(length, sample)
    if wanted == 0:
        return []
    size = max(_SMALLEST, -(-wanted // _MOST_SPANS))
    left_out = length - wanted
    count = max(-(-wanted // size), min(2, wanted) if left_out else 1)
    made, start = [], 0
    for number in range(count):
        # What is left out lies evenly between the spans, and so does the remainder of the division.
        skipped = left_out * number // (count - 1) if count > 1 else 0
        stop = wanted * (number + 1) // count
        made.append(Span(start + skipped, stop + skipped))
        start = stop
    return made


def widened(found: Iterable[Span]) -> list[Span]:
    """Returns spans that hold the same ids a moment later, after workers popped some ids or put a
    few back; spans that meet are merged."""
    merged: list[Span] = []
    for span in sorted(found, key=lambda each: each.start):
        start, stop = max(span.start - _TOWARDS_THE_END, 0), span.stop + _AWAY_FROM_IT
        if merged and start <= merged[-1].stop:
            merged[-1] = Span(merged[-1].start, max(stop, merged[-1].stop))
        else:
            merged.append(Span(start, stop))
    return merged
