"""Charts made of text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.reports.sparkline import sparkline

VALUES = st.lists(st.one_of(st.none(), st.floats(0, 1e9)), max_size=200)


@pytest.mark.parametrize(
    ("values", "cells", "rows", "shown"),
    [
        ([], 4, 2, ["", ""]),
        ([None, None], 4, 1, [""]),
        ([0, 0], 4, 1, ["⣀⣀"]),
        ([0, 1, 2, 3, 4], 5, 1, ["⣀⣀⣤⣶⣿"]),
        ([8, None, 4], 4, 2, ["⣿", "⣿⠀⣿"]),
        ([1, 2, 3, 4, 4], 3, 1, ["⣠⣾⡇"]),
        ([None, 4, 4, None], 2, 1, ["⢸⡇"]),
        ([1, 9, 0, 3, 0, 0, 0, 0], 2, 1, ["⣇⣀"]),
    ],
)
def test_a_chart_in_braille(
    values: list[float | None], cells: int, rows: int, shown: list[str]
) -> None:
    assert sparkline(values, cells, rows) == shown


@pytest.mark.parametrize(
    ("values", "cells", "rows", "shown"),
    [
        ([0, 1, 2, 3], 4, 1, ["..:#"]),
        ([0, 3, 6], 3, 2, ["  #", ".##"]),
        ([1, 3, 0, None], 2, 1, ["#."]),
    ],
)
def test_a_chart_in_ascii(
    values: list[float | None], cells: int, rows: int, shown: list[str]
) -> None:
    assert sparkline(values, cells, rows, is_ascii=True) == shown


@given(VALUES, st.integers(1, 60), st.integers(1, 5), st.booleans())
def test_a_chart_keeps_to_its_room_and_shows_its_largest_value_at_the_top(
    values: list[float | None], cells: int, rows: int, is_ascii: bool
) -> None:
    """Whatever is drawn, no peak may disappear between two points."""
    shown = sparkline(values, cells, rows, is_ascii=is_ascii)
    assert len(shown) == rows
    assert max(map(len, shown)) <= cells
    assert bool(shown[0]) == any(values) or (rows == 1 and not any(values))
