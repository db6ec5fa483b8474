"""Forest plot of a comparison: the change of each metric with its confidence interval."""

from collections.abc import Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from bench.analysis.rule import Decision
from bench.records.comparison_record import GateRecord, GateRow
from bench.reports.gate import text
from bench.reports.plots import canvas
from bench.reports.plots.picture import Picture

_MARKERS = {
    Decision.REGRESSION: (canvas.RED, "s"),
    Decision.INCONCLUSIVE: (canvas.ORANGE, "D"),
    Decision.NO_WORSE: (canvas.BLUE, "o"),
    Decision.IMPROVEMENT: (canvas.GREEN, "^"),
}
_NOT_GATED = (canvas.QUIET, "o")
_BAND: dict[str, Any] = {"color": canvas.QUIET, "alpha": 0.3, "linewidth": 0}


def forest_picture(gate: GateRecord) -> Picture | None:
    """Returns one row per metric; None where no metric has a change."""
    rows = [row for row in gate.rows if row.paired_change is not None]
    if not rows:
        return None

    def draw(drawn: Figure, axes: Axes, is_narrow: bool) -> None:
        low, high = _limits(rows)
        axes.set_xlim(low, high)
        axes.set_ylim(len(rows) - 0.5, -0.75)
        for place, row in enumerate(rows):
            _row(axes, place, row)
        axes.set_yticks([])
        axes.grid(visible=False, axis="y")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value)))
        axes.set_xlabel(_axis(gate, is_narrow))
        canvas.legend(drawn, _legend(rows), is_narrow=is_narrow)

    caption = (
        f"Paired change of {gate.candidate.label} against {gate.base.label}, with the "
        f"{gate.confidence:.0%} interval: to the right of zero, the figure of "
        f"{gate.candidate.label} is higher. The arrow of a metric says on which side it is worse. "
        "A metric has regressed when its interval lies beyond the grey margin on that side, and is "
        "no worse when the interval ends before the margin does. Metrics with hollow marks are not "
        "gated."
    )
    if any(row.low is None or row.high is None for row in rows):
        caption += " An interval that ends in an arrow is open, because there were too few pairs."
    height = 1.7 + 0.7 * len(rows)
    return Picture("forest", f"Change of each metric: {gate.title}", caption, height, draw)


def _axis(gate: GateRecord, is_narrow: bool) -> str:
    sides = f"{gate.candidate.label} against {gate.base.label}"
    return (
        f"paired change, {sides}" if is_narrow else f"← lower · paired change of {sides} · higher →"
    )


def _limits(rows: Sequence[GateRow]) -> tuple[float, float]:
    """Returns the ends of the axis, with room around all intervals and margins."""
    ends = [0.0]
    for row in rows:
        ends += [
            end for end in (row.low, row.high, row.paired_change, row.margin) if end is not None
        ]
    low, high = min(ends), max(ends)
    low = min(low, *(_margin(row)[0] for row in rows))
    room = 0.06 * (high - low)
    return low - room, high + room


def _margin(row: GateRow) -> tuple[float, float]:
    """Returns the ends of the margin around zero, as changes of the figure.

    Worse and better by the margin are ratios of (1 + margin) and its inverse, whichever is which.
    """
    return 1 / (1 + row.margin) - 1, row.margin


def _row(axes: Axes, place: int, row: GateRow) -> None:
    """Draw the margin, and the interval over it; an open end is an arrow at the edge."""
    color, marker = _MARKERS[Decision(row.decision)] if row.is_gated else _NOT_GATED
    left, right = axes.get_xlim()
    lower, upper = _margin(row)
    axes.barh(place, upper - lower, left=lower, height=0.4, **_BAND)
    # The zero line is interrupted where the names stand, above their rows.
    axes.plot([0, 0], [place - 0.22, place + 0.34], color=canvas.INK, linewidth=1.2)
    low = left if row.low is None else row.low
    high = right if row.high is None else row.high
    axes.plot([low, high], [place, place], color=color, linewidth=2.5 if row.is_gated else 1.4)
    for end, at, arrow in ((row.low, left, "<"), (row.high, right, ">")):
        if end is None:
            axes.plot([at], [place], marker=arrow, color=color, markersize=9, clip_on=False)
    face = color if row.is_gated else "none"
    axes.plot(
        [row.paired_change or 0.0], [place], marker, color=color, mfc=face, mew=1.6, markersize=8
    )
    axes.annotate(
        _label(row),
        (0, place),
        xycoords=("axes fraction", "data"),
        xytext=(4, 14),
        textcoords="offset points",
        fontweight="bold" if row.is_gated else "normal",
        fontsize="small",
    )


def _label(row: GateRow) -> str:
    """Returns a metric with its paired change, as in tables, and the side that is worse."""
    worse = "← worse" if text.higher_is_better(row) else "worse →"
    return f"{row.metric}  {text.paired_change(row)}  {worse}"


def _tick(value: float) -> str:
    label = f"{value * 100:+.3g}%".replace("-", "−")
    return "0" if label == "+0%" else label


def _legend(rows: Sequence[GateRow]) -> list[Artist]:
    decided = {Decision(row.decision) for row in rows if row.is_gated}
    handles: list[Artist] = [
        Line2D([], [], color=_MARKERS[each][0], marker=_MARKERS[each][1], markersize=8, label=each)
        for each in Decision
        if each in decided
    ]
    if any(not row.is_gated for row in rows):
        handles.append(
            Line2D([], [], color=_NOT_GATED[0], marker=_NOT_GATED[1], mfc="none", label="not gated")
        )
    return [*handles, Patch(**_BAND, label="margin")]
