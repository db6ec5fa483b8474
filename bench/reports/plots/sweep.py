"""Pictures of a sweep: latency against load with every trial, or a row for each level."""

import statistics
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullLocator

from bench.analysis import sweep
from bench.analysis.sweep import LevelOutcome, LoadCurve
from bench.measure.verdict_inputs import Verdict
from bench.records.sweep_record import SWEEP_PERCENTILES, SweepRecord, SweepTrial
from bench.reports import sweep_text
from bench.reports.plots import canvas, durations
from bench.reports.plots.load import offered_axis
from bench.reports.plots.picture import Picture

MOST_CURVES = 12
"""Combinations that have a picture of their own."""
_MOST_LINES = len(canvas.LINES)
_MOST_ROWS = 40
_DOT, _MIDDLE = 4.0, 6.5
_BAND_ALPHA = 0.18
_BEYOND: dict[str, Any] = {"color": canvas.QUIET, "alpha": 0.16, "linewidth": 0}
_CROWDED = 0.35
"""Share of the highest rate below which half of the rates lie where they are spaced by ratios."""
_ROW_INCHES = 0.42
_OFFSETS = (-0.18, 0.0, 0.18)
"""Places of the percentiles within a row, so that none hides another."""


def sweep_pictures(record: SweepRecord) -> list[Picture]:
    """Returns the pictures of a sweep, those to see first at the top.

    Where the rate is varied, there is one of latency against load for each combination of the other
    fields, and one of the p99 of all of them; otherwise one with a row for each level. A picture
    without a measured latency is left out.
    """
    curves = [each for each in sweep.curves(record) if _values(each.levels)]
    if not curves:
        return _rows_pictures(record)
    own = [_curve_picture(record, curve, n) for n, curve in enumerate(curves[:MOST_CURVES], 1)]
    if len(curves) == 1:
        return own
    together = [_together(record, curves)] if len(curves) <= _MOST_LINES else []
    return [*together, *own]


# --- Latency against load -------------------------------------------------------------------------


def _curve_picture(record: SweepRecord, curve: LoadCurve, number: int) -> Picture:
    levels = [each for each in curve.judged if each.level.offered_per_s is not None]

    def draw(drawn: Figure, axes: Axes, is_narrow: bool) -> None:
        _limits(axes, record)
        _mark_limit(axes, curve)
        handles: list[Artist] = []
        for style, name in zip(canvas.LINES, SWEEP_PERCENTILES, strict=False):
            _line(axes, levels, name, style)
            handles.append(Line2D([], [], label=name, markersize=_MIDDLE, **style))
        handles += _legend(levels, curve)
        durations.logarithmic(axes, axes.yaxis, _values(sweep.outcomes(record)))
        axes.set_ylabel(f"{record.interval} (log scale)")
        offered_axis(axes, is_narrow)
        canvas.legend(drawn, handles, is_narrow=is_narrow)

    at = f": {sweep_text.settings_text(curve.settings)}" if curve.settings else ""
    title = f"{record.interval} versus load{at}"
    return Picture(f"curve-{number}", title, _curve_caption(record, curve), 4.8, draw)


def _limits(axes: Axes, record: SweepRecord) -> None:
    """Give all pictures of a sweep the same horizontal axis, so that they can be compared.

    It is logarithmic where most rates would otherwise crowd at its lower end.
    """
    offered = [each.offered_per_s for each in record.levels if each.offered_per_s is not None]
    if statistics.median(offered) > _CROWDED * max(offered):
        axes.set_xlim(0, max(offered) * 1.04)
        return
    axes.set_xlim(min(offered) / 1.2, max(offered) * 1.1)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())


def _line(axes: Axes, levels: Sequence[LevelOutcome], name: str, style: dict[str, Any]) -> None:
    """Draw the line of one percentile, its band and the dots of all trials.

    From the first level on that does not keep up, the line is thin and has no band: what it shows
    there depends on the length of the trials.
    """
    color = style["color"]
    known = [each for each in levels if each.latency_s[name].value is not None]
    kept = [each for each in known if each.keeps_up]
    band = [each for each in kept if each.latency_s[name].low is not None]
    if band:
        ends = [each.latency_s[name] for each in band]
        axes.fill_between(
            [_rate(each) for each in band],
            [each.low or 0.0 for each in ends],
            [each.high or 0.0 for each in ends],
            color=color,
            alpha=_BAND_ALPHA,
            linewidth=0,
        )
    for before, after in pairwise(known):
        is_kept = before.keeps_up and after.keeps_up
        axes.plot(
            [_rate(before), _rate(after)],
            [before.latency_s[name].value or 0.0, after.latency_s[name].value or 0.0],
            color=color,
            linestyle=style["linestyle"],
            linewidth=1.8 if is_kept else 0.8,
            alpha=1.0 if is_kept else 0.6,
        )
    for each in known:
        _dots(axes, each, name, style)


