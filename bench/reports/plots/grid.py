"""Grid of levels by rate: which rates are sustained, which are not, and the trials that show it."""

from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bench.records.capacity_record import CapacityRecord, LevelRow
from bench.reports.plots import canvas
from bench.reports.plots.load import offered_axis, trials_of
from bench.reports.plots.picture import Picture

_HEIGHT = 0.6
_HOLDS: dict[str, Any] = {"color": canvas.GREEN, "alpha": 0.35, "linewidth": 0}
_OPEN: dict[str, Any] = {"color": canvas.ORANGE, "alpha": 0.5, "linewidth": 0}
_FAILS: dict[str, Any] = {"color": canvas.RED, "alpha": 0.25, "linewidth": 0, "hatch": "///"}


def grid_picture(record: CapacityRecord) -> Picture | None:
    """Returns one row per level, the smallest at the bottom; None before the first level."""
    levels = sorted(record.levels, key=lambda level: level.units)
    rates = [trial.rate_per_s for trial in record.trials if trial.rate_per_s is not None]
    if not levels or not rates:
        return None

    def draw(drawn: Figure, axes: Axes, is_narrow: bool) -> None:
        end = max(rates) * 1.02
        for place, level in enumerate(levels):
            _row(axes, place, level, end)
            for trial in trials_of(record, level.units):
                axes.plot(
                    [trial.rate_per_s or 0.0],
                    [place],
                    marker="o" if trial.good else "x",
                    color=canvas.INK,
                    mfc=canvas.INK,
                    markersize=5,
                    linestyle="",
                )
        axes.set_xlim(0, end)
        axes.set_yticks(range(len(levels)), [str(level.units) for level in levels])
        axes.set_ylim(-0.6, len(levels) - 0.4)
        axes.grid(visible=False, axis="y")
        axes.set_ylabel(record.axis)
        offered_axis(axes, is_narrow)
        canvas.legend(drawn, _legend(), is_narrow=is_narrow)

    caption = (
        "Every trial of every level: a dot met all objectives, a cross did not. Green rates are "
        "sustained, hatched rates are not, and the range between them was not narrowed further."
    )
    return Picture(
        "grid", f"Sustained rates, by {record.axis}", caption, 2.2 + 0.45 * len(levels), draw
    )


def _row(axes: Axes, place: int, level: LevelRow, end: float) -> None:
    low = level.lower_per_s or 0.0
    high = end if level.upper_per_s is None else level.upper_per_s
    for left, right, style in ((0.0, low, _HOLDS), (low, high, _OPEN), (high, end, _FAILS)):
        if right > left:
            axes.barh(place, right - left, left=left, height=_HEIGHT, **style)


def _legend() -> list[Artist]:
    ink: dict[str, Any] = {"color": canvas.INK, "markersize": 5, "linestyle": ""}
    return [
        Line2D([], [], marker="o", label="objectives met", **ink),
        Line2D([], [], marker="x", label="objectives missed", **ink),
        Patch(label="sustained", **_HOLDS),
        Patch(label="undecided", **_OPEN),
        Patch(label="not sustained", **_FAILS),
    ]
