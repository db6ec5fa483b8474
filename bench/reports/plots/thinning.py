"""Thins out series that have more points than a picture has columns."""

import math
from collections.abc import Sequence

Points = list[tuple[float, float]]
"""Pairs of position and value; the value is NaN where nothing was measured."""

MOST_POINTS = 300
"""Points of a series that are drawn at most."""


def highest(points: Sequence[tuple[float, float]], most: int = MOST_POINTS) -> Points:
    """Returns the highest point of each stretch, at its position, so that no peak is lost."""
    return [max(group, key=lambda point: _or(point, -math.inf)) for group in _groups(points, most)]


def extremes(points: Sequence[tuple[float, float]], most: int = MOST_POINTS) -> Points:
    """Returns the lowest and highest point of each stretch, so that no peak or dip is lost.

    The points keep their positions and order.
    """
    if len(points) <= most:
        return list(points)
    kept: Points = []
    for group in _groups(points, most // 2):
        low = min(group, key=lambda point: _or(point, math.inf))
        high = max(group, key=lambda point: _or(point, -math.inf))
        kept.extend(sorted({low, high}))
    return kept


def points_together(points: int, most: int = MOST_POINTS) -> int:
    """Returns the number of points in one stretch, for a series of ``points`` points."""
    return max(math.ceil(points / most), 1)


def _groups(
    points: Sequence[tuple[float, float]], most: int
) -> list[Sequence[tuple[float, float]]]:
    width = points_together(len(points), most)
    return [points[start : start + width] for start in range(0, len(points), width)]


def _or(point: tuple[float, float], otherwise: float) -> float:
    return otherwise if math.isnan(point[1]) else point[1]
