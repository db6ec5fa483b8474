"""Time series of a run: rates, backlog, latency and the server's CPU, second by second."""

import math
from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bench.records.run_record import RunRecord, Series
from bench.reports.plots import canvas, durations, thinning
from bench.reports.plots.picture import Draw, Picture

HEIGHT_INCHES = 3.0
"""Height of a picture with a legend of one line."""
LEGEND_LINE_INCHES = 0.24
_MINUTES_FROM_S = 600
_LABEL, _NARROW_LABEL = 0.035, 0.07
"""Width of a fault's number of two digits, as a share of the time axis."""
_LABEL_ROWS, _ROW_POINTS = 3, 12


def time_pictures(record: RunRecord, banner: str) -> list[Picture]:
    """Returns the pictures that the record has figures for; ``banner`` stands below each title."""
    made = (_rates(record), _backlog(record), _latency(record), _cpu(record))
    return [
        Picture(
            name,
            title,
            caption,
            _height(record) if name == "backlog" else HEIGHT_INCHES,
            draw,
            banner,
        )
        for name, title, caption, draw in filter(None, made)
    ]


def _height(record: RunRecord) -> float:
    """Returns the height in inches, with room for the legend of many sub-queues."""
    return HEIGHT_INCHES + LEGEND_LINE_INCHES * max(len(record.queues) - 4, 0)


_Parts = tuple[str, str, str, Draw] | None


def _rates(record: RunRecord) -> _Parts:
    names = ("offered", "enqueued", *(["finished"] if record.scenario.has_workers else []))
    lines = {
        name: [(at, value / record.series.interval_s) for at, value in points]
        for name, points in lines_of(record.series, names).items()
    }
    text = (
        "Tasks due, enqueued and finished in each second. While finished lies below enqueued, the "
        "backlog grows."
        if record.scenario.has_workers
        else "Tasks due and enqueued in each second; no worker serves the queue."
    )
    caption = text + thinned(record.series, "the lowest and highest points are")

    def draw(drawn: Figure, axes: Axes, is_narrow: bool) -> None:
        _draw(drawn, axes, record, {k: thinning.extremes(v) for k, v in lines.items()}, is_narrow)
        axes.set_ylabel("tasks per second")
        from_zero(axes)

    return _unless_empty("rates", "Tasks per second", caption, lines, draw)


def _backlog(record: RunRecord) -> _Parts:
    prefix = "backlog:"
    names = [name for name in record.series.columns if name.startswith(prefix)]
    found = lines_of(record.series, names)
    lines = {name.removeprefix(prefix): points for name, points in found.items()}
    caption = (
        "Tasks waiting in each sub-queue. A line that keeps rising means that the workers cannot "
        "keep up." + thinned(record.series, "the highest point is")
    )

    def draw(drawn: Figure, axes: Axes, is_narrow: bool) -> None:
        _draw(drawn, axes, record, {k: thinning.highest(v) for k, v in lines.items()}, is_narrow)
        axes.set_ylabel("tasks waiting")
        from_zero(axes, at_least=1.0)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))

    return _unless_empty("backlog", "Backlog of each sub-queue", caption, lines, draw)


def _latency(record: RunRecord) -> _Parts:
    found = lines_of(record.series, ("e2e_p50_s", "e2e_p99_s"))
    lines = {f"e2e {name[4:-2]}": points for name, points in found.items()}
    caption = (
        "End-to-end latency of the tasks finished in each second: half of them took at most p50, "
        "99 in 100 at most p99. How sure that of one second is, is not known."
        + thinned(record.series, "the highest point is")
    )

    def draw(drawn: Figure, axes: Axes, is_narrow: bool) -> None:
        thin = {name: thinning.highest(points) for name, points in lines.items()}
        _draw(drawn, axes, record, thin, is_narrow)
        positive = [value for points in thin.values() for _, value in points if value > 0]
        durations.logarithmic(axes, axes.yaxis, positive)
        axes.set_ylabel("latency (log scale)")

    return _unless_empty("latency", "End-to-end latency over time", caption, lines, draw)


def _cpu(record: RunRecord) -> _Parts:
    found = lines_of(record.series, ("server_cpu_cores",))
    lines = {name.partition("_")[0]: points for name, points in found.items()}
    caption = (
        "CPU cores that the Redis server used. It runs commands on one core, so near 1.0 it is "
        "saturated." + thinned(record.series, "the lowest and highest points are")
    )

    def draw(drawn: Figure, axes: Axes, is_narrow: bool) -> None:
        _draw(drawn, axes, record, {k: thinning.extremes(v) for k, v in lines.items()}, is_narrow)
        axes.set_ylabel("cores")
        from_zero(axes, at_least=1.0)

    return _unless_empty("cpu", "CPU of the server", caption, lines, draw)


def _unless_empty(
    name: str, title: str, caption: str, lines: dict[str, thinning.Points], draw: Draw
) -> _Parts:
    return (name, title, caption, draw) if lines else None


