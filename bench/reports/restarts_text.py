"""What is said of a run that was repeated with fresh processes, and the cells of its tables."""

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence

from bench import units
from bench.analysis import restarts
from bench.analysis.fault_spread import COUNTS, FEWEST
from bench.analysis.restarts import Answer
from bench.measure.confidence import ConfidenceInterval
from bench.measure.verdict_inputs import CUT_SHORT
from bench.records.restarts_record import FaultSpread, RestartsRecord, Spread, StartedRun
from bench.reports.figures import NOTHING, counted, figure, share
from bench.workload.metrics import parse_metric

HEADINGS = ("metric", "median", "lowest", "highest", "between starts", "within one")
FAULT_HEADINGS = ("fault", "figure", "median", "interval", "lowest", "highest")
NO_INTERVAL = "?"
"""Stands in place of the interval of a figure of which it is not known how sure it is."""
_MANY = 10.0
_BY_SECONDS = " *"
"""Stands behind what varies from second to second, where a run's figure has no interval."""


def sentence(record: RestartsRecord) -> str:
    """Returns the answer: whether one run of this scenario is enough, and how that is known."""
    name = record.scenario.name
    starts = counted(restarts.whole_starts(record), "start")
    found = restarts.judge(record)
    spread = found.spread
    if found.answer is Answer.TOO_FEW or spread is None:
        return f"{name}: {starts}, too few to compare"
    between, sure = _spread(spread.between), f"95% confidence: {_ends(spread)}"
    match found.answer:
        case Answer.DIFFERENT:
            within = "how much of that is within one is not known"
            if spread.error is not None:
                within = f"within one: {share(spread.error)}"
            return (
                f"{name}: one run is not enough: {starts} differ by {between} in {spread.metric} "
                f"({sure}; {within}); quote the range over starts"
            )
        case Answer.ALIKE:
            most = _spread(spread.between_high)
            return (
                f"{name}: one run is enough: {starts} differ by {most} at most, in {spread.metric} "
                "(with 95% confidence)"
            )
        case Answer.UNPROVEN:
            return (
                f"{name}: {starts} do not show whether one run is enough: they differ by {between} "
                f"in {spread.metric} ({sure}); {_advice(found.advised)}"
            )
        case _:
            return (
                f"{name}: {starts} differ by {between} in {spread.metric}, and how sure that is, "
                "is not known"
            )


def _spread(value: float | None) -> str:
    """A standard deviation of logarithms as a share, which may be many times a figure."""
    value = value or 0.0
    return share(value) if value < _MANY else f"{units.format_count(round(100 * value, -1))}%"


def _ends(spread: Spread) -> str:
    return f"{_spread(spread.between_low)} to {_spread(spread.between_high)}"


def _advice(advised: int | None) -> str:
    if advised is None:
        return "not even 100 starts would, if they go on to differ as much: quote the range"
    return f"some {advised} starts may show it"


def explanation(record: RestartsRecord) -> list[str]:
    """Returns what the columns of the table are, a sentence each."""
    limit = share(restarts.NOTABLE)
    lines = [
        "between starts: standard deviation of the runs' figures, less the error of each, with its "
        "95% confidence interval (chi-square, on logarithms)",
        "within one: standard error of one run's figure, by its own confidence interval; – where "
        "that is withheld, and between starts is then all that differs from run to run",
    ]
    if any(_is_by_seconds(each) for each in record.spreads):
        lines.append(
            "*: standard deviation from second to second: no error of a run's figure, and not to "
            "be compared with the other rows"
        )
    lines.append(f"one run is not enough where starts differ by {limit} or more")
    starts = restarts.whole_starts(record)
    if starts:
        lines.append(
            f"a kind of start that is rarer than {share(restarts.rarest_seen(starts))} of all may "
            f"be missing from {counted(starts, 'start')} (with 95% confidence)"
        )
    return lines


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


def whole_runs(record: RestartsRecord) -> list[tuple[int, StartedRun]]:
    """Returns the runs that have figures, with their numbers from 1: those not cut short."""
    return [each for each in enumerate(record.runs, 1) if each[1].verdict not in CUT_SHORT]


def start_headings(record: RestartsRecord) -> list[str]:
    """Returns the headings of the table of starts; the first three columns are names."""
    return ["start", "record", "verdict", *(each.metric for each in record.spreads)]


def start_rows(record: RestartsRecord) -> list[list[str]]:
    """Returns a row for each start, with its figures and how sure each of them is."""
    places = {number: place for place, (number, _) in enumerate(whole_runs(record))}
    return [
        [
            str(number),
            run.file,
            run.verdict.replace("_", " "),
            *(_of_start(each, places.get(number)) for each in record.spreads),
        ]
        for number, run in enumerate(record.runs, 1)
    ]


def _of_start(spread: Spread, place: int | None) -> str:
    """A figure with its 95% confidence interval, or with a mark where it has none."""
    value, interval = point(spread, place)
    metric = parse_metric(spread.metric)
    if value is None:
        return NOTHING
    if interval is None or interval.low is None or interval.high is None:
        return f"{figure(metric, value)} ({NO_INTERVAL})"
    return (
        f"{figure(metric, value)} ({figure(metric, interval.low)} to "
        f"{figure(metric, interval.high)})"
    )


def point(spread: Spread, place: int | None) -> tuple[float | None, ConfidenceInterval | None]:
    """Returns the figure of one of the whole runs, counted from 0, and its interval."""
    if place is None or place >= len(spread.values):
        return None, None
    interval = spread.intervals[place] if place < len(spread.intervals) else None
    return spread.values[place], interval


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
    chosen = (statistics.median(values), min(values), max(values)) if values else (None,) * 3
    return [*(figure(metric, value) for value in chosen), _between(spread), _within(spread)]


def _between(spread: Spread) -> str:
    if spread.between is None:
        return NOTHING
    ends = "" if spread.between_high is None else f" ({_ends(spread)})"
    return _spread(spread.between) + ends


def _within(spread: Spread) -> str:
    """What varies within one run: the error of its figure or, marked, from second to second."""
    if _is_by_seconds(spread):
        return share(spread.within or 0.0) + _BY_SECONDS
    return NOTHING if spread.error is None else share(spread.error)


def _is_by_seconds(spread: Spread) -> bool:
    return spread.error is None and spread.within is not None
