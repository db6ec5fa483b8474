"""What the trials of a sweep say of its levels: from run records to rows, figures and curves."""

import math
import random
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.errors import ExitCode
from bench.measure.confidence import ConfidenceInterval
from bench.measure.verdict_inputs import Verdict
from bench.names import ALL_QUEUES
from bench.records.run_record import LatencySummary, RunRecord
from bench.records.sweep_record import (
    SWEEP_PERCENTILES,
    SweepFigure,
    SweepLevel,
    SweepRecord,
    SweepTrial,
)

RATE = "rate"
OVERHEAD_S = 2.5
"""Time that a trial is assumed to take beyond its load before the first was made."""
_BACKLOG = "backlog:"
_FIELDS: Mapping[str, str] = {"p50": "p50_s", "p99": "p99_s", "p99.9": "p999_s"}
FALLS_BEHIND = "falls behind"
"""What stands for the verdict of a valid trial that completed clearly less than was offered."""
_KEPT_SHARE = 0.95
"""Share of the offered tasks below which a trial falls behind, less three standard deviations of
a Poisson count: of few tasks, more are missing by chance."""
NOT_MEASURED = "not measured"
"""What stands for the verdict of a trial that left no record."""


# --- The order of the trials, and their time ------------------------------------------------------


def drawn_order(levels: int, repeat: int, seed: int) -> list[int]:
    """Returns the level of each trial: every level once, in a drawn order, then once more.

    Each repetition has an order of its own. A machine that becomes slower in the course of a
    sweep thus affects all levels alike, and is not mistaken for what a higher load does.
    """
    order: list[int] = []
    for repetition in range(repeat):
        block = list(range(levels))
        random.Random(f"{seed}:{repetition}").shuffle(block)  # noqa: S311 - no secret
        order += block
    return order


def next_trial(record: SweepRecord) -> tuple[int, int] | None:
    """Returns the next trial's level and repetition, from 1; None after the last."""
    made = len(record.trials)
    if made >= len(record.order):
        return None
    level = record.order[made]
    return level, record.order[:made].count(level) + 1


def spent_s(record: SweepRecord) -> float:
    """Returns the seconds that all trials took."""
    return sum(each.took_s for each in record.trials)


def expected_s(record: SweepRecord, level: int) -> float | None:
    """Returns the seconds that a trial of a level is expected to take.

    That is what its earlier ones took, else the mean of all trials, else its load and a little
    more; None where only a number of tasks says how long it is.
    """
    own = [each.took_s for each in record.trials if each.level == level]
    made = own or [each.took_s for each in record.trials]
    if made:
        return sum(made) / len(made)
    return None if record.run_s is None else record.run_s + OVERHEAD_S


def left_s(record: SweepRecord) -> float | None:
    """Returns the seconds that the remaining trials are expected to take; None if not known."""
    expected = [expected_s(record, level) for level in record.order[len(record.trials) :]]
    known = [each for each in expected if each is not None]
    return sum(known) if len(known) == len(expected) else None


def has_time(record: SweepRecord, level: int) -> bool:
    """Returns whether a trial of a level is expected to end within the budget."""
    return spent_s(record) + (expected_s(record, level) or 0.0) <= record.budget_s


def exit_code(record: SweepRecord) -> ExitCode:
    """Returns the exit code of a sweep that makes no further trial.

    A level that is not valid is a result, and no failure: that a queue stops keeping up is what a
    sweep looks for. Without any valid trial there is nothing to quote.
    """
    if record.ended == "interrupted":
        return ExitCode.INTERRUPTED
    if not record.is_complete:
        return ExitCode.INCONCLUSIVE
    has_valid = any(each.verdict == Verdict.VALID for each in record.trials)
    return ExitCode.PASSED if has_valid else ExitCode.INVALID


def verdict_of(trial: SweepTrial) -> str:
    """Returns what a trial is: its verdict, or what stands for one."""
    if trial.falls_behind:
        return FALLS_BEHIND
    return trial.verdict or NOT_MEASURED


# --- One trial ------------------------------------------------------------------------------------


