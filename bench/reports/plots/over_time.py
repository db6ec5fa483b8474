"""What happened when: rates, backlog, latency and the server's CPU, second by second."""

import math
from collections.abc import Callable, Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bench.records.run_record import RunRecord, Series
from bench.reports.plots import canvas, durations, thinning
from bench.reports.plots.picture import Draw, Picture

_HEIGHT_INCHES = 3.0
_LEGEND_LINE_INCHES = 0.24
_MINUTES_FROM_S = 600
Thin = Callable[[Sequence[tuple[float, float]]], thinning.Points]


def time_pictures(record: RunRecord, mark: str) -> list[Picture]:
    """Those that the record has figures for; ``mark`` is what nobody must overlook."""
    made = (_rates(record), _backlog(record), _latency(record), _cpu(record))
    return [
        Picture(
            name,
            title,
            caption,
            _height(record) if name == "backlog" else _HEIGHT_INCHES,
            draw,
            mark,
        )
        for name, title, caption, draw in filter(None, made)
    ]


def _height(record: RunRecord) -> float:
    """With a line of the legend for each sub-queue past the first few."""
    return _HEIGHT_INCHES + _LEGEND_LINE_INCHES * max(len(record.queues) - 4, 0)


_Parts = tuple[str, str, str, Draw] | None


def _rates(record: RunRecord) -> _Parts:
    names = ("offered", "enqueued", *(["finished"] if record.scenario.has_workers else []))
    lines = {
        name: [(at, value / record.series.interval_s) for at, value in points]
        for name, points in _lines(record.series, names).items()
    }
    said = (
        "Tasks due, put on the queue, and done with, in each second. While finished lies below "
        "enqueued the backlog grows."
        if record.scenario.has_workers
        else "Tasks due and put on the queue in each second; nobody serves it."
    )
    caption = said + _thinned(record, "the lowest and the highest are")

    def draw(drawn: Figure, axes: Axes, is_narrow: bool) -> None:
        _draw(drawn, axes, record, {k: thinning.extremes(v) for k, v in lines.items()}, is_narrow)
        axes.set_ylabel("tasks per second")
        _from_zero(axes)

    return _unless_empty("rates", "Tasks per second", caption, lines, draw)


def _backlog(record: RunRecord) -> _Parts:
    prefix = "backlog:"
    names = [name for name in record.series.columns if name.startswith(prefix)]
    found = _lines(record.series, names)
    lines = {name.removeprefix(prefix): points for name, points in found.items()}
    caption = (
        "Tasks that waited in each sub-queue. A line that goes on rising means that workers do "
        "not keep up." + _thinned(record, "the highest is")
    )

    def draw(drawn: Figure, axes: Axes, is_narrow: bool) -> None:
        _draw(drawn, axes, record, {k: thinning.highest(v) for k, v in lines.items()}, is_narrow)
        axes.set_ylabel("tasks waiting")
        _from_zero(axes, at_least=1.0)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))

    return _unless_empty("backlog", "Backlog of each sub-queue", caption, lines, draw)


def _latency(record: RunRecord) -> _Parts:
    found = _lines(record.series, ("e2e_p50_s", "e2e_p99_s"))
    lines = {f"e2e {name[4:-2]}": points for name, points in found.items()}
    caption = (
        "End-to-end latency of the tasks finished in each second: half of them took no longer "
        "than p50, 99 in 100 no longer than p99." + _thinned(record, "the highest is")
    )

    def draw(drawn: Figure, axes: Axes, is_narrow: bool) -> None:
        thin = {name: thinning.highest(points) for name, points in lines.items()}
        _draw(drawn, axes, record, thin, is_narrow)
        seen = [value for points in thin.values() for _, value in points if value > 0]
        durations.logarithmic(axes, axes.yaxis, seen)
        axes.set_ylabel("latency (log scale)")

    return _unless_empty("latency", "End-to-end latency over time", caption, lines, draw)


def _cpu(record: RunRecord) -> _Parts:
    found = _lines(record.series, ("server_cpu_cores",))
    lines = {name.partition("_")[0]: points for name, points in found.items()}
    caption = (
        "Cores that the Redis server used. It runs commands on one: near 1.0 it has no time left."
        + _thinned(record, "the lowest and the highest are")
    )

    def draw(drawn: Figure, axes: Axes, is_narrow: bool) -> None:
        _draw(drawn, axes, record, {k: thinning.extremes(v) for k, v in lines.items()}, is_narrow)
        axes.set_ylabel("cores")
        _from_zero(axes, at_least=1.0)

    return _unless_empty("cpu", "CPU of the server", caption, lines, draw)


def _unless_empty(
    name: str, title: str, caption: str, lines: dict[str, thinning.Points], draw: Draw
) -> _Parts:
    return (name, title, caption, draw) if lines else None


def _lines(series: Series, names: Sequence[str]) -> dict[str, thinning.Points]:
    """Column to (seconds since the start, value); columns without any value are left out."""
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
        style = canvas.look(index, len(points))
        if name == "offered":  # the others mostly lie on it, and it shows at their sides
            style |= {"linewidth": 4.5, "alpha": 0.65}
        handles += axes.plot(*zip(*points, strict=True), label=name, **style)
    left_out_s = record.warmup.left_out_s
    if left_out_s:
        handles.append(
            axes.axvspan(
                0, left_out_s, color=canvas.QUIET, alpha=0.28, linewidth=0, label="warm-up"
            )
        )
    _time_axis(axes, record)
    canvas.key(drawn, handles, is_narrow=is_narrow)


def _time_axis(axes: Axes, record: RunRecord) -> None:
    length_s = len(record.series.rows) * record.series.interval_s
    scale, unit = (60, "min") if length_s > _MINUTES_FROM_S else (1, "s")
    axes.set_xlim(0, max(length_s - record.series.interval_s, record.series.interval_s))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, steps=[1, 2, 3, 5, 6, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at / scale:g}"))
    if scale > 1:
        step = max(round(length_s / 60 / 8 / 5) * 5, 1) * 60
        axes.set_xticks(range(0, int(length_s) + 1, step))
    axes.set_xlabel(f"time since the start ({unit})")


def _from_zero(axes: Axes, at_least: float = 0.0) -> None:
    axes.set_ylim(0, max(axes.get_ylim()[1], at_least))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}"))


def _thinned(record: RunRecord, kept: str) -> str:
    """What a reader must know of a long series: that not every second of it is drawn."""
    together = thinning.points_together(len(record.series.rows))
    if kept.startswith("the lowest"):  # two points a stretch, so stretches are twice as long
        together = thinning.points_together(len(record.series.rows), thinning.MOST_POINTS // 2)
    if len(record.series.rows) <= thinning.MOST_POINTS:
        return ""
    length = durations.short_duration(together * record.series.interval_s)
    return f" Of each {length} {kept} drawn, so no peak is hidden."