def _dots(axes: Axes, level: LevelOutcome, name: str, style: dict[str, Any]) -> None:
    """Draw every trial of a level small, and the middle one larger: hollow where not valid."""
    color = style["color"]
    for trial, value in _dots_of(level, name):
        axes.plot([_rate(level)], [value], **_dot(trial, color))
    figure = level.latency_s[name]
    if figure.low is not None and figure.high is not None:
        ends = [figure.low, figure.high]
        axes.plot([_rate(level)] * 2, ends, color=color, linewidth=1.2, alpha=0.7)
    if figure.value is not None:
        face = color if level.keeps_up else canvas.PAPER
        mark: dict[str, Any] = {"marker": style["marker"], "mfc": face, "ms": _MIDDLE}
        axes.plot([_rate(level)], [figure.value], color=color, **mark)


def _dot(trial: SweepTrial, color: str) -> dict[str, Any]:
    """Returns the style of one trial, which lies above the mark of its level."""
    shape: dict[str, Any] = {"marker": "o", "linestyle": "", "ms": _DOT, "zorder": 3}
    if _is_good(trial):
        return {**shape, "mfc": color, "mec": canvas.PAPER, "mew": 0.6}
    return {**shape, "mfc": canvas.PAPER, "mec": color}


def _mark_limit(axes: Axes, curve: LoadCurve) -> None:
    """Shade the rates from the first one on at which the queue does not keep up."""
    failed, kept = curve.first_failed, curve.last_kept
    if failed is None:
        return
    low, high = axes.get_xlim()
    begins = low if kept is None else (_rate(failed) + _rate(kept)) / 2
    axes.axvspan(begins, high, **_BEYOND)
    on_left = begins > (low + high) / 2
    axes.annotate(
        f"{sweep_text.reason(failed)} →",
        (begins, 1),
        xycoords=("data", "axes fraction"),
        xytext=(-4 if on_left else 4, -4),
        textcoords="offset points",
        ha="right" if on_left else "left",
        va="top",
        fontsize="small",
    )


def _legend(levels: Sequence[LevelOutcome], curve: LoadCurve) -> list[Artist]:
    ink: dict[str, Any] = {"color": canvas.INK, "linestyle": "", "marker": "o"}
    handles: list[Artist] = []
    if any(len(each.trials) > 1 for each in levels):
        handles.append(Line2D([], [], label="a trial", mfc=canvas.INK, ms=_DOT, **ink))
    if any(not each.keeps_up for each in levels):
        handles.append(Line2D([], [], label="not valid", mfc="none", ms=_DOT, **ink))
    if _has_ranges(levels):
        handles.append(Patch(label="range", color=canvas.QUIET, alpha=0.35, linewidth=0))
    if curve.first_failed is not None:
        handles.append(Patch(label="does not keep up", **_BEYOND))
    return handles


def _curve_caption(record: SweepRecord, curve: LoadCurve) -> str:
    several = record.repeat > 1
    text = (
        f"{', '.join(SWEEP_PERCENTILES[:-1])} and {SWEEP_PERCENTILES[-1]} of {record.interval} of "
        f"all sub-queues together, from the due time, versus the offered rate. {_trials(record)}"
    )
    if several:
        text += "; lines lead through the middle one of each level, and bands reach from the lowest"
        text += " to the highest"
    elif _has_ranges(curve.levels):
        text += "; bands are the 95% interval of the trial itself"
    text += "."
    if curve.first_failed is not None:
        text += (
            " Hollow marks are trials that are not valid. In the grey part the queue does not keep "
            "up: latency there depends on how long a trial lasts. It begins halfway between the "
            "last level that keeps up and the first that does not."
        )
    return text


def _trials(record: SweepRecord) -> str:
    return f"Each {'small dot' if record.repeat > 1 else 'mark'} is a trial"


def _has_ranges(levels: Sequence[LevelOutcome]) -> bool:
    return any(figure.low is not None for each in levels for figure in each.latency_s.values())


