"""Bar chart of clients: tasks per second, and the CPU cost of a task on both sides."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullLocator

from bench import units
from bench.records.clients_record import ClientRow, ClientsRecord, Figures
from bench.reports import clients_text
from bench.reports.plots import canvas
from bench.reports.plots.picture import Picture

_SINGLE: dict[str, Any] = {"facecolor": canvas.BLUE}
_BATCHES: dict[str, Any] = {"facecolor": canvas.ORANGE, "hatch": "//", "edgecolor": "white"}
_MANY = 300
"""Ratio of the axis' ends from which only powers of ten are labelled."""
_HEIGHT = 0.4
_ROW_INCHES = 0.62
"""Height of a row: a bar, and the client's name above it."""


def clients_picture(record: ClientsRecord) -> Picture | None:
    """Returns one bar per measured client; None where no client was measured."""
    rows = clients_text.measured(record)
    if not rows:
        return None

    def draw(drawn: Figure, axes: Axes, is_narrow: bool) -> None:
        axes.set_xscale("log")
        axes.set_xlim(*_limits(rows))
        axes.set_ylim(len(rows) - 0.6, -0.9)
        for place, (row, figures) in enumerate(rows):
            _bar(axes, place, row, figures)
        axes.set_yticks([])
        axes.grid(visible=False, axis="y")
        axes.set_axisbelow(True)
        axes.set_xlabel("tasks per second (log scale)")
        low, high = axes.get_xlim()
        steps = (1,) if is_narrow or high / low > _MANY else (1, 2, 5)
        axes.xaxis.set_major_locator(LogLocator(subs=steps, numticks=100))
        axes.xaxis.set_minor_locator(NullLocator())
        canvas.count_ticks(axes.xaxis)
        canvas.legend(drawn, _legend(rows), is_narrow=is_narrow)

    caption = (
        "Tasks per second that each client enqueues when it runs alone: the median, with a line "
        "from the lowest to the highest repetition. Beside each name stands the CPU time per task "
        "of the server and of the client."
    )
    height = 1.7 + _ROW_INCHES * len(rows)
    title = "Ways to enqueue, and their CPU time per task"
    return Picture("clients", title, caption, height, draw)


def _limits(rows: Sequence[tuple[ClientRow, Figures]]) -> tuple[float, float]:
    """Returns the ends of the axis.

    The length of a bar means nothing on a log scale, so the left end is simply a power of ten.
    """
    lowest = min(figures.tasks_per_s_low for _, figures in rows)
    highest = max(figures.tasks_per_s_high for _, figures in rows)
    return float(10 ** np.floor(np.log10(lowest * 0.8))), highest * 1.3


def _bar(axes: Axes, place: int, row: ClientRow, figures: Figures) -> None:
    style = _SINGLE if row.batch == 1 else _BATCHES
    left = axes.get_xlim()[0]
    axes.barh(place, figures.tasks_per_s - left, left=left, height=_HEIGHT, **style)
    ends = [figures.tasks_per_s_low, figures.tasks_per_s_high]
    axes.plot(ends, [place, place], color=canvas.INK, linewidth=1.2, marker="|", markersize=7)
    axes.annotate(
        f"{row.name}: {units.format_rate(figures.tasks_per_s)} · "
        f"server {clients_text.micros(figures.server_cpu_us_per_task)}, "
        f"client {clients_text.micros(figures.client_cpu_us_per_task)}",
        (0, place - _HEIGHT / 2),
        xycoords=("axes fraction", "data"),
        xytext=(4, 3),
        textcoords="offset points",
        fontsize="small",
    )


def _legend(rows: Sequence[tuple[ClientRow, Figures]]) -> list[Artist]:
    batches = [row.batch for row, _ in rows]
    handles: list[Artist] = []
    if 1 in batches:
        handles.append(Patch(**_SINGLE, label="one task at a time"))
    if any(batch != 1 for batch in batches):
        handles.append(Patch(**_BATCHES, label="in batches"))
    span = Line2D([], [], color=canvas.INK, marker="|", label="lowest to highest")
    return [*handles, span]
