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
    rows = [row for row in gate.rows if row.change is not None]
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
        axes.set_xlabel("← better · worse →" if is_narrow else _AXIS)
        canvas.legend(drawn, _legend(rows), is_narrow=is_narrow)

    caption = (
        f"How much worse the candidate is than the base, with the {gate.confidence:.0%} "
        "interval. A metric has regressed when its interval lies to the right of the grey margin, "
        "and is no worse when the interval ends before the margin does. Metrics with hollow marks "
        "are not gated."
    )
    if any(row.low is None or row.high is None for row in rows):
        caption += " An interval that ends in an arrow is open, because there were too few pairs."
    height = 1.7 + 0.6 * len(rows)
    return Picture("forest", f"Change of each metric: {gate.title}", caption, height, draw)


_AXIS = "← better · degradation relative to the base · worse →"


def _limits(rows: Sequence[GateRow]) -> tuple[float, float]:
    """Returns the ends of the axis, with room around all intervals and margins."""
    ends = [0.0]
    for row in rows:
        ends += [end for end in (row.low, row.high, row.change, row.margin) if end is not None]
    low, high = min(ends), max(ends)
    low = min(low, -min(row.margin for row in rows))
    room = 0.06 * (high - low)
    return low - room, high + room


def _row(axes: Axes, place: int, row: GateRow) -> None:
    """Draw the margin, and the interval over it; an open end is an arrow at the edge."""
    color, marker = _MARKERS[Decision(row.decision)] if row.is_gated else _NOT_GATED
    left, right = axes.get_xlim()
    axes.barh(place, 2 * row.margin, left=-row.margin, height=0.4, **_BAND)
    # The zero line is interrupted where the names stand, above their rows.
    axes.plot([0, 0], [place - 0.22, place + 0.34], color=canvas.INK, linewidth=1.2)
    low = left if row.low is None else row.low
    high = right if row.high is None else row.high
    axes.plot([low, high], [place, place], color=color, linewidth=2.5 if row.is_gated else 1.4)
    for end, at, arrow in ((row.low, left, "<"), (row.high, right, ">")):
        if end is None:
            axes.plot([at], [place], marker=arrow, color=color, markersize=9, clip_on=False)
    face = color if row.is_gated else "none"
    axes.plot([row.change or 0.0], [place], marker, color=color, mfc=face, mew=1.6, markersize=8)
    axes.annotate(
        row.metric,
        (0, place),
        xycoords=("axes fraction", "data"),
        xytext=(4, 10),
        textcoords="offset points",
        fontweight="bold" if row.is_gated else "normal",
        fontsize="small",
    )


def _tick(value: float) -> str:
    text = f"{value * 100:+.3g}%".replace("-", "−")
    return "0" if text == "+0%" else text


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
