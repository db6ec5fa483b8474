"""``bench history``: how a metric changed over many runs."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bench import files, result_files
from bench.analysis import metric_values
from bench.analysis.groups import chosen
from bench.analysis.history import Trend, trends
from bench.cli.messages import notify
from bench.errors import UsageError
from bench.records import run_files
from bench.records.run_record import RunRecord
from bench.reports.figures import counted
from bench.reports.history import otava_csv, print_trends
from bench.workload.metrics import Metric

_MOST = 12
"""Trends that a message lists."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class TrendFlags:
    """Which trends are shown, and where they go besides the terminal."""

    metric: Annotated[
        list[str] | None,
        Parameter(
            metavar="METRIC",
            help="Metric to show. May be given several times. Example: e2e.p99",
        ),
    ] = None
    scenario: Annotated[
        str | None,
        Parameter(metavar="NAME", help="Show only runs of this scenario. Example: latency"),
    ] = None
    where: Annotated[
        list[str] | None,
        Parameter(
            metavar="NAME=VALUE",
            help="Show only runs with this setting, such as server=valkey. Example: rate=1000/s",
        ),
    ] = None
    csv: Annotated[
        Path | None,
        Parameter(help="Write CSV for Apache Otava; see docs/comparing.md. Example: runs.csv"),
    ] = None
    image: Annotated[
        Path | None, Parameter(help="Draw the trend into a .png or .svg file. Example: p99.svg")
    ] = None
    each: Annotated[
        bool,
        Parameter(negative=(), help="Draw every trend, into FILE-1, FILE-2 and so on of --image."),
    ] = False


def history(*records: Path, flags: TrendFlags | None = None) -> int:
    """Show how a metric changed over many runs, and where it changed permanently.

    Parameters
    ----------
    records
        Run records, or folders of them; the folder of results by default.
    """
    flags = flags or TrendFlags()
    if flags.each and flags.image is None:
        raise UsageError("--each draws several trends, but --image names no file; add --image")
    paths = records or (_results(),)
    everything = _runs(paths, flags.scenario)
    found = chosen(everything, flags.where or [])
    asked = [metric_values.parse_comparable(name) for name in flags.metric or []]
    metrics_of = {run.scenario.name: asked or _default(run) for run in found}
    shown = trends(found, metrics_of, everything)
    if flags.csv is not None:
        files.write_whole(flags.csv, otava_csv(found, asked or _all_of(found)).encode())
    if flags.image is not None:
        _draw(shown, paths, flags.image, is_each=flags.each)
    if not files.is_standard_output(flags.csv):
        print_trends(shown)
    sys.stdout.flush()
    return 0


def _results() -> Path:
    """Returns the folder of results. Raises UsageError where there is none yet."""
    folder = result_files.folder()
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; make a run first, or name records")
    return folder


def _runs(paths: Sequence[Path], scenario: str | None) -> list[RunRecord]:
    """Returns the runs at these paths. Raises UsageError where there are none of the scenario."""
    loaded = run_files.find(paths)
    where = ", ".join(map(str, paths))
    if loaded.note:
        notify(f"{where}: {loaded.note}")
    found = loaded.records
    if scenario is None:
        return found
    names = sorted({run.scenario.name for run in found})
    if scenario not in names:
        raise UsageError(f"{where}: no runs of {scenario!r}; choose from {', '.join(names)}")
    return [run for run in found if run.scenario.name == scenario]


def _draw(shown: Sequence[Trend], paths: Sequence[Path], image: Path, *, is_each: bool) -> None:
    """Draw one trend, or with ``is_each`` all of them. Raises UsageError where it is not clear
    which one to draw."""
    if not shown or (len(shown) > 1 and not is_each):
        raise UsageError(_which(shown, paths, image))
    # The plotting library is slow to load, and most calls need no picture.
    from bench.reports.plots.trend import save_trend  # noqa: PLC0415

    for number, trend in enumerate(shown, 1):
        is_one = len(shown) == 1
        save_trend(trend, image if is_one else image.with_stem(f"{image.stem}-{number}"))


def _which(shown: Sequence[Trend], paths: Sequence[Path], image: Path) -> str:
    """Returns the trends by name, and the line that chooses one of them."""
    if not shown:
        return "--image draws a trend, but there are no runs; name others"
    listed = "; ".join(f"{each.name}, {counted(len(each.points), 'run')}" for each in shown[:_MOST])
    more = f"; and {len(shown) - _MOST} more" if len(shown) > _MOST else ""
    best = max(shown, key=lambda trend: len(trend.points))
    words = ["bench", "history", *map(str, paths), "--scenario", best.scenario]
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
