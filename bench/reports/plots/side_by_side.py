"""Pictures of runs side by side: a line for each run, in the same style in all of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench.analysis.spectrum import spectrum
from bench.names import ALL_QUEUES
from bench.records.run_record import RunRecord
from bench.reports.plots import canvas, durations, over_time, thinning
from bench.reports.plots.picture import Draw, Picture
from bench.reports.plots.spectrum import percentile_axis

_LEGEND_LETTERS = 40
"""Letters of a name in a legend, which must fit into a narrow picture."""
_Lines = Sequence[thinning.Points]


@dataclass(frozen=True)
class LabelledRun:
    """A run, and what its line is called in the legends."""

    label: str
    record: RunRecord


def color_of(index: int) -> str:
    """Returns the colour of a run, by its place among the runs."""
    return str(canvas.LINES[index]["color"])


def side_by_side_pictures(runs: Sequence[LabelledRun], banner: str) -> list[Picture]:
    """Returns the spectrum, and what happened over time; a picture without a line is left out.

    Raises RecordError when a histogram of a record is damaged.
    """
    made = (_spectrum(runs), _rates(runs), _backlog(runs), _latency(runs))
    return [
        Picture(name, title, caption, _height(name, runs), draw, banner)
        for name, title, caption, draw in filter(None, made)
    ]


_Parts = tuple[str, str, str, Draw] | None


def _height(name: str, runs: Sequence[LabelledRun]) -> float:
    """Returns the height in inches, with room for a legend of a line per run."""
    lines = over_time.LEGEND_LINE_INCHES * (len(runs) - 1)
    return lines + (4.3 if name == "spectrum" else over_time.HEIGHT_INCHES)


def _spectrum(runs: Sequence[LabelledRun]) -> _Parts:
    interval = "e2e" if _all_served(runs) else "enqueue"
    lines = [spectrum(each.record.latency[interval][ALL_QUEUES]) for each in runs]
    caption = (
        f"{_what(interval)} of the tasks of each run, from the fastest on the left to the slowest "
        "on the right, where each line ends at its maximum. A line that lies lower is faster."
    )

    def draw(drawn: Figure, axes: Axes, is_narrow: bool) -> None:
        handles = _plot(axes, runs, lines)
        percentile_axis(axes, max(line[-1][0] for line in lines if line), is_narrow)
        durations.logarithmic(axes, axes.yaxis, [value for line in lines for _, value in line])
        axes.set_ylabel("latency (log scale)")
        canvas.legend(drawn, handles, is_narrow=is_narrow)

    return _unless_empty("spectrum", f"Percentile spectrum of {interval}", caption, lines, draw)


def _what(interval: str) -> str:
    return "End-to-end latency" if interval == "e2e" else "Time until Redis acknowledged each"


def _all_served(runs: Sequence[LabelledRun]) -> bool:
    return all(each.record.latency["e2e"][ALL_QUEUES].count for each in runs)


def _rates(runs: Sequence[LabelledRun]) -> _Parts:
    column = "finished" if all(each.record.scenario.has_workers for each in runs) else "enqueued"
    lines = [
        [(at, value / each.record.series.interval_s) for at, value in _column(each, column)]
        for each in runs
    ]
    caption = f"Tasks {column} in each second of each run.{_warm_up(runs)}"
    return _over_time(
        ("rates", f"Tasks {column} per second", caption, "tasks per second"),
        (runs, lines, "the lowest and highest points are"),
        0.0,
    )


def _backlog(runs: Sequence[LabelledRun]) -> _Parts:
    caption = f"Tasks waiting in all sub-queues together, in each run.{_warm_up(runs)}"
    return _over_time(
        ("backlog", "Backlog", caption, "tasks waiting"),
        (runs, [_waiting(each) for each in runs], "the highest point is"),
        1.0,
    )


def _latency(runs: Sequence[LabelledRun]) -> _Parts:
    caption = (
        "End-to-end latency of the tasks finished in each second of each run: 99 in 100 took at "
        f"most p99. How sure that of one second is, is not known.{_warm_up(runs)}"
    )
    return _over_time(
        ("latency", "p99 of e2e over time", caption, "latency (log scale)"),
        (runs, [_column(each, "e2e_p99_s") for each in runs], "the highest point is"),
        None,
    )


def _over_time(
    texts: tuple[str, str, str, str],
    series: tuple[Sequence[LabelledRun], _Lines, str],
    least_top: float | None,
) -> _Parts:
    """Returns a picture of a figure over time.

    ``texts`` are its name, title, caption and axis label; ``series`` are the runs, their lines, and
    which points of a long line are kept; ``least_top`` is where the axis ends at least, which is
    logarithmic for None.
    """
    name, title, caption, label = texts
    runs, lines, kept = series
    longest = max((each.record.series for each in runs), key=lambda s: len(s.rows) * s.interval_s)
    thin = thinning.extremes if kept.startswith("the lowest") else thinning.highest

    def draw(drawn: Figure, axes: Axes, is_narrow: bool) -> None:
        drawn_lines = [thin(line) for line in lines]
        handles = _plot(axes, runs, drawn_lines)
        for index, each in enumerate(runs):
            if each.record.warmup.left_out_s:
                end_s = each.record.warmup.left_out_s
                axes.axvline(end_s, color=color_of(index), linewidth=1, linestyle=(0, (1, 2)))
        over_time.time_axis(axes, longest)
        if least_top is None:
            positive = [value for line in drawn_lines for _, value in line if value > 0]
            durations.logarithmic(axes, axes.yaxis, positive)
        else:
            over_time.from_zero(axes, at_least=least_top)
        if name == "backlog":
            axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        axes.set_ylabel(label)
        canvas.legend(drawn, handles, is_narrow=is_narrow)

    return _unless_empty(name, title, caption + over_time.thinned(longest, kept), lines, draw)


def _warm_up(runs: Sequence[LabelledRun]) -> str:
    """Returns what the vertical lines of a picture are; empty where it has none."""
    if not any(each.record.warmup.left_out_s for each in runs):
        return ""
    return " A dotted vertical line ends a run's warm-up, which its figures leave out."


def _unless_empty(name: str, title: str, caption: str, lines: _Lines, draw: Draw) -> _Parts:
    has_any = any(not math.isnan(value) for line in lines for _, value in line)
    return (name, title, caption, draw) if has_any else None


def _column(run: LabelledRun, name: str) -> thinning.Points:
    """Returns the points of a column of a run's series; empty where it has none."""
    return over_time.lines_of(run.record.series, [name]).get(name, [])


def _waiting(run: LabelledRun) -> thinning.Points:
    """Returns the tasks that wait in all sub-queues; not a number where that is not known of
    one of them."""
    names = [each for each in run.record.series.columns if each.startswith("backlog:")]
    columns = over_time.lines_of(run.record.series, names).values()
    return [
        (points[0][0], sum(value for _, value in points)) for points in zip(*columns, strict=True)
    ]


def _plot(axes: Axes, runs: Sequence[LabelledRun], lines: _Lines) -> list[Artist]:
    """Draw a line for each run and return them for the legend; a run without points has none."""
    handles: list[Artist] = []
    for index, (each, points) in enumerate(zip(runs, lines, strict=True)):
        if points:
            style = canvas.line_style(index, len(points))
            label = _short(each.label)
            handles += axes.plot(*zip(*points, strict=True), label=label, **style)
    return handles


def _short(label: str) -> str:
    """Returns a label whose middle is left out where it is too long for a legend."""
    if len(label) <= _LEGEND_LETTERS:
        return label
    half = (_LEGEND_LETTERS - 1) // 2
    return f"{label[:half]}…{label[-half:]}"
