"""Percentile spectrum: all percentiles of each interval, with the slow tail spread out."""

import math
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bench import units
from bench.analysis.spectrum import spectrum
from bench.measure.confidence import ConfidenceInterval
from bench.names import ALL_QUEUES
from bench.records.run_record import PERCENTILE_FIELDS, RunRecord
from bench.reports.plots import canvas, durations
from bench.reports.plots.picture import Picture

_INTERVALS = ("e2e", "e2e_earliest", "e2e_from_send", "queue_wait", "service", "enqueue")
_MACHINE: dict[str, Any] = {"color": canvas.QUIET, "linestyle": ":", "linewidth": 2, "zorder": 1}


def spectrum_picture(record: RunRecord, banner: str) -> Picture:
    """Returns one line per interval; ``banner`` stands below the title.

    Raises RecordError when a histogram of the record is damaged.
    """
    curves = {name: _curve(record, name) for name in _INTERVALS if name in record.latency}
    curves = {name: curve for name, curve in curves.items() if curve}
    hiccups = [] if record.hiccups is None else spectrum(record.hiccups.lateness)

    def draw(drawn: Figure, axes: Axes, is_narrow: bool) -> None:
        lines = []
        for index, (name, curve) in enumerate(curves.items()):
            style = canvas.line_style(index, len(curve))
            # The wide headline lies behind its parts, so that it stays visible beside them.
            is_head = index == 0
            if is_head:
                style |= {"linewidth": 5, "alpha": 0.65, "marker": "", "zorder": 1.5}
                _annotate_maximum(axes, curve[-1])
                _band(axes, record, name)
            lines += axes.plot(*zip(*curve, strict=True), label=name, **style)
        if hiccups:
            lines += axes.plot(*zip(*hiccups, strict=True), label="hiccups", **_MACHINE)
        curves_shown = [*curves.values(), *([hiccups] if hiccups else [])]
        most = max((curve[-1][0] for curve in curves_shown), default=10.0)
        percentile_axis(axes, most, is_narrow)
        values = [value for curve in curves_shown for _, value in curve]
        # Leaves room for the annotation above the highest point.
        durations.logarithmic(axes, axes.yaxis, [*values, 2.5 * max(values, default=0.0)])
        axes.set_ylabel("latency (log scale)")
        if lines:
            canvas.legend(drawn, lines, is_narrow=is_narrow)

    return Picture("spectrum", "Percentile spectrum", _caption(record), 4.3, draw, banner)


def _annotate_maximum(axes: Axes, end: tuple[float, float]) -> None:
    axes.annotate(
        f"max {units.format_duration(end[1])}",
        end,
        xytext=(-4, 7),
        textcoords="offset points",
        ha="right",
    )
    axes.plot(*end, "o", color=canvas.BLUE, markersize=7)


def _band(axes: Axes, record: RunRecord, interval: str) -> None:
    """Shade the confidence intervals, between neighbouring percentiles that have one."""
    summary = record.latency[interval][ALL_QUEUES]
    inverses = [1 / (1 - percent / 100) for percent in PERCENTILE_FIELDS.values()]
    none = ConfidenceInterval()
    found = [summary.confidence.get(field, none) for field in PERCENTILE_FIELDS]
    lows = [math.nan if each.low is None else each.low for each in found]
    highs = [math.nan if each.high is None else each.high for each in found]
    axes.fill_between(inverses, lows, highs, color=canvas.BLUE, alpha=0.25, linewidth=0, zorder=1)
    for inverse, low, high in zip(inverses, lows, highs, strict=True):
        axes.plot([inverse] * 2, [low, high], color=canvas.BLUE, linewidth=2, alpha=0.6, zorder=1)


def _has_band(record: RunRecord) -> bool:
    summaries = (record.latency[name][ALL_QUEUES] for name in _INTERVALS if name in record.latency)
    first = next((each for each in summaries if each.count), None)
    return first is not None and any(each.is_known for each in first.confidence.values())


def _curve(record: RunRecord, interval: str) -> list[tuple[float, float]]:
    return spectrum(record.latency[interval][ALL_QUEUES])


def percentile_axis(axes: Axes, most: float, is_narrow: bool) -> None:
    """Label the axis 0%, 90%, 99%, …, as far as there are tasks."""
    decades = math.ceil(math.log10(max(most, 10.0)) - 1e-9)
    axes.set_xscale("log")
    axes.set_xlim(1, max(most, 10.0) * 1.15)
    axes.xaxis.set_major_locator(FixedLocator([10.0**power for power in range(decades + 1)]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda inverse, _: percentile_label(inverse)))
    axes.set_xlabel("percentile" if is_narrow else "percentile (each step is ten times rarer)")
    axes.tick_params(axis="x", labelsize="small" if is_narrow else None)


def percentile_label(inverse: float) -> str:
    """Returns the label of a power of ten: ``99.9%`` for 1,000, as one in a thousand is slower."""
    nines = round(math.log10(inverse))
    return f"{100 - 100 / 10**nines:.{max(nines - 2, 0)}f}%"


def _caption(record: RunRecord) -> str:
    text = (
        "How long tasks took, from the fastest on the left to the slowest on the right, where each "
        "line ends at its maximum. A line that bends upwards has a tail of slow tasks"
    )
    if record.observation is not None:
        text += "; the true latency of each task lies between e2e_earliest and e2e"
    elif record.latency["e2e"][ALL_QUEUES].count and not record.scenario.is_closed_loop:
        text += "; where e2e lies above e2e_from_send, tasks were late before they were sent"
    if _has_band(record):
        text += "; the band is the 95% confidence interval of the wide line"
    if record.hiccups is not None:
        text += (
            ". The dotted line shows how late a process woke that only slept, as percentiles of "
            "time and not of tasks"
        )
    return text + "."
