"""A small chart of one curve in a few lines of text: of braille dots, or of letters."""

from collections.abc import Callable, Sequence

_BLANK = "\u2800"
_LEFT_DOTS = (0x00, 0x40, 0x44, 0x46, 0x47)
"""Bits of the left half of a braille letter that is filled from below, by its level."""
_RIGHT_DOTS = (0x00, 0x80, 0xA0, 0xB0, 0xB8)
_LETTERS = (" ", ".", ":", "#")
"""What stands for a cell by its level where there is no braille."""


def sparkline(
    values: Sequence[float | None], cells: int, rows: int, *, is_ascii: bool = False
) -> list[str]:
    """Returns a chart, top row first, whose area is filled from zero to each value.

    The largest value fills ``rows``; zero shows as the lowest dot, and None as nothing. Each value
    has a cell of its own or, where there are more than ``cells``, half a cell; of the values in the
    same half, the largest is shown. In ASCII a cell has one value. No row has blanks at its end.
    """
    columns = cells if is_ascii or len(values) <= cells else 2 * cells
    shown = _grouped(values, columns)
    per_row = len(_LETTERS) - 1 if is_ascii else len(_LEFT_DOTS) - 1
    levels = _levels(shown, per_row * rows)
    if is_ascii:
        return _rows(rows, per_row, [(each,) for each in levels], _letter)
    pairs = zip(levels[::2], [*levels[1::2], 0], strict=False)
    halves = list(pairs) if columns > cells else [(each, each) for each in levels]
    return _rows(rows, per_row, halves, _braille)


def _grouped(values: Sequence[float | None], most: int) -> list[float | None]:
    """At most so many values: of each few in a row, the largest."""
    size = -(-len(values) // most) or 1
    groups = [values[start : start + size] for start in range(0, len(values), size)]
    return [max((each for each in group if each is not None), default=None) for group in groups]


def _levels(values: Sequence[float | None], most: int) -> list[int]:
    top = max((each for each in values if each is not None), default=0.0)
    return [
        0 if each is None else max(1, round(most * max(each, 0.0) / top)) if top > 0 else 1
        for each in values
    ]


def _rows(
    rows: int,
    per_row: int,
    cells: Sequence[tuple[int, ...]],
    drawn: Callable[[Sequence[int]], str],
) -> list[str]:
    """The text of each row, top row first."""
    found = []
    for below in range((rows - 1) * per_row, -1, -per_row):
        inside = [[min(max(each - below, 0), per_row) for each in cell] for cell in cells]
        found.append("".join(map(drawn, inside)).rstrip(f" {_BLANK}"))
    return found


def _braille(levels: Sequence[int]) -> str:
    left, right = levels
    return chr(ord(_BLANK) + _LEFT_DOTS[left] + _RIGHT_DOTS[right])


def _letter(levels: Sequence[int]) -> str:
    return _LETTERS[levels[0]]
