"""Logarithmic axes for durations, and their labels."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from bench import units

_STEPS = (1, 2, 5)


def logarithmic(axes: Axes, axis: Axis, values_s: Sequence[float]) -> None:
    """Make an axis logarithmic, in seconds, from just below the values to just above them."""
    positive = [value for value in values_s if value > 0]
    low, high = (min(positive), max(positive)) if positive else (1e-3, 1e-1)
    low, high = _neighbour(low * 0.95, -1), _neighbour(high * 1.1, 1)
    steps = _STEPS if high / low < 500 else (1,)
    is_vertical = axis is axes.yaxis
    # Limits come first: without a positive value a logarithmic scale would find none by itself.
    (axes.set_ylim if is_vertical else axes.set_xlim)(low, high)
    (axes.set_yscale if is_vertical else axes.set_xscale)("log", nonpositive="mask")
    axis.set_major_locator(LogLocator(subs=steps, numticks=100))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: short_duration(value)))
    axis.set_minor_formatter(NullFormatter())


def short_duration(seconds: float) -> str:
    """Returns a duration without trailing zeros: ``1 ms``, ``2.5 s``."""
    number, _, unit = units.format_duration(seconds).partition(" ")
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return f"{number} {unit}"


def _neighbour(value: float, direction: int) -> float:
    """Returns the nearest of 1, 2 and 5 times a power of ten, below or above the value."""
    decade = np.floor(np.log10(value))
    ladder = [step * 10.0 ** (decade + power) for power in (-1, 0, 1) for step in _STEPS]
    if direction < 0:
        return float(max(rung for rung in ladder if rung <= value))
    return float(min(rung for rung in ladder if rung >= value))