def lines_of(series: Series, names: Sequence[str]) -> dict[str, thinning.Points]:
    """Returns the points of each column, as (seconds since the start, value).

    Columns without any value are omitted.
    """
    if "second" not in series.columns:
        return {}
    clock = series.columns.index("second")
    found = {}
    for name in names:
        if name in series.columns:
            index = series.columns.index(name)
            points = [(_number(row[clock]), _number(row[index])) for row in series.rows]
            if any(not math.isnan(value) for _, value in points):
                found[name] = points
    return found


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _draw(
    drawn: Figure,
    axes: Axes,
    record: RunRecord,
    lines: dict[str, thinning.Points],
    is_narrow: bool,
) -> None:
    handles: list[Artist] = []
    for index, (name, points) in enumerate(lines.items()):
        style = canvas.line_style(index, len(points))
        if name == "offered":  # mostly covered by the others, so it is wide enough to show
            style |= {"linewidth": 4.5, "alpha": 0.65}
        handles += axes.plot(*zip(*points, strict=True), label=name, **style)
    left_out_s = record.warmup.left_out_s
    if left_out_s:
        handles.append(
            axes.axvspan(
                0, left_out_s, color=canvas.QUIET, alpha=0.28, linewidth=0, label="warm-up"
            )
        )
    handles += draw_faults(axes, record, is_narrow=is_narrow)
    time_axis(axes, record.series)
    canvas.legend(drawn, handles, is_narrow=is_narrow)


def draw_faults(axes: Axes, record: RunRecord, *, is_narrow: bool) -> list[Artist]:
    """Draw each fault as a band with its number; return what stands for all in the legend."""
    handles: list[Artist] = []
    end_s = len(record.series.rows) * record.series.interval_s
    room_s = end_s * (_NARROW_LABEL if is_narrow else _LABEL)
    rows = _label_rows([each.began_s for each in record.faults], room_s)
    for number, (fault, row) in enumerate(zip(record.faults, rows, strict=True), 1):
        if fault.began_s is None:
            continue
        until_s = end_s if fault.ended_s is None else max(fault.ended_s, fault.began_s)
        band = axes.axvspan(
            fault.began_s,
            until_s,
            color=canvas.RED,
            alpha=0.2,
            linewidth=1.5,
            label="fault, by number",
        )
        handles = handles or [band]
        if row is not None:
            _number_fault(axes, number, fault.began_s, row)
    return handles


def _label_rows(moments_s: Sequence[float | None], room_s: float) -> list[int | None]:
    """Returns the row of each fault's label, so that no two overlap, where a label takes this time.

    Rows are counted from the top. None stands for a fault without a moment, and for one that finds
    no room in any row: a label that cannot be read says less than the table of the faults.
    """
    free_from_s = [-math.inf] * _LABEL_ROWS
    rows: list[int | None] = [None] * len(moments_s)
    begun = [(moment, index) for index, moment in enumerate(moments_s) if moment is not None]
    for moment, index in sorted(begun):
        free = [row for row, from_s in enumerate(free_from_s) if from_s <= moment]
        if free:
            rows[index] = free[0]
            free_from_s[free[0]] = moment + room_s
    return rows


def _number_fault(axes: Axes, number: int, began_s: float, row: int) -> None:
    axes.annotate(
        str(number),
        (began_s, 1),
        xycoords=("data", "axes fraction"),
        xytext=(2, -11 - _ROW_POINTS * row),
        textcoords="offset points",
        fontsize="small",
        fontweight="bold",
        color=canvas.RED,
        zorder=5,  # above the lines, so that it can be read
        bbox={"facecolor": canvas.PAPER, "alpha": 0.75, "edgecolor": "none", "pad": 0.5},
    )


def time_axis(axes: Axes, longest: Series) -> None:
    """Label the horizontal axis as the time since the start, as far as this series goes."""
    length_s = len(longest.rows) * longest.interval_s
    scale, unit = (60, "min") if length_s > _MINUTES_FROM_S else (1, "s")
    axes.set_xlim(0, max(length_s - longest.interval_s, longest.interval_s))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, steps=[1, 2, 3, 5, 6, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at / scale:g}"))
    if scale > 1:
        step = max(round(length_s / 60 / 8 / 5) * 5, 1) * 60
        axes.set_xticks(range(0, int(length_s) + 1, step))
    axes.set_xlabel(f"time since the start ({unit})")


def from_zero(axes: Axes, at_least: float = 0.0) -> None:
    """Let the vertical axis begin at zero, and end at ``at_least`` or above; label it in full."""
    axes.set_ylim(0, max(axes.get_ylim()[1], at_least))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}"))


def thinned(series: Series, kept: str) -> str:
    """Returns a note that not every second of a long series is drawn; empty for a short one."""
    together = thinning.points_together(len(series.rows))
    if kept.startswith("the lowest"):  # two points a stretch, so stretches are twice as long
        together = thinning.points_together(len(series.rows), thinning.MOST_POINTS // 2)
    if len(series.rows) <= thinning.MOST_POINTS:
        return ""
    length = durations.short_duration(together * series.interval_s)
    return f" For each {length}, only {kept} drawn, so no peak is hidden."
