"""Clients side by side: how many tasks a second, and what a task costs on both sides."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from bench import units
from bench.records.clients_record import ClientRow, ClientsRecord, Figures
from bench.reports import clients_text
from bench.reports.plots import canvas
from bench.reports.plots.picture import Picture

_SINGLE: dict[str, Any] = {"facecolor": canvas.BLUE}
_BATCHES: dict[str, Any] = {"facecolor": canvas.ORANGE, "hatch": "//", "edgecolor": "white"}
_MANY = 300
"""From lowest to highest: how far apart they are where only powers of ten are named."""
_HEIGHT = 0.4
_ROOM = 0.62
"""Of a row, above its bar: for its name."""


def clients_picture(record: ClientsRecord) -> Picture | None:
    """A bar for each client that has figures; None where none has."""
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
        axes.set_xlabel("tasks a second (log scale)")
        low, high = axes.get_xlim()
        steps = (1,) if is_narrow or high / low > _MANY else (1, 2, 5)
        axes.xaxis.set_major_locator(LogLocator(subs=steps, numticks=100))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: units.format_count(value)))
        canvas.key(drawn, _legend(rows), is_narrow=is_narrow)

    caption = (
        "How many tasks a second each client enqueues by itself: the median, with a line from the "
        "lowest to the highest repetition. Beside each name stands what a task costs the server's "
        "CPU and the client's own."
    )
    height = 1.7 + _ROOM * len(rows)
    title = "Ways to enqueue, and their CPU for a task"
    return Picture("clients", title, caption, height, draw)


def _limits(rows: Sequence[tuple[ClientRow, Figures]]) -> tuple[float, float]:
    """A bar's length means nothing on a log scale, so the left end is only where it fits."""
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
