"""A trend for people, for Apache Otava, and as a picture."""

import csv
import io
from collections.abc import Iterable, Sequence

from rich.console import RenderableType
from rich.text import Text

from bench import units
from bench.analysis.history import ChangePoint, Trend
from bench.analysis.metric_values import value_of
from bench.records.run_record import RunRecord
from bench.reports.console import console_for_stdout
from bench.reports.figures import figure, share
from bench.reports.tables import plain_table
from bench.workload.metrics import Metric

_MOST_ROWS = 30
_BAR = 24


def print_trends(trends: Sequence[Trend]) -> None:
    """Print all of them."""
    console = console_for_stdout()
    for number, trend in enumerate(trends):
        if number:
            console.print()
        for part in render(trend):
            console.print(part)


def render(trend: Trend) -> Iterable[RenderableType]:
    """The last thirty runs with a bar each, and every change of level."""
    yield Text.assemble(
        (f"{trend.metric.name}", "bold"), f" of {trend.scenario}, {_runs(len(trend.points))}"
    )
    if not trend.steps:
        yield Text("no change of level" if trend.points else "nothing to show")
    for step in trend.steps:
        yield _told(trend, step)
    for note in trend.notes:
        yield Text.assemble(("! ", "bold yellow"), note)
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
            figure(trend.metric, point.value),
        )
    yield table


def _told(trend: Trend, step: ChangePoint) -> Text:
    point = trend.points[step.index]
    direction, style = ("worse", "bold red") if step.worse > 0 else ("better", "bold green")
    return Text.assemble(
        (f"{direction} by {share(abs(step.worse))}", style),
        f" from {point.at:%Y-%m-%d %H:%M} on, revision {point.revision}: "
        f"{figure(trend.metric, step.before)} → {figure(trend.metric, step.after)}",
    )


def _runs(count: int) -> str:
    return f"{units.format_count(count)} run{'' if count == 1 else 's'}"


def otava_csv(records: Iterable[RunRecord], metrics: Sequence[Metric]) -> str:
    """One row a valid run, oldest first, in base units: what Apache Otava's CSV importer reads."""
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