def _together(record: SweepRecord, curves: Sequence[LoadCurve]) -> Picture:
    def draw(drawn: Figure, axes: Axes, is_narrow: bool) -> None:
        _limits(axes, record)
        handles: list[Artist] = []
        for style, curve in zip(canvas.LINES, curves, strict=False):
            _line(axes, curve.judged, "p99", style)
            label = sweep_text.settings_text(curve.settings)
            handles.append(Line2D([], [], label=label, markersize=_MIDDLE, **style))
        found = [each for each in sweep.outcomes(record) if each.is_judged]
        values = [value for each in found for value in _all_values(each, ("p99",))]
        durations.logarithmic(axes, axes.yaxis, values)
        axes.set_ylabel(f"{record.interval} p99 (log scale)")
        offered_axis(axes, is_narrow)
        canvas.legend(drawn, handles, is_narrow=is_narrow)

    names = " and ".join(each for each in sweep.record_fields(record) if each != sweep.RATE)
    caption = (
        f"p99 of {record.interval} of each {names}, versus the offered rate. {_trials(record)}; "
        "hollow ones are not valid, and thin lines lead to levels that do not keep up."
    )
    return Picture("together", f"{record.interval} p99 versus load, by {names}", caption, 4.8, draw)


# --- A row for each level -------------------------------------------------------------------------


def _rows_pictures(record: SweepRecord) -> list[Picture]:
    levels = [each for each in sweep.outcomes(record) if _values([each])]
    if not levels or len(levels) > _MOST_ROWS:
        return []

    def draw(drawn: Figure, axes: Axes, is_narrow: bool) -> None:
        for place, level in enumerate(levels):
            for style, name, offset in zip(canvas.LINES, SWEEP_PERCENTILES, _OFFSETS, strict=False):
                _row(axes, place + offset, level, name, style)
        durations.logarithmic(axes, axes.xaxis, _values(levels))
        axes.set_yticks(range(len(levels)), [_row_label(each) for each in levels])
        axes.set_ylim(len(levels) - 0.5, -0.5)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(f"{record.interval} (log scale)")
        axes.tick_params(axis="x", rotation=45 if is_narrow else 0)
        handles: list[Artist] = [
            Line2D([], [], label=name, color=style["color"], marker=style["marker"], linestyle="")
            for style, name in zip(canvas.LINES, SWEEP_PERCENTILES, strict=False)
        ]
        canvas.legend(drawn, handles, is_narrow=is_narrow)

    names = " and ".join(sweep.record_fields(record))
    span = "from the lowest trial to the highest" if record.repeat > 1 else "the 95% interval"
    lines = f", a line is {span}" if _has_ranges(levels) else ""
    caption = (
        f"{', '.join(SWEEP_PERCENTILES[:-1])} and {SWEEP_PERCENTILES[-1]} of {record.interval} of "
        f"each level, by {names}. {_trials(record)}{lines}; hollow marks are not valid."
    )
    height = 1.6 + _ROW_INCHES * len(levels)
    return [Picture("levels", f"{record.interval} of each level", caption, height, draw)]


def _row(axes: Axes, place: float, level: LevelOutcome, name: str, style: dict[str, Any]) -> None:
    figure, color = level.latency_s[name], style["color"]
    if figure.low is not None and figure.high is not None:
        axes.plot([figure.low, figure.high], [place, place], color=color, linewidth=2, alpha=0.6)
    for trial, value in _dots_of(level, name):
        axes.plot([value], [place], **_dot(trial, color))
    if figure.value is not None:
        face = color if level.keeps_up else "none"
        axes.plot([figure.value], [place], style["marker"], color=color, mfc=face, ms=_MIDDLE)


def _row_label(level: LevelOutcome) -> str:
    settings = level.level.settings
    if len(settings) == 1:
        ((name, value),) = settings.items()
        return sweep_text.value_text(name, value)
    return "\n".join(f"{name}={sweep_text.value_text(name, v)}" for name, v in settings.items())


# --- Values ---------------------------------------------------------------------------------------


def _rate(level: LevelOutcome) -> float:
    return level.level.offered_per_s or 0.0


def _is_good(trial: SweepTrial) -> bool:
    return sweep.verdict_of(trial) == Verdict.VALID


def _of_trial(trial: SweepTrial, name: str) -> float | None:
    figure = trial.latency_s.get(name)
    return None if figure is None or not figure.value else figure.value


def _dots_of(level: LevelOutcome, name: str) -> list[tuple[SweepTrial, float]]:
    """Returns the trials that have a dot: none where the mark of the level is the only one."""
    found = [(each, value) for each in level.trials if (value := _of_trial(each, name)) is not None]
    return found if len(found) > 1 else []


def _all_values(level: LevelOutcome, names: Sequence[str]) -> list[float]:
    figures = [level.latency_s[name] for name in names]
    ends = [end for each in figures for end in (each.low, each.value, each.high)]
    trials = [_of_trial(trial, name) for trial in level.trials for name in names]
    return [value for value in (*ends, *trials) if value]


def _values(levels: Sequence[LevelOutcome]) -> list[float]:
    return [value for each in levels for value in _all_values(each, SWEEP_PERCENTILES)]
