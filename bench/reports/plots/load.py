"""Latency versus load: every trial of a capacity search."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.measure.confidence import ConfidenceInterval
from bench.names import ALL_QUEUES
from bench.records.capacity_record import CapacityRecord, TrialRow
from bench.reports.plots import canvas, durations
from bench.reports.plots.picture import Picture
from bench.workload.metrics import parse_objective

_HOW_SURE = (
    "A vertical line is the 95% confidence interval of that trial alone; where there is none, the "
    "trial has none, and the report of its record says why."
)
_PERCENTILES = ("p50", "p95", "p99")


@dataclass(frozen=True)
class _Point:
    """A trial's percentile at its offered rate."""

    rate_per_s: float
    value_s: float
    good: bool
    interval: ConfidenceInterval | None


_Points = list[_Point]


def levels_picture(record: CapacityRecord) -> Picture | None:
    """Returns the p99 of all levels; None where no trial finished a task."""
    lines = {
        f"{record.axis} {level.units}": _points(record, level.units, ALL_QUEUES, "p99")
        for level in sorted(record.levels, key=lambda level: level.units)
    }
    lines = {name: points for name, points in lines.items() if points}
    if not lines:
        return None
    caption = (
        "e2e p99 of every trial, measured from the due time, versus the offered rate. Filled marks "
        "met every objective, hollow ones did not. A line that turns upwards shows a level near "
        f"its limit. {_HOW_SURE}"
    )
    return _picture(record, "latency-levels", "e2e p99 versus load", caption, lines)


def percentiles_picture(record: CapacityRecord, number: int) -> Picture | None:
    """Returns p50, p95 and p99 of one level; None where no trial finished a task."""
    lines = {name: _points(record, number, ALL_QUEUES, name) for name in _PERCENTILES}
    if not any(lines.values()):
        return None
    title = f"e2e versus load: {record.axis} {number}"
    caption = (
        "Half of the tasks (p50), 95 and 99 in 100, in every trial of the level that sustains the "
        f"highest rate. Filled marks met every objective, hollow ones did not. {_HOW_SURE}"
    )
    return _picture(record, "latency-best", title, caption, lines)


def queues_picture(record: CapacityRecord, number: int) -> Picture | None:
    """Returns the p99 of each sub-queue at one level; None for a single sub-queue."""
    queues = list(record.scenario.queues)
    if len(queues) < 2:
        return None
    lines = {queue: _points(record, number, queue, "p99") for queue in queues}
    if not any(lines.values()):
        return None
    caption = (
        "e2e p99 of each sub-queue, the highest priority first. Where priorities work, the first "
        f"stays low while the last turns upwards. {_HOW_SURE}"
    )
    title = f"e2e p99 of each sub-queue: {record.axis} {number}"
    return _picture(record, "latency-queues", title, caption, lines)


def trials_of(record: CapacityRecord, number: int) -> Sequence[TrialRow]:
    """Returns a level's trials at a fixed rate, the lowest rate first."""
    made = [each for each in record.trials if each.units == number and each.rate_per_s is not None]
    return sorted(made, key=lambda trial: trial.rate_per_s or 0.0)


def _points(record: CapacityRecord, number: int, queue: str, name: str) -> _Points:
    """A percentile of a queue in each trial of a level that measured one."""
    return [
        _Point(rate, value, trial.good, trial.e2e_confidence.get(queue, {}).get(name))
        for trial in trials_of(record, number)
        if (value := trial.e2e_s.get(queue, {}).get(name)) and (rate := trial.rate_per_s)
    ]


def offered_axis(axes: Axes, is_narrow: bool) -> None:
    """Label the horizontal axis as the offered rate, in tasks per second."""
    axes.set_xlabel("offered tasks per second")
    canvas.count_ticks(axes.xaxis)
    axes.tick_params(axis="x", rotation=45 if is_narrow else 0)


def _picture(
    record: CapacityRecord, name: str, title: str, caption: str, lines: dict[str, _Points]
) -> Picture:
    limits = [
        objective
        for objective in map(parse_objective, record.slo)
        if objective.metric.subject.name == "e2e" and objective.metric.percent is not None
    ]

    def draw(drawn: Figure, axes: Axes, is_narrow: bool) -> None:
        handles: list[Artist] = []
        for index, (label, points) in enumerate(lines.items()):
            handles.append(_line(axes, index, label, points))
        for objective in limits:
            axes.axhline(objective.limit, color=canvas.INK, linewidth=1, linestyle=(0, (4, 2)))
            axes.annotate(
                objective.expression,
                (1, objective.limit),
                xycoords=("axes fraction", "data"),
                xytext=(-2, 3),
                textcoords="offset points",
                ha="right",
                fontsize="small",
                # Keeps the text readable where a line crosses it, and the line visible.
                bbox={"facecolor": canvas.PAPER, "alpha": 0.75, "edgecolor": "none", "pad": 0.5},
            )
        values = [each.value_s for points in lines.values() for each in points]
        durations.logarithmic(axes, axes.yaxis, [*values, *(each.limit for each in limits)])
        axes.set_xlim(left=0)
        offered_axis(axes, is_narrow)
        canvas.legend(drawn, handles, is_narrow=is_narrow)

    return Picture(name, title, caption, 4.6, draw)


def _interval(axes: Axes, point: _Point, color: str) -> None:
    sure = point.interval
    if sure is not None and sure.low is not None and sure.high is not None:
        axes.plot(
            [point.rate_per_s] * 2, [sure.low, sure.high], color=color, linewidth=1, alpha=0.5
        )


def _line(axes: Axes, index: int, label: str, points: _Points) -> Artist:
    style = canvas.LINES[index % len(canvas.LINES)]
    rates = [each.rate_per_s for each in points]
    values = [each.value_s for each in points]
    axes.plot(rates, values, color=style["color"], linestyle=style["linestyle"], linewidth=1)
    for each in points:
        _interval(axes, each, style["color"])
        axes.plot(
            [each.rate_per_s],
            [each.value_s],
            marker=style["marker"],
            color=style["color"],
            mfc=style["color"] if each.good else "none",
            markersize=6,
            linestyle="",
        )
    return Line2D([], [], label=label, markersize=6, **style)
