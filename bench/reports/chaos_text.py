"""What a set of faults did to a queue, as sentences and rows that all reports of it share."""

from collections.abc import Iterator, Sequence

from bench import units
from bench.analysis import chaos
from bench.analysis.fault_spread import COUNTS, FEWEST
from bench.measure.faults import FaultOutcome
from bench.records.chaos_record import ChaosRecord, ChaosRun, ObjectiveOutcome
from bench.records.formats import server_name
from bench.records.restarts_record import FaultSpread
from bench.reports import fault_rows
from bench.reports.figures import NOTHING, counted
from bench.workload.comparisons import Unit
from bench.workload.metrics import format_value, parse_objective

_ALWAYS = ("lost", "twice", "again")
_IF_ANY = ("unknown", "refused", "left")
_TIMES = ("no reply", "no completion", "back")
_TASKS = COUNTS | {"left"}
_SHORT = {fault_rows.NO_LEVEL: "no level", fault_rows.NOT_BACK: "not back"}
"""Where a figure of all has no time; the table of single figures says it in full."""
NOT_MEASURED, LEFT_OUT, NOT_MADE = "unmeasured", "left out", "not made"
INTERVAL_HEADINGS = ("fault", "figure", "median", "interval", "lowest", "highest")
EXPLANATION = (
    "lost, twice, again: acknowledged tasks that are nowhere, were completed twice, or were taken "
    "again after an attempt without an end; unknown: sent, without a reply, and seen nowhere; no "
    "reply, no completion: the longest time without one, which touches the fault; back: from the "
    "fault's begin until every figure was where it had been before, and stayed there for two "
    "seconds"
)
_LEFT = "; left: not ended when the run did, but still in Redis"


def sentence(record: ChaosRecord) -> str:
    """Returns the answer: under which faults tasks are lost, and the longest way back."""
    name = record.scenario.name
    made = _measured_names(record)
    if not made:
        return f"{name}: no fault was measured"
    costs = [(each, _most(record, each, "lost")) for each in made]
    lossy = [f"{fault} ({units.format_count(lost)})" for fault, lost in costs if lost]
    planned = len(record.cases)
    of_all = f"{len(made)} of " if len(made) < planned else ""
    what = f"{of_all}{counted(planned, 'fault')}"
    lost = f"loses tasks with {', '.join(lossy)}" if lossy else "no acknowledged task was lost"
    return f"{name}, {what}: {lost}; {_longest_back(record, made)}"


def _measured_names(record: ChaosRecord) -> list[str]:
    return [each.name for each in record.cases if chaos.measured(record, each.name)]


def _most(record: ChaosRecord, fault: str, figure: str) -> float:
    found = _spread(record, fault, figure)
    return 0.0 if found is None else max((each or 0.0 for each in found.values), default=0.0)


def _spread(record: ChaosRecord, fault: str, figure: str) -> FaultSpread | None:
    return next(
        (each for each in record.spreads if (each.fault, each.figure) == (fault, figure)), None
    )


def _longest_back(record: ChaosRecord, made: Sequence[str]) -> str:
    """Returns which fault had the longest way back, or which had none."""
    found = [(each, outcome) for each in made for _, outcome in chaos.measured(record, each)]
    not_back = dict.fromkeys(
        name
        for name, outcome in found
        if outcome.recovered_s and outcome.recovery_s is None and not outcome.without_level
    )
    if not_back:
        return f"not back by the end with {', '.join(not_back)}"
    known = [
        (outcome.recovery_s, name) for name, outcome in found if outcome.recovery_s is not None
    ]
    if not known:
        return "when it was back is not known"
    longest_s, name = max(known)
    if not longest_s:
        return "always back at once"
    return f"back after {units.format_duration(longest_s)} at the latest ({name})"


# --- Rows -----------------------------------------------------------------------------------------


def headings(record: ChaosRecord) -> list[str]:
    """Returns the headings of a table with a row for each fault, whose name comes first."""
    return ["fault", *_figures(record)]


def _figures(record: ChaosRecord) -> list[str]:
    shown = [each for each in _IF_ANY if any(_most(record, c.name, each) for c in record.cases)]
    return [*_ALWAYS, *shown, *_TIMES]


def rows(record: ChaosRecord) -> list[list[str]]:
    """Returns what each fault did, in the order of ``headings``."""
    return [[case.name, *_cells(record, case.name)] for case in record.cases]


