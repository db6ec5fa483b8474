"""``bench history``: how a metric changed over many runs."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bench import files, result_files
from bench.analysis import metric_values
from bench.analysis.groups import chosen
from bench.analysis.history import Trend, trends
from bench.errors import UsageError
from bench.records import run_record
from bench.records.run_record import RunRecord
from bench.reports.figures import counted
from bench.reports.history import otava_csv, print_trends
from bench.workload.metrics import Metric

_MOST = 12
"""Trends that a message lists."""
_WHERE = Parameter(
    metavar="NAME=VALUE",
    help="Show only runs with this setting, such as server=valkey. Example: rate=1000/s",
)
_EACH = Parameter(help="Draw every trend, into FILE-1, FILE-2 and so on of --image.")


def history(
    folder: Path | None = None,
    /,
    *,
    metric: Annotated[
        list[str] | None,
        Parameter(
            metavar="METRIC",
            help="Metric to show. May be given several times. Example: e2e.p99",
        ),
    ] = None,
    scenario: Annotated[
        str | None,
        Parameter(metavar="NAME", help="Show only runs of this scenario. Example: latency"),
    ] = None,
    where: Annotated[list[str] | None, _WHERE] = None,
    csv: Annotated[
        Path | None,
        Parameter(help="Write CSV for Apache Otava; see docs/comparing.md. Example: runs.csv"),
    ] = None,
    image: Annotated[
        Path | None, Parameter(help="Draw the trend into a .png or .svg file. Example: p99.svg")
    ] = None,
    each: Annotated[bool, _EACH] = False,
) -> int:
    """Show how a metric changed over many runs, and where it changed permanently.

    Parameters
    ----------
    folder
        A folder of run records; that of results by default.
    """
    folder = folder or result_files.folder()
    if each and image is None:
        raise UsageError("--each draws several trends, but --image names no file; add --image")
    everything = _runs(folder, scenario)
    found = chosen(everything, where or [])
    asked = [metric_values.parse_comparable(name) for name in metric or []]
    metrics_of = {run.scenario.name: asked or _default(run) for run in found}
    shown = trends(found, metrics_of, everything)
    if csv is not None:
        files.write_whole(csv, otava_csv(found, asked or _all_of(found)).encode())
    if image is not None:
        _draw(shown, folder, image, is_each=each)
    if not files.is_standard_output(csv):
        print_trends(shown)
    sys.stdout.flush()
    return 0


def _runs(folder: Path, scenario: str | None) -> list[RunRecord]:
    """Returns the runs in a folder. Raises UsageError where there are none of the scenario."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder")
    found = run_record.load_all([folder])
    if scenario is None:
        return found
    names = sorted({run.scenario.name for run in found})
    if scenario not in names:
        raise UsageError(f"{folder}: no runs of {scenario!r}; choose from {', '.join(names)}")
    return [run for run in found if run.scenario.name == scenario]


def _draw(shown: Sequence[Trend], folder: Path, image: Path, *, is_each: bool) -> None:
    """Draw one trend, or with ``is_each`` all of them. Raises UsageError where it is not clear
    which one to draw."""
    if not shown or (len(shown) > 1 and not is_each):
        raise UsageError(_which(shown, folder, image))
    # The plotting library is slow to load, and most calls need no picture.
    from bench.reports.plots.trend import save_trend  # noqa: PLC0415

    for number, trend in enumerate(shown, 1):
        is_one = len(shown) == 1
        save_trend(trend, image if is_one else image.with_stem(f"{image.stem}-{number}"))


def _which(shown: Sequence[Trend], folder: Path, image: Path) -> str:
    """Returns the trends by name, and the line that chooses one of them."""
    if not shown:
        return f"--image draws a trend, but {folder} holds no runs; name another folder"
    listed = "; ".join(f"{each.name}, {counted(len(each.points), 'run')}" for each in shown[:_MOST])
    more = f"; and {len(shown) - _MOST} more" if len(shown) > _MOST else ""
    best = max(shown, key=lambda trend: len(trend.points))
    words = ["bench", "history", str(folder), "--scenario", best.scenario]
    words += ["--metric", best.metric.name]
    words += [word for condition in best.group.choice for word in ("--where", condition)]
    return (
        f"--image draws one trend, but there are {len(shown)} ({listed}{more}); add --each to draw "
        f"them all, or choose one: {shlex.join([*words, '--image', str(image)])}"
    )


def _default(run: RunRecord) -> Sequence[Metric]:
    return metric_values.gated_by_default(run.scenario)


def _all_of(records: Sequence[RunRecord]) -> list[Metric]:
    """Returns the metrics that are gated by default in any of the runs' scenarios."""
    return list(dict.fromkeys(each for run in records for each in _default(run)))
