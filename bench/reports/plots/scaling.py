"""How the sustained rate grows with workers: measured, fitted and predicted."""

from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from bench.records.capacity_record import CapacityRecord, LevelRow
from bench.reports.plots import canvas
from bench.reports.plots.picture import Picture

_BEYOND: dict[str, Any] = {"color": canvas.QUIET, "alpha": 0.15, "linewidth": 0}


def scaling_picture(record: CapacityRecord) -> Picture | None:
    """Returns the scaling law with its band, and each level's bounds; None without such a level."""
    levels = [each for each in record.levels if each.lower_per_s and each.upper_per_s]
    if not levels:
        return None

    def draw(drawn: Figure, axes: Axes, is_narrow: bool) -> None:
        handles = _law(axes, record)
        for level in levels:
            _bounds(axes, level)
        handles.append(
            Line2D([], [], marker="_", color=canvas.BLUE, markersize=9, label="sustained to fails")
        )
        if any(level.is_held_out for level in levels):
            handles.append(
                Line2D([], [], marker="_", color=canvas.RED, markersize=9, label="predicted first")
            )
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.set_xlabel(record.axis)
        axes.set_ylabel("tasks per second")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        canvas.count_ticks(axes.yaxis)
        canvas.legend(drawn, handles, is_narrow=is_narrow)

    caption = (
        "The highest rate that meets every objective and the lowest that fails, by level. The "
        "curve is the Universal Scalability Law fitted to the blue levels, with its 90% interval; "
        "the grey part is extrapolated. The red levels were predicted by the curve before they "
        "were measured: if they lie outside the band, the law is rejected."
    )
    if record.scaling is None:
        caption = (
            caption.partition(" The curve")[0] + " Too few levels have both bounds to fit a curve."
        )
    return Picture("scaling", f"Sustained rate, by {record.axis}", caption, 4.6, draw)


def _law(axes: Axes, record: CapacityRecord) -> list[Artist]:
    scaling = record.scaling
    if scaling is None:
        return []
    counts = [count for count, _, _, _ in scaling.band]
    (line,) = axes.plot(
        counts, [value for _, value, _, _ in scaling.band], color=canvas.ORANGE, label="law"
    )
    band = axes.fill_between(
        counts,
        [low for _, _, low, _ in scaling.band],
        [high for _, _, _, high in scaling.band],
        color=canvas.ORANGE,
        alpha=0.2,
        linewidth=0,
        label="90% interval",
    )
    axes.axvspan(max(scaling.fitted), counts[-1], **_BEYOND)
    return [line, band, Patch(label="extrapolated", **_BEYOND)]


def _bounds(axes: Axes, level: LevelRow) -> None:
    color = canvas.RED if level.is_held_out else canvas.BLUE
    low, high = level.lower_per_s or 0.0, level.upper_per_s or 0.0
    axes.plot([level.units] * 2, [low, high], marker="_", markersize=9, color=color, linewidth=2)
