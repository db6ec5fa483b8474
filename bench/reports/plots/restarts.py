"""Pictures of a run that was repeated: the figure of every start, one picture for each metric."""

from collections.abc import Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import XAxis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bench.measure.verdict_inputs import Verdict
from bench.records.restarts_record import RestartsRecord, Spread, StartedRun
from bench.reports import restarts_text
from bench.reports.figures import figure
from bench.reports.plots import canvas
from bench.reports.plots.picture import Picture
from bench.workload.metrics import Metric, parse_metric

_MOST_ROWS = 40
"""Starts that have a row with a name; with more, rows are closer together."""
_DOT = 7.0
_BAND: dict[str, Any] = {"color": canvas.QUIET, "alpha": 0.22, "linewidth": 0}
_POOLED: dict[str, Any] = {"color": canvas.INK, "linestyle": "--", "linewidth": 1.2}


def restarts_pictures(record: RestartsRecord) -> list[Picture]:
    """Returns a dot plot for each metric that any start has, in the order of the table."""
    runs = restarts_text.whole_runs(record)
    return [
        _picture(spread, runs, number)
        for number, spread in enumerate(record.spreads, 1)
        if any(value is not None for value in spread.values)
    ]


def _picture(spread: Spread, runs: Sequence[tuple[int, StartedRun]], number: int) -> Picture:
    metric = parse_metric(spread.metric)

    def draw(drawn: Figure, axes: Axes, is_narrow: bool) -> None:
        if spread.low is not None and spread.high is not None:
            axes.axvspan(spread.low, spread.high, **_BAND)
        if spread.pooled is not None:
            axes.axvline(spread.pooled, **_POOLED)
        for place, (_, run) in enumerate(runs):
            _row(axes, spread, place, run)
        names = [str(start) for start, _ in runs]
        step = len(runs) // _MOST_ROWS + 1
        axes.set_yticks(range(0, len(runs), step), names[::step])
        axes.set_ylim(len(runs) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.set_ylabel("start")
        axes.margins(x=0.08)
        _label(axes.xaxis, metric, 4 if is_narrow else 8)
        canvas.legend(drawn, _legend(spread, runs), is_narrow=is_narrow)

    height = 1.5 + 0.32 * min(max(len(runs), 3), _MOST_ROWS)
    title = f"{spread.metric} of each start"
    return Picture(f"starts-{number}", title, _caption(spread, runs), height, draw)


def _label(axis: XAxis, metric: Metric, ticks: int) -> None:
    axis.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: _tick(metric, value)))


def _tick(metric: Metric, value: float) -> str:
    """A value of an axis that may show but a small part of a rate."""
    return f"{value:,.6g}/s" if metric.kind == "rate" else figure(metric, value)


def _row(axes: Axes, spread: Spread, place: int, run: StartedRun) -> None:
    value, interval = restarts_text.point(spread, place)
    if value is None:
        return
    color = canvas.BLUE if run.verdict == Verdict.VALID else canvas.RED
    if interval is not None and interval.low is not None and interval.high is not None:
        axes.plot([interval.low, interval.high], [place, place], color=color, linewidth=2.2)
    axes.plot([value], [place], **_dot(run.verdict == Verdict.VALID))


def _dot(is_valid: bool) -> dict[str, Any]:
    color = canvas.BLUE if is_valid else canvas.RED
    face = color if is_valid else canvas.PAPER
    return {"marker": "o", "linestyle": "", "ms": _DOT, "color": color, "mfc": face, "mew": 1.6}


def _legend(spread: Spread, runs: Sequence[tuple[int, StartedRun]]) -> list[Artist]:
    verdicts = {run.verdict == Verdict.VALID for _, run in runs}
    handles: list[Artist] = []
    if True in verdicts:
        handles.append(Line2D([], [], label="a start", **_dot(True)))
    if False in verdicts:
        handles.append(Line2D([], [], label="not valid", **_dot(False)))
    if _has_intervals(spread):
        handles.append(Line2D([], [], color=canvas.BLUE, linewidth=2.2, label="its 95% interval"))
    if spread.pooled is not None:
        handles.append(Line2D([], [], label="tasks of all starts", **_POOLED))
    if spread.low is not None:
        handles.append(Patch(**_BAND, label="95% interval over starts"))
    return handles


def _caption(spread: Spread, runs: Sequence[tuple[int, StartedRun]]) -> str:
    text = f"{spread.metric} of each start, from the first at the top. The axis need not begin at 0"
    if _has_intervals(spread):
        text += "; a line is the 95% confidence interval that the run itself gives"
    missing = sum(
        value is not None and (interval is None or not interval.is_known)
        for value, interval in (restarts_text.point(spread, place) for place in range(len(runs)))
    )
    if missing:
        text += f"; of {missing} of the starts it is not known how sure their figure is"
    if spread.low is not None:
        text += (
            "; the grey band is the 95% confidence interval of the typical figure over starts, by "
            "Student's t on logarithms"
        )
    if spread.pooled is not None:
        text += "; the dashed line is the percentile of the tasks of all starts together"
    return f"{text}."


def _has_intervals(spread: Spread) -> bool:
    return any(each is not None and each.is_known for each in spread.intervals)
