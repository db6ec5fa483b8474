"""Sub-queues side by side, by how long their tasks waited."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.records.run_record import LatencySummary, RunRecord
from bench.reports.plots import canvas, durations
from bench.reports.plots.picture import Picture

_STAGES = {
    "queue_wait": "waited for a worker",
    "e2e": "took, from due to finished",
    "enqueue": "waited for the server's reply",
}
_MARKS = (("p50", "p50_s"), ("p99", "p99_s"), ("max", "max_s"))


def queues_picture(record: RunRecord, mark: str) -> Picture | None:
    """One row a sub-queue, highest priority on top; None without samples."""
    # Where workers tell nothing, nobody knows when they began a task, but when it had ended.
    stages = [stage for stage in _STAGES if record.latency[stage]["all"].count]
    stage = stages[0] if stages else "enqueue"
    waits = {
        queue: record.latency[stage][queue]
        for queue in record.queues
        if queue in record.latency[stage] and record.latency[stage][queue].count
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
        axes.set_xlabel(f"{stage} (log scale)")
        axes.tick_params(axis="x", rotation=45 if is_narrow else 0)
        canvas.key(drawn, lines, is_narrow=False)

    caption = (
        f"How long tasks of each sub-queue {_STAGES[stage]}: half of them (p50), 99 in 100 (p99), "
        "all (max). The highest priority is on top; where priorities work, marks move right from "
        "row to row."
    )
    if stage == "enqueue":
        caption = caption.partition(" The highest")[0]
    height = 1.7 + 0.55 * len(waits)
    return Picture("queues", f"{stage} of each sub-queue", caption, height, draw, mark)


def _rows(axes: Axes, waits: Mapping[str, LatencySummary]) -> None:
    """The names, and a line from each row's least mark to its greatest."""
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