def _cells(record: ChaosRecord, fault: str) -> list[str]:
    figures, made = _figures(record), chaos.measured(record, fault)
    if not made:
        is_out = any(each.name == fault for each in record.left_out)
        is_made = any(each.name == fault for each in record.runs)
        why = LEFT_OUT if is_out else NOT_MEASURED if is_made else NOT_MADE
        return [*[NOTHING] * (len(figures) - 1), why]
    if len(made) == 1:
        run, outcome = made[0]
        return [_of_one(figure, run.left, outcome) for figure in figures]
    return [_of_several(_spread(record, fault, figure), figure) for figure in figures]


def _of_one(figure: str, left: int, outcome: FaultOutcome) -> str:
    """Returns a figure of a single run, with what is known only to be more or less."""
    match figure:
        case "left":
            return units.format_count(left)
        case "back":
            text = fault_rows.back_after(outcome)
            return _SHORT.get(text, text.removeprefix("after "))
        case "no reply":
            return fault_rows.gap(outcome.enqueue_gap_s, outcome.enqueue_gap_at_least_s)
        case "no completion":
            return fault_rows.gap(outcome.completion_gap_s, outcome.completion_gap_at_least_s)
        case _:
            return units.format_count(getattr(outcome, fault_rows.FIELDS[figure]))


def _of_several(spread: FaultSpread | None, figure: str) -> str:
    """Returns the median of several runs, and the lowest and the highest value if they differ."""
    if spread is None or not spread.values:
        return NOTHING
    low, high = _ends(spread)
    if low == high:
        return low
    return f"{_value(spread.median, figure)} ({low}–{high})"


def _ends(spread: FaultSpread) -> tuple[str, str]:
    known = [each for each in spread.values if each is not None]
    highest = None if None in spread.values else max(known)
    return _value(min(known, default=None), spread.figure), _value(highest, spread.figure)


def _value(value: float | None, figure: str) -> str:
    if value is None:
        return "no end"
    if figure == "back" and not value:
        return "at once"
    return units.format_count(value) if figure in _TASKS else units.format_duration(value)


def back_headings(record: ChaosRecord) -> list[str]:
    """Returns the headings of a table that says when each figure was back; empty without any."""
    names = dict.fromkeys(
        name
        for case in record.cases
        for _, outcome in chaos.measured(record, case.name)
        for name in outcome.recovered_s
    )
    return ["fault", *names] if names else []


def back_rows(record: ChaosRecord) -> list[list[str]]:
    """Returns when each figure was back after each fault, in the order of ``back_headings``.

    Of several runs, the last one to be back counts.
    """
    figures, found = back_headings(record)[1:], []
    for case in record.cases:
        made = [outcome for _, outcome in chaos.measured(record, case.name)]
        if made:
            found.append([case.name, *(_latest_back(made, name) for name in figures)])
    return found


def _latest_back(made: Sequence[FaultOutcome], name: str) -> str:
    having = [each for each in made if name in each.recovered_s]
    if not having:
        return NOTHING
    return fault_rows.recovery(max(having, key=lambda each: _rank(each, name)), name)


def _rank(outcome: FaultOutcome, name: str) -> tuple[int, float]:
    """The order of ways back: known ones, those without an end, those without a level."""
    if name in outcome.without_level:
        return 2, 0.0
    value = outcome.recovered_s[name]
    return (1, 0.0) if value is None else (0, value)


def interval_rows(record: ChaosRecord) -> list[list[str]]:
    """Returns the median and its interval of each figure that has one; empty with few runs."""
    found = []
    for each in record.spreads:
        if each.has_interval and (each.figure not in _TASKS or any(each.values)):
            interval = f"{_value(each.low, each.figure)} to {_value(each.high, each.figure)}"
            median = _value(each.median, each.figure)
            found.append([each.fault, each.figure, median, interval, *_ends(each)])
    return found


def in_short(run: ChaosRun) -> str:
    """Returns what the fault of one run did, in a clause."""
    if run.outcome is None:
        return NOT_MEASURED
    counts = ((name, getattr(run.outcome, field)) for name, field in fault_rows.FIELDS.items())
    parts = [f"{units.format_count(count)} {name}" for name, count in counts if count]
    return f"{', '.join(parts) or 'nothing lost'}, back {fault_rows.back_after(run.outcome)}"


# --- Sentences ------------------------------------------------------------------------------------


