"""A run that was repeated with fresh processes, as a terminal report: the spread of each figure."""

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text

from bench.analysis import restarts
from bench.analysis.restarts import Answer
from bench.records.restarts_record import RestartsRecord, Spread
from bench.reports.console import fault_line, note_line, print_parts, record_lines
from bench.reports.figures import NOTHING, counted, figure, share
from bench.reports.tables import plain_table
from bench.workload.metrics import parse_metric


def print_restarts(record: RestartsRecord, path: Path | None) -> None:
    """Print the report to standard output; ``path`` is where the record was saved, if it was."""
    print_parts(lambda _: render(record, path))


def render(record: RestartsRecord, path: Path | None) -> Iterable[RenderableType]:
    """Returns the parts of the report, top to bottom."""
    yield Text(sentence(record), style="bold")
    for fault in _faults(record):
        yield fault_line(fault)
    if not record.is_complete:
        yield note_line(f"interrupted after {counted(len(record.runs), 'start')}")
    for inversion in inversions(record):
        yield note_line(inversion)
    yield from objectives(record)
    yield ""
    table = plain_table(
        *("metric", "median", "lowest", "highest", "between starts", "within one"), text_columns=1
    )
    for spread in record.spreads:
        table.add_row(spread.metric, *_figures(spread))
    yield table
    yield ""
    yield Text(
        "between starts: standard deviation of the runs, less what the differences within a run "
        "explain where these are known; within one: from second to second of a run; both as shares "
        "of the mean",
        style="dim",
    )
    yield from record_lines(path)


def sentence(record: RestartsRecord) -> str:
    """Returns the answer: whether one run of this scenario is enough."""
    name = record.scenario.name
    starts = counted(restarts.whole_starts(record), "start")
    answer, worst = restarts.judge(record)
    between = "" if worst is None else share(worst.between or 0.0)
    match answer:
        case Answer.TOO_FEW:
            return f"{name}: {starts}, too few to compare"
        case Answer.TOO_SHORT:
            return (
                f"{name}: {starts}, too short to tell whether they differ by more than their "
                "seconds"
            )
        case Answer.ALIKE:
            return f"{name}: {starts} differ by hardly more than what varies within one ({between})"
        case Answer.DIFFERENT:
            metric = "" if worst is None else worst.metric
            return (
                f"{name}: {starts} differ by {between} in {metric}, beyond what varies within one; "
                "one run is not enough: quote the range over starts"
            )


def objectives(record: RestartsRecord) -> Iterable[Text]:
    """Yields each objective, with the number of starts that missed it."""
    missed = Counter(each.expression for run in record.runs for each in run.slo if not each.passed)
    for expression in record.scenario.slo:
        count = missed[expression]
        if count:
            starts = counted(len(record.runs), "start")
            yield fault_line(f"{expression}   missed in {count} of {starts}")
        else:
            yield Text.assemble(("✓ ", "bold green"), f"{expression}   met in every start")


def inversions(record: RestartsRecord) -> list[str]:
    """Returns in how many starts a sub-queue waited longer than one of lower priority."""
    judged = counted(sum(run.inversions is not None for run in record.runs), "start")
    return [
        f"{higher} waited longer than {lower}, which has lower priority, in {count} of {judged}"
        for (higher, lower), count in restarts.inverted_pairs(record).items()
    ]


def _faults(record: RestartsRecord) -> Iterable[str]:
    for number, run in enumerate(record.runs, 1):
        if run.verdict != "valid":
            yield f"start {number} is {run.verdict.replace('_', ' ')}: see {run.file}"


def _figures(spread: Spread) -> Sequence[str]:
    values = [value for value in spread.values if value is not None]
    metric = parse_metric(spread.metric)
    shares = [NOTHING if each is None else share(each) for each in (spread.between, spread.within)]
    chosen = (statistics.median(values), min(values), max(values)) if values else (None,) * 3
    return [*(figure(metric, value) for value in chosen), *shares]