def trial_row(
    record: SweepRecord, trial: tuple[int, int], run: RunRecord, took_s: float, file: str
) -> SweepTrial:
    """Returns a trial's row; ``took_s`` is its wall time with start-up and drain."""
    level, repetition = trial
    summary = run.latency.get(record.interval, {}).get(ALL_QUEUES)
    used, worst = run.resources, None if run.is_valid else next(iter(run.warnings), None)
    return SweepTrial(
        level=level,
        repetition=repetition,
        seed=run.scenario.seed,
        took_s=took_s,
        file=file,
        verdict=run.verdict,
        problem="" if worst is None else worst.message,
        problem_code="" if worst is None else worst.code,
        falls_behind=run.is_valid and falls_behind(run),
        missed=[each.expression for each in run.slo if not each.passed],
        achieved_per_s=_figure(_achieved(run), run.rates.confidence.get(_achieved_field(run))),
        latency_s={name: _percentile(summary, name) for name in SWEEP_PERCENTILES},
        most_backlog=_most_backlog(run),
        server_cores=used.server_cpu_cores,
        worker_cores=used.worker_cpu_cores,
        generator_cores=used.generator_cpu_cores,
        bound_by=run.bound_by,
    )


def _achieved(run: RunRecord) -> float | None:
    value: float | None = getattr(run.rates, _achieved_field(run))
    return value


def _achieved_field(run: RunRecord) -> str:
    return "completed_per_s" if run.scenario.has_workers else "enqueued_per_s"


def falls_behind(run: RunRecord) -> bool:
    """Returns whether clearly fewer tasks were completed in the window than were offered.

    Never of a closed loop, which offers none, nor of a run that enqueues everything before its
    workers start.
    """
    asked, achieved = run.rates.asked_per_s, _achieved(run)
    if not asked or achieved is None or run.scenario.worker_start == "after-fill":
        return False
    chance = 3.0 / math.sqrt(max(asked * run.window_s, 1.0))
    return achieved < (_KEPT_SHARE - chance) * asked


def _percentile(summary: LatencySummary | None, name: str) -> SweepFigure:
    field = _FIELDS[name]
    return _figure(getattr(summary, field, None), getattr(summary, "confidence", {}).get(field))


def _figure(value: float | None, interval: ConfidenceInterval | None) -> SweepFigure:
    if value is None or interval is None:
        return SweepFigure(value=value)
    return SweepFigure(
        value=value, low=interval.low, high=interval.high, withheld=interval.withheld
    )


def _most_backlog(run: RunRecord) -> int | None:
    columns = run.series.columns
    places = [place for place, name in enumerate(columns) if name.startswith(_BACKLOG)]
    sums = [
        sum(row[place] or 0 for place in places)
        for row in run.series.rows
        if any(row[place] is not None for place in places)
    ]
    return round(max(sums)) if sums else None


# --- The figures of a level -----------------------------------------------------------------------


@dataclass(frozen=True)
class LevelFigure:
    """A figure of a level, and the values between which it lies; None where that is not known.

    ``value`` is always one that a trial measured: of one trial its own, with the ends of the run's
    95% interval; of several the middle one, between the lowest and the highest.
    """

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class LevelOutcome:
    """A level, and what its trials say of it."""

    index: int
    level: SweepLevel
    trials: Sequence[SweepTrial]
    achieved_per_s: LevelFigure
    latency_s: Mapping[str, LevelFigure]
    """By the name of the percentile."""

    @property
    def is_judged(self) -> bool:
        """Whether any of its trials was made."""
        return bool(self.trials)

    @property
    def keeps_up(self) -> bool:
        """Whether all trials so far are valid, and none falls behind: nothing lost, no growing
        backlog, sent on time."""
        return self.is_judged and not self.verdicts

    @property
    def verdicts(self) -> Counter[str]:
        """How many trials ended in each verdict that is not valid, or fall behind."""
        return Counter(each for each in map(verdict_of, self.trials) if each != Verdict.VALID)

    @property
    def missed(self) -> Counter[str]:
        """In how many trials each objective was missed."""
        return Counter(expression for each in self.trials for expression in each.missed)

    @property
    def most_backlog(self) -> int | None:
        """The most tasks that waited in any trial."""
        return max(
            (b for each in self.trials if (b := each.most_backlog) is not None), default=None
        )

    @property
    def server_cores(self) -> float | None:
        """Cores that the server used, in the trial in which it used most."""
        return max(
            (c for each in self.trials if (c := each.server_cores) is not None), default=None
        )


