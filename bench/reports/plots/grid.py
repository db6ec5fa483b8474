"""Workers by rate: what holds, what does not, and how that is known."""

from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from bench import units
from bench.records.capacity_record import CapacityRecord, LevelRow
from bench.reports.plots import canvas
from bench.reports.plots.load import trials_of
from bench.reports.plots.picture import Picture

_HEIGHT = 0.6
_HOLDS: dict[str, Any] = {"color": canvas.GREEN, "alpha": 0.35, "linewidth": 0}
_OPEN: dict[str, Any] = {"color": canvas.ORANGE, "alpha": 0.5, "linewidth": 0}
_FAILS: dict[str, Any] = {"color": canvas.RED, "alpha": 0.25, "linewidth": 0, "hatch": "///"}


def grid_picture(record: CapacityRecord) -> Picture | None:
    """One row a level, from the fewest up; None before any level."""
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
        axes.set_xlabel("offered, tasks a second")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: units.format_count(value)))
        axes.tick_params(axis="x", rotation=45 if is_narrow else 0)
        canvas.key(drawn, _legend(), is_narrow=is_narrow)

    caption = (
        "Every trial of every level: a dot held all objectives, a cross did not. Green rates hold, "
        "hatched ones do not, and between the two the search came no closer."
    )
    return Picture(
        "grid", f"What holds, by {record.axis} and rate", caption, 2.2 + 0.45 * len(levels), draw
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
        Line2D([], [], marker="o", label="trial that held", **ink),
        Line2D([], [], marker="x", label="trial that did not", **ink),
        Patch(label="holds", **_HOLDS),
        Patch(label="not known", **_OPEN),
        Patch(label="does not hold", **_FAILS),
    ]
