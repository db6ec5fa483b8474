"""What runs with a fault each say of a queue: from run records to rows and an exit code."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import msgspec

from bench.analysis.fault_spread import spreads_of
from bench.errors import ExitCode
from bench.measure.faults import FaultOutcome
from bench.measure.verdict_inputs import Verdict
from bench.records.chaos_record import (
    ChaosCase,
    ChaosRecord,
    ChaosRun,
    ObjectiveOutcome,
)
from bench.records.restarts_record import FaultSpread
from bench.records.run_record import NOT_REMOVED, RunRecord

_UNEXPLAINED: Mapping[str, str] = MappingProxyType(
    {
        "lost": "disappeared",
        "duplicated": "ended more than once",
        "refused": "were refused",
        "unknown": "got no reply",
    }
)
_OF_GENERATOR = frozenset(("not_sent", "enqueued_too_few", "schedule_lag"))
"""Warnings of a run whose figures are those of its generator. A loss outranks them."""


def next_run(record: ChaosRecord) -> tuple[ChaosCase, int] | None:
    """Returns the next run's fault and number, None after the last: all faults once, then again."""
    made = {(each.name, each.number) for each in record.runs}
    skipped = {each.name for each in record.left_out}
    for number in range(1, record.repeat + 1):
        for case in record.cases:
            if case.name not in skipped and (case.name, number) not in made:
                return case, number
    return None


def runs_left(record: ChaosRecord) -> int:
    """Returns how many runs are still to be made."""
    skipped = {each.name for each in record.left_out}
    made = sum(each.name not in skipped for each in record.runs)
    return record.repeat * sum(each.name not in skipped for each in record.cases) - made


def run_row(case: ChaosCase, number: int, run: RunRecord, took_s: float, file: str) -> ChaosRun:
    """Returns what a run says of its fault."""
    outcome = merged(run.faults)
    return ChaosRun(
        name=case.name,
        number=number,
        seed=run.scenario.seed,
        file=file,
        verdict=run.verdict,
        took_s=took_s,
        problem=_problem(run),
        outcome=outcome,
        left=run.counts.active + run.counts.pending,
        slo=list(_objectives(case, run, outcome)),
        not_removed=next((w.message for w in run.warnings if w.code == NOT_REMOVED), ""),
    )


def merged(faults: Sequence[FaultOutcome]) -> FaultOutcome | None:
    """Returns what the faults of a run did together, from the begin of the first; None without any.

    Counts are sums, gaps the longest. A figure is back when it is after the last of them that
    disturbed it.
    """
    if not faults:
        return None
    first, *others = faults
    for each in others:
        later_s = (each.began_s or 0.0) - (first.began_s or 0.0)
        first = msgspec.structs.replace(
            first,
            problem=first.problem or each.problem,
            **{
                name: getattr(first, name) + getattr(each, name)
                for name in ("lost", "duplicated", "run_again", "unknown", "refused")
            },
            **_longer(first, each, "enqueue_gap"),
            **_longer(first, each, "completion_gap"),
            recovered_s={
                name: _later(value, _recovery_of(each, name), later_s)
                for name, value in first.recovered_s.items()
            },
        )
    return first


def _longer(first: FaultOutcome, second: FaultOutcome, gap: str) -> dict[str, float | None]:
    """The fields of the longer gap; one without an end is longer than its lower bound says."""
    names = (f"{gap}_s", f"{gap}_at_least_s")
    chosen = max((first, second), key=lambda each: getattr(each, names[1]) or 0.0)
    return {name: getattr(chosen, name) for name in names}


def _recovery_of(fault: FaultOutcome, name: str) -> float | None:
    """When a figure was back after a later fault; zero where that has no level of its own."""
    return 0.0 if name in fault.without_level else fault.recovered_s.get(name, 0.0)


def _later(first_s: float | None, second_s: float | None, later_s: float) -> float | None:
    """When a figure was back, from the first fault's begin; the second one began ``later_s`` after
    it, and ``second_s`` of zero says that it changed nothing."""
    if first_s is None or second_s is None:
        return None
    return max(first_s, later_s + second_s) if second_s else first_s


def _problem(run: RunRecord) -> str:
    """Why a run does not say what a fault does; empty where it does."""
    if run.verdict not in (Verdict.VALID, Verdict.LOSSY):
        return next((each.message for each in run.warnings), run.verdict.replace("_", " "))
    for field, what in _UNEXPLAINED.items():
        count = getattr(run.counts, field) - sum(getattr(each, field) for each in run.faults)
        if count > 0:
            tasks = f"{count:,} task{'' if count == 1 else 's'}"
            return f"{tasks} {what} which the fault does not explain"
    if run.verdict == Verdict.LOSSY:
        late = (each.message for each in run.warnings if each.code in _OF_GENERATOR)
        return next(late, "")
    return ""


def _objectives(
    case: ChaosCase, run: RunRecord, outcome: FaultOutcome | None
) -> Iterator[ObjectiveOutcome]:
    recovered = {} if outcome is None else outcome.recovered_s
    unknown = () if outcome is None else outcome.without_level
    for written, result in zip(case.slo, run.slo, strict=False):
        if result.expression not in recovered:
            yield ObjectiveOutcome(expression=written, value=result.value, passed=result.passed)
            continue
        back_s = None if result.expression in unknown else recovered[result.expression]
        yield ObjectiveOutcome(
            expression=written, value=back_s, passed=back_s is not None, is_level=True
        )


def measured(record: ChaosRecord, name: str) -> list[tuple[ChaosRun, FaultOutcome]]:
    """Returns the runs with this fault that say what it does."""
    return [
        (each, each.outcome)
        for each in record.runs
        if each.name == name and not each.problem and each.outcome is not None
    ]


def spreads(record: ChaosRecord) -> list[FaultSpread]:
    """Returns each figure of each fault over its measured runs."""
    found = []
    for number, case in enumerate(record.cases, 1):
        made = measured(record, case.name)
        if made:
            left = [float(run.left) for run, _ in made]
            found += spreads_of(number, case.name, [outcome for _, outcome in made], {"left": left})
    return found


def missed(record: ChaosRecord) -> list[str]:
    """Returns the objectives that some run missed, or that no run has measured."""
    return [each for each in record.slo if not is_met(record, each)]


def is_met(record: ChaosRecord, expression: str) -> bool:
    """Whether every run that has this objective met it, and each of its faults has such a run."""
    of_cases = [each for each in record.cases if expression in each.slo]
    for case in of_cases:
        results = results_of(record, expression, case.name)
        if not results or not all(each.passed for each in results):
            return False
    return bool(of_cases)


def results_of(record: ChaosRecord, expression: str, name: str) -> list[ObjectiveOutcome]:
    """Returns what the measured runs with a fault say of an objective."""
    results = [each for run, _ in measured(record, name) for each in run.slo]
    return [each for each in results if each.expression == expression]


def exit_code(record: ChaosRecord) -> ExitCode:
    """Returns the exit code of the command: a run that could not be measured outranks a missed
    objective, and that keys that are left. A loss is no failure unless an objective says so."""
    if record.ended == "interrupted":
        return ExitCode.INTERRUPTED
    unmeasured = any(each.problem for each in record.runs)
    if unmeasured or any(each.is_asked for each in record.left_out):
        return ExitCode.INVALID
    if not any(measured(record, each.name) for each in record.cases):
        return ExitCode.INCONCLUSIVE
    if missed(record):
        return ExitCode.SLO_MISSED
    if any(each.not_removed for each in record.runs):
        return ExitCode.UNREACHABLE
    return ExitCode.PASSED