def outcomes(record: SweepRecord) -> list[LevelOutcome]:
    """Returns each level with its figures, in the order of the levels."""
    return [_outcome(record, index, level) for index, level in enumerate(record.levels)]


def _outcome(record: SweepRecord, index: int, level: SweepLevel) -> LevelOutcome:
    trials = [each for each in record.trials if each.level == index]
    return LevelOutcome(
        index,
        level,
        trials,
        # Of two middle ones the one that promises less: no figure is a mean of percentiles.
        _over_trials([each.achieved_per_s for each in trials], higher_is_better=True),
        {
            name: _over_trials(
                [each.latency_s.get(name, SweepFigure()) for each in trials],
                higher_is_better=False,
            )
            for name in SWEEP_PERCENTILES
        },
    )


def _over_trials(figures: Sequence[SweepFigure], *, higher_is_better: bool) -> LevelFigure:
    known = [each for each in figures if each.value is not None]
    if len(known) == 1:
        return LevelFigure(known[0].value, known[0].low, known[0].high)
    values = sorted(each.value for each in known if each.value is not None)
    if not values:
        return LevelFigure(None, None, None)
    middle = statistics.median_low if higher_is_better else statistics.median_high
    return LevelFigure(middle(values), values[0], values[-1])


def range_confidence(trials: int) -> float:
    """Returns the probability that the median of such trials lies between the lowest and the
    highest of that many: 1 − 2·0.5ⁿ (sign test), whatever their distribution."""
    return 1.0 - 2.0 * 0.5**trials


# --- Curves over the offered rate -----------------------------------------------------------------


@dataclass(frozen=True)
class LoadCurve:
    """The levels that differ in their rate alone, the lowest rate first."""

    settings: Mapping[str, str]
    """The other fields that are varied, with their values here."""
    levels: Sequence[LevelOutcome]

    @property
    def judged(self) -> list[LevelOutcome]:
        """The levels of which a trial was made."""
        return [each for each in self.levels if each.is_judged]

    @property
    def first_failed(self) -> LevelOutcome | None:
        """The level of the lowest rate that is not valid in all trials; None without one."""
        return next((each for each in self.judged if not each.keeps_up), None)

    @property
    def last_kept(self) -> LevelOutcome | None:
        """The level of the highest rate below which every level keeps up; None without one."""
        kept = None
        for each in self.judged:
            if not each.keeps_up:
                break
            kept = each
        return kept

    @property
    def contradicting(self) -> list[LevelOutcome]:
        """Levels that keep up although one of a lower rate does not."""
        failed = self.first_failed
        if failed is None:
            return []
        place = self.judged.index(failed)
        return [each for each in self.judged[place:] if each.keeps_up]


def curves(record: SweepRecord) -> list[LoadCurve]:
    """Returns a curve for each combination of the other fields; none where no rate is varied."""
    if RATE not in record_fields(record):
        return []
    grouped: dict[tuple[tuple[str, str], ...], list[LevelOutcome]] = {}
    for each in outcomes(record):
        others = tuple((name, v) for name, v in each.level.settings.items() if name != RATE)
        grouped.setdefault(others, []).append(each)
    return [
        LoadCurve(dict(others), sorted(found, key=lambda each: each.level.offered_per_s or 0.0))
        for others, found in grouped.items()
    ]


def record_fields(record: SweepRecord) -> list[str]:
    """Returns the names of the fields that are varied."""
    return [each.field for each in record.swept]


@dataclass(frozen=True)
class SweepProblem:
    """Something that is wrong with trials, and the levels that have such trials."""

    message: str
    """As the first of these trials says it."""
    levels: Sequence[LevelOutcome]


def problems(record: SweepRecord) -> list[SweepProblem]:
    """Returns what is wrong with trials that are not valid, each sort of it once."""
    found: dict[str, tuple[str, list[LevelOutcome]]] = {}
    for outcome in outcomes(record):
        for trial in outcome.trials:
            if trial.problem:
                key = trial.problem_code or trial.problem
                levels = found.setdefault(key, (trial.problem, []))[1]
                if outcome not in levels:
                    levels.append(outcome)
    return [SweepProblem(message, levels) for message, levels in found.values()]
