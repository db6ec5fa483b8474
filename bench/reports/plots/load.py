"""Latency versus load: every trial of a capacity search."""

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.names import ALL_QUEUES
from bench.records.capacity_record import CapacityRecord, TrialRow
from bench.reports.plots import canvas, durations
from bench.reports.plots.picture import Picture
from bench.workload.metrics import parse_objective

_HOW_SURE = "How sure one of them is, the report of its trial's record says."
_PERCENTILES = ("p50", "p95", "p99")


def levels_picture(record: CapacityRecord) -> Picture | None:
    """Returns the p99 of all levels; None where no trial finished a task."""
    lines = {
        f"{record.axis} {level.units}": [
            (rate, value, trial.good)
            for trial in trials_of(record, level.units)
            if (value := trial.e2e_s.get(ALL_QUEUES, {}).get("p99")) and (rate := trial.rate_per_s)
        ]
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
    lines = {
        name: [
            (rate, value, trial.good)
            for trial in trials_of(record, number)
            if (value := trial.e2e_s.get(ALL_QUEUES, {}).get(name)) and (rate := trial.rate_per_s)
        ]
        for name in _PERCENTILES
    }
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
    lines = {
        queue: [
            (rate, value, trial.good)
            for trial in trials_of(record, number)
            if (value := trial.e2e_s.get(queue, {}).get("p99")) and (rate := trial.rate_per_s)
        ]
        for queue in queues
    }
    if not any(lines.values()):
        return None
    caption = (
        "e2e p99 of each sub-queue, the highest priority first. Where priorities work, the first "
        "stays low while the last turns upwards."
    )
    title = f"e2e p99 of each sub-queue: {record.axis} {number}"
    return _picture(record, "latency-queues", title, caption, lines)


def trials_of(record: CapacityRecord, number: int) -> Sequence[TrialRow]:
    """Returns a level's trials at a fixed rate, the lowest rate first."""
    made = [each for each in record.trials if each.units == number and each.rate_per_s is not None]
    return sorted(made, key=lambda trial: trial.rate_per_s or 0.0)


def offered_axis(axes: Axes, is_narrow: bool) -> None:
    """Label the horizontal axis as the offered rate, in tasks per second."""
    axes.set_xlabel("offered tasks per second")
    canvas.count_ticks(axes.xaxis)
    axes.tick_params(axis="x", rotation=45 if is_narrow else 0)


_Points = list[tuple[float, float, bool]]


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
        values = [value for points in lines.values() for _, value, _ in points]
        durations.logarithmic(axes, axes.yaxis, [*values, *(each.limit for each in limits)])
        axes.set_xlim(left=0)
        offered_axis(axes, is_narrow)
        canvas.legend(drawn, handles, is_narrow=is_narrow)

    return Picture(name, title, caption, 4.6, draw)


def _line(axes: Axes, index: int, label: str, points: _Points) -> Artist:
    style = canvas.LINES[index % len(canvas.LINES)]
    rates = [rate for rate, _, _ in points]
    values = [value for _, value, _ in points]
    axes.plot(rates, values, color=style["color"], linestyle=style["linestyle"], linewidth=1)
    for rate, value, good in points:
        axes.plot(
            [rate],
            [value],
            marker=style["marker"],
            color=style["color"],
            mfc=style["color"] if good else "none",
            markersize=6,
            linestyle="",
        )
    return Line2D([], [], label=label, markersize=6, **style)
