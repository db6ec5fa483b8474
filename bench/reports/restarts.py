"""A run that was repeated with fresh processes, as a terminal report: the spread of each figure."""

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text

from bench import units
from bench.analysis import restarts
from bench.analysis.fault_spread import COUNTS, FEWEST
from bench.analysis.restarts import Answer
from bench.records.restarts_record import FaultSpread, RestartsRecord, Spread
from bench.reports import next_steps
from bench.reports.console import fault_line, note_line, print_parts, record_lines
from bench.reports.figures import NOTHING, counted, figure, share
from bench.reports.tables import plain_table
from bench.workload.metrics import parse_metric

HEADINGS = ("metric", "median", "lowest", "highest", "between starts", "within one")
FAULT_HEADINGS = ("fault", "figure", "median", "interval", "lowest", "highest")
EXPLANATION = (
    "between starts: standard deviation of the runs, less what the differences within a run "
    "explain where these are known; within one: standard error of one run's figure by its "
    "confidence interval or, where it has none, the standard deviation from second to second; both "
    "as shares of the mean"
)


def print_restarts(record: RestartsRecord, path: Path | None) -> None:
    """Print the report to standard output; ``path`` is where the record was saved, if it was."""
    print_parts(lambda _: render(record, path))


def render(record: RestartsRecord, path: Path | None) -> Iterable[RenderableType]:
    """Returns the parts of the report, top to bottom."""
    yield Text(sentence(record), style="bold")
    yield from map(fault_line, faults(record))
    yield from map(note_line, notes(record))
    yield from objectives(record)
    yield ""
    table = plain_table(*HEADINGS, text_columns=1)
    for spread in record.spreads:
        table.add_row(spread.metric, *figures(spread))
    yield table
    yield ""
    yield Text(EXPLANATION, style="dim")
    over = over_starts(record)
    if over:
        yield Text(over)
    pooled = pooled_percentiles(record)
    if pooled:
        yield Text(pooled)
    yield from _faults(record)
    steps = [] if path is None else next_steps.after_restarts(record)
    yield from record_lines(path, steps)


def _faults(record: RestartsRecord) -> Iterable[RenderableType]:
    rows = fault_rows(record)
    if not rows:
        return
    yield ""
    table = plain_table(*FAULT_HEADINGS, text_columns=2)
    for row in rows:
        table.add_row(*row)
    yield table
    yield ""
    yield Text(fault_note(record), style="dim")


def over_starts(record: RestartsRecord) -> str:
    """Returns the interval of each metric's typical value over starts; empty without any."""
    parts = [
        f"{each.metric} {figure(metric, each.low)} to {figure(metric, each.high)}"
        for each in record.spreads
        if each.low is not None and each.high is not None
        for metric in (parse_metric(each.metric),)
    ]
    if not parts:
        return ""
    return f"95% confidence over starts (Student's t on logarithms): {'; '.join(parts)}"


def pooled_percentiles(record: RestartsRecord) -> str:
    """Returns the percentiles of the tasks of all starts together; empty without any."""
    parts = [
        f"{each.metric} {figure(parse_metric(each.metric), each.pooled)}"
        for each in record.spreads
        if each.pooled is not None
    ]
    return f"tasks of all starts together: {', '.join(parts)}" if parts else ""


def fault_rows(record: RestartsRecord) -> list[list[str]]:
    """Returns what each fault did in all runs, a row for each figure that any run has."""
    return [
        [
            f"{each.number}. {each.fault}",
            each.figure,
            _of_fault(each, each.median),
            f"{_of_fault(each, each.low)} to {_of_fault(each, each.high)}"
            if each.has_interval
            else NOTHING,
            _of_fault(each, min((v for v in each.values if v is not None), default=None)),
            _of_fault(each, None if None in each.values else max(v or 0 for v in each.values)),
        ]
        for each in record.faults
        if each.values and (each.figure not in COUNTS or any(each.values))
    ]


def _of_fault(spread: FaultSpread, value: float | None) -> str:
    if value is None:
        return "no end"
    if spread.figure in COUNTS:
        return units.format_count(value)
    return units.format_duration(value)


def fault_note(record: RestartsRecord) -> str:
    """Returns what the interval is, and by which seeds the runs drew."""
    seeds = [run.seed for run in record.runs if run.seed is not None]
    drawn = f"; seeds {min(seeds)} to {max(seeds)}" if len(set(seeds)) > 1 else ""
    runs = max((len(each.values) for each in record.faults), default=0)
    if runs < FEWEST:
        too_few = f"too few for an interval of a median, which takes {FEWEST}"
        return f"{counted(runs, 'run')}: {too_few}{drawn}"
    return f"interval: 95% confidence of the median, whatever the distribution (sign test){drawn}"


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
                f"{name}: {starts} differ by {between} in {metric} (within one: "
                f"{_within(worst)}); one run is not enough: quote the range over starts"
            )


def objectives(record: RestartsRecord) -> Iterable[Text]:
    """Yields each objective, with the number of starts that missed it."""
    for expression, outcome, is_met in outcomes(record):
        text = f"{expression}   {outcome}"
        yield Text.assemble(("✓ ", "bold green"), text) if is_met else fault_line(text)


def outcomes(record: RestartsRecord) -> Iterable[tuple[str, str, bool]]:
    """Yields each objective, in how many starts it was missed, and whether it was met in all."""
    missed = Counter(each.expression for run in record.runs for each in run.slo if not each.passed)
    for expression in record.scenario.slo:
        count = missed[expression]
        starts = counted(len(record.runs), "start")
        outcome = f"missed in {count} of {starts}" if count else "met in every start"
        yield expression, outcome, not count


def notes(record: RestartsRecord) -> Iterable[str]:
    """Yields whether starts are missing, and which sub-queues were served in a wrong order."""
    if not record.is_complete:
        yield f"interrupted after {counted(len(record.runs), 'start')}"
    yield from inversions(record)


def inversions(record: RestartsRecord) -> list[str]:
    """Returns in how many starts a sub-queue waited longer than one of lower priority."""
    judged = counted(sum(run.inversions is not None for run in record.runs), "start")
    return [
        f"{higher} waited longer than {lower}, which has lower priority, in {count} of {judged}"
        for (higher, lower), count in restarts.inverted_pairs(record).items()
    ]


def faults(record: RestartsRecord) -> Iterable[str]:
    """Yields the starts that are not valid."""
    for number, run in enumerate(record.runs, 1):
        if run.verdict != "valid":
            yield f"start {number} is {run.verdict.replace('_', ' ')}: see {run.file}"


def figures(spread: Spread) -> Sequence[str]:
    """Returns the figures of one metric, in the order of the headings after the first."""
    values = [value for value in spread.values if value is not None]
    metric = parse_metric(spread.metric)
    between = NOTHING if spread.between is None else share(spread.between)
    shares = [between, _within(spread)]
    chosen = (statistics.median(values), min(values), max(values)) if values else (None,) * 3
    return [*(figure(metric, value) for value in chosen), *shares]


def _within(spread: Spread | None) -> str:
    """What varies within one run: the error of its figure or, where it is not known, seconds."""
    if spread is None:
        return NOTHING
    within = spread.within if spread.error is None else spread.error
    return NOTHING if within is None else share(within)
