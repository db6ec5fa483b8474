"""Fewer points to draw, of a series with more of them than a picture has columns."""

import math
from collections.abc import Sequence

Points = list[tuple[float, float]]
"""Where, and how much; NaN where nothing was seen."""

MOST_POINTS = 300


def highest(points: Sequence[tuple[float, float]], most: int = MOST_POINTS) -> Points:
    """Of each stretch the highest point, where it was: no peak is lost."""
    return [max(group, key=lambda point: _or(point, -math.inf)) for group in _groups(points, most)]


def extremes(points: Sequence[tuple[float, float]], most: int = MOST_POINTS) -> Points:
    """Of each stretch the lowest and the highest point, in their order: no peak or gap is lost."""
    if len(points) <= most:
        return list(points)
    kept: Points = []
    for group in _groups(points, most // 2):
        low = min(group, key=lambda point: _or(point, math.inf))
        high = max(group, key=lambda point: _or(point, -math.inf))
        kept.extend(sorted({low, high}))
    return kept


def points_together(points: int, most: int = MOST_POINTS) -> int:
    """How many points one stretch holds."""
    return max(math.ceil(points / most), 1)


def _groups(
    points: Sequence[tuple[float, float]], most: int
) -> list[Sequence[tuple[float, float]]]:
    width = points_together(len(points), most)
    return [points[start : start + width] for start in range(0, len(points), width)]


def _or(point: tuple[float, float], otherwise: float) -> float:
    return otherwise if math.isnan(point[1]) else point[1]
