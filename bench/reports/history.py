"""A metric's trend over many runs: as a terminal report, and as CSV for Apache Otava."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from bench.analysis.history import ChangePoint, Trend
from bench.analysis.metric_values import value_of
from bench.records.run_record import RunRecord
from bench.reports import confidence_text
from bench.reports.console import note_line, print_parts
from bench.reports.figures import counted, figure, signed_share
from bench.reports.tables import plain_table
from bench.workload.metrics import Metric

LEVELS = (
    "levels are medians of their runs, without an interval; a change is shown where the runs "
    "before and after it differ significantly (Mann-Whitney)"
)
_MOST_ROWS = 30
_BAR = 24


def print_trends(trends: Sequence[Trend]) -> None:
    """Print the trends to standard output, separated by empty lines."""
    print_parts(lambda _: _separated(trends))


def _separated(trends: Sequence[Trend]) -> Iterable[RenderableType]:
    for number, trend in enumerate(trends):
        if number:
            yield ""
        yield from render(trend)


def render(trend: Trend) -> Iterable[RenderableType]:
    """Returns every change of level, and the last thirty runs with a bar each."""
    yield Text.assemble(
        (f"{trend.metric.name}", "bold"),
        f"{trend.name.removeprefix(trend.metric.name)}, {counted(len(trend.points), 'run')}",
    )
    if not trend.steps:
        yield Text("no change of level" if trend.points else "no valid run has this metric")
    for step in trend.steps:
        yield _change_line(trend, step)
    for note in trend.notes:
        yield note_line(note)
    if not trend.points:
        return
    yield ""
    table = plain_table("when (UTC)", "revision", "", text_columns=3)
    table.add_column(trend.metric.name, justify="right", no_wrap=True)
    highest = max(point.value for point in trend.points)
    changes = {step.index: step for step in trend.steps}
    for index, point in list(enumerate(trend.points))[-_MOST_ROWS:]:
        mark = " ◀" if index in changes else ""
        table.add_row(
            f"{point.at:%Y-%m-%d %H:%M}",
            point.revision,
            "█" * max(round(point.value / highest * _BAR), 1) + mark,
            confidence_text.metric_value(trend.metric, point.value, point.confidence),
        )
    yield table
    yield from (Text(line, style="dim") for line in how_sure(trend))


def how_sure(trend: Trend) -> Iterator[str]:
    """Yields how sure the figures of the runs and the levels between changes are."""
    if trend.metric.kind == "rate" or trend.metric.percent is not None:
        yield from confidence_text.lines_of_figures(point.confidence for point in trend.points)
    if trend.steps:
        yield LEVELS


def _change_line(trend: Trend, step: ChangePoint) -> Text:
    point = trend.points[step.index]
    direction, style = ("worse", "bold red") if step.is_worse else ("better", "bold green")
    return Text.assemble(
        (f"{direction}: {signed_share(step.change)}%", style),
        f" since {point.at:%Y-%m-%d %H:%M}, revision {point.revision}: "
        f"{figure(trend.metric, step.before)} → {figure(trend.metric, step.after)}",
    )


def otava_csv(records: Iterable[RunRecord], metrics: Sequence[Metric]) -> str:
    """Returns CSV for Apache Otava's importer: one row per valid run, oldest first, in base units.

    A figure that a run lacks is an empty cell.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["time", "run", "revision", "scenario", *(each.name for each in metrics)])
    for record in sorted(records, key=lambda each: each.started_at):
        if record.verdict == "valid":
            git = record.environment.get("git")
            commit = git.get("commit", "") if isinstance(git, dict) else ""
            values = [value_of(each, record) for each in metrics]
            writer.writerow(
                [
                    *(record.started_at, record.id, commit, record.scenario.name),
                    *("" if value is None else repr(value) for value in values),
                ]
            )
    return out.getvalue()