def failures(record: ChaosRecord) -> Iterator[str]:
    """Yields the runs that do not say what their fault does, and why."""
    for run in record.runs:
        if run.problem:
            yield f"{_named(record, run.name, run.number)}: {run.problem}"
        elif run.outcome is None:
            yield f"{_named(record, run.name, run.number)}: the run has no faults"
    for each in record.left_out:
        if each.is_asked:
            yield f"{each.name} was left out: {each.reason}"


def _named(record: ChaosRecord, name: str, number: int) -> str:
    return name if record.repeat == 1 else f"{name}, run {number}"


def notes(record: ChaosRecord) -> Iterator[str]:
    """Yields what is missing, and what was left on a server."""
    for each in record.left_out:
        if not each.is_asked:
            yield f"{each.name} was left out: {each.reason}"
    if not record.is_complete:
        left = chaos.runs_left(record)
        yield f"{counted(left, 'run')} {'is' if left == 1 else 'are'} still to be made"
    yield from dict.fromkeys(run.not_removed for run in record.runs if run.not_removed)


def objectives(record: ChaosRecord) -> list[tuple[str, str, bool]]:
    """Returns each objective, what the runs say of it, and whether all of them met it."""
    return [(each, _outcome(record, each), chaos.is_met(record, each)) for each in record.slo]


def _outcome(record: ChaosRecord, expression: str) -> str:
    """Returns what was measured, under each fault of which it missed the objective; the worst value
    where it was met under all."""
    metric = parse_objective_of(record, expression)
    by_fault = {
        case.name: chaos.results_of(record, expression, case.name)
        for case in record.cases
        if expression in case.slo
    }
    missed = {
        name: [each for each in results if not each.passed] for name, results in by_fault.items()
    }
    clauses = [
        f"{name}: {_measured(metric, failed or results)}"
        for name, results in by_fault.items()
        if (failed := missed[name]) or not results
    ]
    if clauses:
        return f"missed with {', '.join(clauses)}"
    results = [each for found in by_fault.values() for each in found]
    return f"met: {_measured(metric, results)}"


def parse_objective_of(record: ChaosRecord, expression: str) -> str:
    """Returns an objective as some run takes it, in which braces hold a kind of fault."""
    for case in record.cases:
        if expression in case.slo:
            return case.run_slo[case.slo.index(expression)]
    return expression


def _measured(expression: str, results: Sequence[ObjectiveOutcome]) -> str:
    """Returns the values of several runs: the lowest and the highest."""
    metric = parse_objective(expression).metric
    if not results:
        return NOT_MEASURED
    if any(each.value is None for each in results):
        is_time = results[0].is_level or metric.unit is Unit.SECONDS
        return "not back, or not known" if is_time else "nothing was measured"
    values = sorted(each.value for each in results if each.value is not None)
    ends = dict.fromkeys((values[0], values[-1]))
    if results[0].is_level:
        last_s = values[-1]
        return f"back after {units.format_duration(last_s)}" if last_s else "back at once"
    return " to ".join(format_value(metric, each) for each in ends)


def footer(record: ChaosRecord) -> str:
    """Returns the load, the worker and the server that the faults struck."""
    scenario = record.scenario
    rate = scenario.asked_per_s
    load = "a closed loop" if rate is None else units.format_rate(rate)
    kind = "external" if scenario.is_observed else "built-in"
    workers = f"{counted(scenario.workers, f'{kind} worker')}"
    slots = "" if scenario.is_observed else f", {scenario.concurrency} tasks at a time each"
    runs = "one run" if record.repeat == 1 else f"{record.repeat} runs"
    server = f" · {server_name(record.server)}" if record.server else ""
    return (
        f"{runs} of {units.format_duration(record.run_s)} for each fault: {load} in the "
        f"{scenario.layout} layout, {workers}{slots}{server}"
    )


def explanation(record: ChaosRecord) -> str:
    """Returns what the figures of the table are."""
    several = "; figures: median (lowest–highest)" if record.repeat > 1 else ""
    left = _LEFT if "left" in _figures(record) else ""
    return f"{EXPLANATION}{left}{several}"


def interval_note(record: ChaosRecord) -> str:
    """Returns what intervals are, or from how many runs on there are any."""
    if record.repeat == 1:
        return (
            f"how sure the figures of one run are is not known: --repeat {FEWEST} gives them "
            "intervals"
        )
    if not interval_rows(record):
        return f"from {FEWEST} runs of each fault on, medians have intervals"
    return "interval: 95% confidence of the median, whatever the distribution (sign test)"
