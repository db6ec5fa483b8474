"""Sub-queues compared by how long their tasks waited."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.names import ALL_QUEUES
from bench.records.run_record import LatencySummary, RunRecord
from bench.reports.plots import canvas, durations
from bench.reports.plots.picture import Picture

_INTERVALS = {
    "queue_wait": "waited for a worker",
    "e2e": "took from due to finished",
    "enqueue": "took to be acknowledged by the server",
}
"""The intervals that may be shown, the most telling first, and what tasks did in them."""
_MARKS = (("p50", "p50_s"), ("p99", "p99_s"), ("max", "max_s"))


def queues_picture(record: RunRecord, banner: str) -> Picture | None:
    """Returns one row per sub-queue, highest priority on top; None without samples.

    ``banner`` stands below the title.
    """
    # Workers that do not report leave the start of a task unknown; only its end is observed.
    measured = [name for name in _INTERVALS if record.latency[name][ALL_QUEUES].count]
    interval = measured[0] if measured else "enqueue"
    waits = {
        queue: record.latency[interval][queue]
        for queue in record.queues
        if queue in record.latency[interval] and record.latency[interval][queue].count
    }
    if not waits:
        return None

    def draw(drawn: Figure, axes: Axes, is_narrow: bool) -> None:
        _rows(axes, waits)
        lines = []
        for index, (label, field) in enumerate(_MARKS):
            style = canvas.LINES[index] | {"linestyle": "", "markersize": 8}
            values = [getattr(summary, field) for summary in waits.values()]
            lines += axes.plot(values, range(len(values)), label=label, **style)
        axes.set_xlabel(f"{interval} (log scale)")
        axes.tick_params(axis="x", rotation=45 if is_narrow else 0)
        canvas.legend(drawn, lines, is_narrow=False)

    caption = (
        f"How long tasks of each sub-queue {_INTERVALS[interval]}: half of them at most p50, 99 in "
        "100 at most p99, all at most max. The table of sub-queues says how sure these are. The "
        "highest priority is on top; where priorities work, the marks move right from row to row."
    )
    if interval == "enqueue":
        caption = caption.partition(" The highest")[0]
    height = 1.7 + 0.55 * len(waits)
    return Picture("queues", f"{interval} of each sub-queue", caption, height, draw, banner)


def _rows(axes: Axes, waits: Mapping[str, LatencySummary]) -> None:
    """Draw the names, and a line from the lowest mark of each row to the highest."""
    values = []
    for row, (queue, summary) in enumerate(waits.items()):
        low, high = summary.p50_s or 0.0, summary.max_s or 0.0
        values += [low, high]
        axes.plot([low, high], [row, row], color=canvas.QUIET, linewidth=1, zorder=1)
        axes.annotate(
            queue,
            (0, row),
            xycoords=("axes fraction", "data"),
            xytext=(4, 7),
            textcoords="offset points",
        )
    axes.set_ylim(len(waits) - 0.6, -0.8)
    axes.set_yticks([])
    axes.grid(visible=False, axis="y")
    durations.logarithmic(axes, axes.xaxis, values)
