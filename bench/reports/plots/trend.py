"""Picture of a metric over many runs, with the levels between its changes."""

import textwrap
from itertools import pairwise
from pathlib import Path
from statistics import median

from matplotlib.axes import Axes
from matplotlib.dates import date2num
from matplotlib.ticker import FuncFormatter

from bench.analysis.history import ChangePoint, Trend
from bench.reports.figures import figure, signed_share
from bench.reports.plots import canvas

_TITLE_COLUMNS = 70


def save_trend(trend: Trend, path: Path) -> None:
    """Save a picture of a trend: runs as dots, levels as lines, changes with their size.

    Raises UsageError when the file's name ends in no picture format or it cannot be written.
    """
    metric = trend.metric
    with canvas.picture(textwrap.fill(trend.name, _TITLE_COLUMNS)) as (drawn, axes):
        moments = [date2num(point.at) for point in trend.points]
        values = [point.value for point in trend.points]
        axes.plot(moments, values, "o", color=canvas.BLUE, markersize=5, label="run")
        borders = [0, *(step.index for step in trend.steps), len(trend.points)]
        for start, end in pairwise(borders if trend.points else []):
            axes.plot(
                [moments[start], moments[end - 1]],
                [median(values[start:end])] * 2,
                color=canvas.ORANGE,
                linewidth=2.5,
                label="level (median)" if start == 0 else None,
            )
        for step in trend.steps:
            _annotate(axes, trend, step, moments[step.index])
        axes.set_ylim(0, 1.3 * max(values, default=1.0))
        axes.set_ylabel("higher is better" if metric.higher_is_better else "lower is better")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: figure(metric, value)))
        axes.xaxis_date()
        axes.set_xlabel("start of the run (UTC)")
        if trend.points:
            axes.legend(loc="lower left")
        canvas.save(drawn, path)


def _annotate(axes: Axes, trend: Trend, step: ChangePoint, moment: float) -> None:
    """Mark where a new level begins, with the size of the change above all dots."""
    direction, color = ("worse", canvas.RED) if step.is_worse else ("better", canvas.GREEN)
    axes.axvline(moment, color=color, linestyle=":", linewidth=1.2)
    axes.annotate(
        f"{signed_share(step.change)}%, {direction}\n{trend.points[step.index].revision}",
        (moment, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(4, -4),
        textcoords="offset points",
        va="top",
        color=color,
    )
