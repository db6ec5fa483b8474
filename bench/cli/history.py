"""``bench history``: how a metric changed over many runs."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bench import files, result_files
from bench.analysis import metric_values
from bench.analysis.history import Trend, trends
from bench.errors import UsageError
from bench.records import run_record
from bench.records.run_record import RunRecord
from bench.reports.history import otava_csv, print_trends
from bench.workload.metrics import Metric


def history(
    folder: Path = result_files.RESULTS,
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
    csv: Annotated[
        Path | None,
        Parameter(help="Write CSV for Apache Otava; see docs/comparing.md. Example: runs.csv"),
    ] = None,
    image: Annotated[
        Path | None, Parameter(help="Draw the trend into a .png or .svg file. Example: p99.svg")
    ] = None,
) -> int:
    """Show how a metric changed over many runs, and where it changed permanently.

    Parameters
    ----------
    folder
        A folder of run records.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder")
    found = run_record.load_all([folder])
    names = sorted({each.scenario.name for each in found})
    if scenario is not None:
        found = [each for each in found if each.scenario.name == scenario]
        if not found:
            raise UsageError(f"{folder}: no runs of {scenario!r}; choose from {', '.join(names)}")
    asked = [metric_values.parse_comparable(name) for name in metric or []]
    shown = trends(found, {each.scenario.name: asked or _default(each) for each in found})
    if csv is not None:
        files.write_whole(csv, otava_csv(found, asked or _all_of(found)).encode())
    if image is not None:
        _draw(shown, image)
    if not files.is_standard_output(csv):
        print_trends(shown)
    sys.stdout.flush()
    return 0


def _draw(shown: Sequence[Trend], image: Path) -> None:
    # The plotting library is slow to load, and most calls need no picture.
    from bench.reports.plots.trend import save_trend  # noqa: PLC0415

    if len(shown) != 1:
        names = ", ".join(f"{each.metric.name} of {each.scenario}" for each in shown)
        raise UsageError(
            f"--image draws one trend, but there are {len(shown)} ({names}); add --scenario and "
            "--metric"
        )
    save_trend(shown[0], image)


def _default(run: RunRecord) -> Sequence[Metric]:
    return metric_values.gated_by_default(run.scenario)


def _all_of(records: Sequence[RunRecord]) -> list[Metric]:
    """Returns the metrics that are gated by default in any of the runs' scenarios."""
    return list(dict.fromkeys(each for run in records for each in _default(run)))
