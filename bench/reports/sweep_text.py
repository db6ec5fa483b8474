"""Names, figures and sentences that all reports of a sweep share."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence

from bench import units
from bench.analysis import sweep
from bench.analysis.sweep import LevelFigure, LevelOutcome, LoadCurve
from bench.errors import UsageError
from bench.measure import confidence
from bench.records.formats import server_name
from bench.records.sweep_record import SWEEP_PERCENTILES, SweepFigure, SweepRecord
from bench.reports.figures import NOTHING, cores, counted, share

NO_RANGE = "(?)"
"""Stands behind a figure of which nobody knows how far another trial would differ."""
_REASONS: Mapping[str, str] = {
    "unstable": "the backlog grows",
    "generator_limited": "the generator, not the queue, is the limit",
    "lossy": "tasks are lost or run twice",
    "incomplete": "the trial is incomplete",
    "aborted": "a guard ended the trial",
    sweep.FALLS_BEHIND: "less is completed than was offered",
    sweep.NOT_MEASURED: "nothing could be measured",
}
_WITHHELD: Mapping[str, str] = {
    confidence.SHORT: "it was too short",
    confidence.TAIL: "too few tasks lie beyond the percentile",
    confidence.PERIODS: "a few moments decide it",
}
_MOST_REASONS = 3
_MOST_NAMED = 3
"""Levels that a note names."""
_MOST_CURVES = 4
_ENDINGS: Mapping[str, str] = {
    "": "it has not ended",
    "budget": "the budget ended",
    "interrupted": "it was interrupted",
    "failed": "a trial could not be made",
}


def value_text(field: str, value: str) -> str:
    """Returns a value of a field as reports show it: rates with their separators."""
    if field != sweep.RATE:
        return value
    with contextlib.suppress(UsageError):  # of a file that was written by hand
        return units.format_rate(units.parse_rate(value))
    return value


def settings_text(settings: Mapping[str, str]) -> str:
    """Returns a combination as ``prefetch=8, payload_size=1kB``; a rate alone as ``1,000/s``."""
    if list(settings) == [sweep.RATE]:
        return value_text(sweep.RATE, settings[sweep.RATE])
    return ", ".join(f"{name}={value_text(name, value)}" for name, value in settings.items())


def field_headings(record: SweepRecord) -> list[str]:
    """Returns the headings of the columns that say which level a row is."""
    fields = sweep.record_fields(record)
    return ["offered" if each == sweep.RATE else each for each in fields]


def headings(record: SweepRecord) -> list[str]:
    """Returns the headings of the table of levels."""
    figures = ["verdict", "achieved", *SWEEP_PERCENTILES, "backlog", "Redis"]
    return [*field_headings(record), *figures]


def names(record: SweepRecord) -> int:
    """Returns how many columns of that table hold text: which level it is, and its verdict."""
    return len(record.swept) + 1


def rows(record: SweepRecord) -> list[list[str]]:
    """Returns one row per level, in the order of the levels."""
    found = sweep.outcomes(record)
    marks = NO_RANGE if any(_has_range(each) for each in found) else ""
    return [_row(record, each, marks) for each in found]


def _row(record: SweepRecord, outcome: LevelOutcome, mark: str) -> list[str]:
    backlog = outcome.most_backlog
    return [
        *(value_text(name, value) for name, value in outcome.level.settings.items()),
        verdict_text(record, outcome),
        units.format_rate(outcome.achieved_per_s.value),
        *(duration_text(outcome.latency_s[name], mark) for name in SWEEP_PERCENTILES),
        NOTHING if backlog is None else units.format_count(backlog),
        cores(outcome.server_cores),
    ]


def _has_range(outcome: LevelOutcome) -> bool:
    return any(each.low is not None for each in outcome.latency_s.values())


def verdict_text(record: SweepRecord, outcome: LevelOutcome) -> str:
    """Returns the verdict of a level's trials: ``valid``, ``unstable``, ``1 of 3 unstable``."""
    made = len(outcome.trials)
    if not made:
        return "not tried"
    kinds = [
        (name if count == made else f"{count} of {made} {name}").replace("_", " ")
        for name, count in sorted(outcome.verdicts.items())
    ]
    missed = max(outcome.missed.values(), default=0)
    if missed:
        kinds.append("objective missed" + (f" in {missed}" if made > 1 else ""))
    text = ", ".join(kinds if outcome.verdicts else ["valid", *kinds])
    return text if made == record.repeat else f"{text} ({made} of {record.repeat} trials)"


def duration_text(figure: LevelFigure, mark: str = "") -> str:
    """Returns a duration with its range, as ``3.14 ms (2.90–3.41)``; ``mark`` stands for a range
    that is not known."""
    value = units.format_duration(figure.value)
    if figure.value is None:
        return value
    if figure.low is None or figure.high is None:
        return f"{value} {mark}".rstrip()
    low, high = units.format_duration(figure.low), units.format_duration(figure.high)
    unit = value.rpartition(" ")[2]
    if low.endswith(f" {unit}") and high.endswith(f" {unit}"):
        return f"{value} ({low.partition(' ')[0]}–{high.partition(' ')[0]})"
    return f"{value} ({low}–{high})"


def trial_text(figure: SweepFigure) -> str:
    """Returns a latency of one trial, with its own interval where it has one."""
    return duration_text(LevelFigure(figure.value, figure.low, figure.high), NO_RANGE)


# --- Sentences ------------------------------------------------------------------------------------


def sentence(record: SweepRecord) -> str:
    """Returns the answer: up to which rate the queue keeps up, or between what latency lies."""
    subject = record.scenario.name
    if record.server:
        subject += f" on {server_name(record.server)}"
    judged = [each for each in sweep.outcomes(record) if each.is_judged]
    if not judged:
        return f"{subject}: no level was tried"
    found = [each for each in sweep.curves(record) if each.judged]
    if len(found) == 1:
        return f"{subject} {_of_curve(record, found[0])}"
    if found:
        return f"{subject} {_of_curves(found)}"
    return f"{subject}: {_of_levels(record, judged)}"


def _of_curve(record: SweepRecord, curve: LoadCurve) -> str:
    kept, failed = curve.last_kept, curve.first_failed
    if kept is None and failed is not None:
        return f"is not valid even at {_rate(failed)}, the lowest rate: {reason(failed)}"
    if kept is None:
        return "was not tried"
    text = f"{record.interval}.p99 {duration_text(kept.latency_s['p99'], NO_RANGE)}"
    if failed is None:
        return f"keeps up at every rate, up to {_rate(kept)} with {text}: its limit is higher"
    return f"keeps up to {_rate(kept)} with {text}; at {_rate(failed)} {reason(failed)}"


def _of_curves(found: Sequence[LoadCurve]) -> str:
    ranked = sorted(found, key=_kept_per_s, reverse=True)
    shown = ranked if len(ranked) <= _MOST_CURVES else [ranked[0], ranked[-1]]
    parts = [f"{_limit(curve)} with {settings_text(curve.settings)}" for curve in shown]
    return f"keeps up {'; '.join(parts)}"


def _limit(curve: LoadCurve) -> str:
    kept = curve.last_kept
    if kept is None:
        return "at no rate"
    return f"to {'at least ' if curve.first_failed is None else ''}{_rate(kept)}"


def _kept_per_s(curve: LoadCurve) -> float:
    return 0.0 if curve.last_kept is None else curve.last_kept.level.offered_per_s or 0.0


def _of_levels(record: SweepRecord, judged: Sequence[LevelOutcome]) -> str:
    kept = [each for each in judged if each.keeps_up and each.latency_s["p99"].value is not None]
    counts = f"{len(kept)} of {counted(len(judged), 'level')} valid"
    if not kept:
        return counts
    ranked = sorted(kept, key=lambda each: each.latency_s["p99"].value or 0.0)
    ends = [ranked[0], ranked[-1]] if len(ranked) > 1 else ranked
    texts = [
        f"{duration_text(each.latency_s['p99'], NO_RANGE)} with "
        f"{settings_text(each.level.settings)}"
        for each in ends
    ]
    valid = "" if len(kept) == len(judged) else f"; {counts}"
    return f"{record.interval}.p99 {' to '.join(texts)}{valid}"


def reason(outcome: LevelOutcome) -> str:
    """Returns why a level does not keep up, in words: that of most of its trials."""
    ((verdict, _),) = outcome.verdicts.most_common(1)
    return _REASONS.get(verdict, verdict.replace("_", " "))


def _rate(outcome: LevelOutcome) -> str:
    return units.format_rate(outcome.level.offered_per_s)


def notes(record: SweepRecord) -> Iterator[str]:
    """Yields what a reader must know besides the answer, one line per note."""
    left = len(record.order) - len(record.trials)
    if left:
        yield f"{_ENDINGS.get(record.ended, record.ended)}: {counted(left, 'trial')} to be made"
    for curve in sweep.curves(record):
        failed, above = curve.first_failed, curve.contradicting
        if failed is not None and above:
            at = "" if not curve.settings else f" with {settings_text(curve.settings)}"
            yield (
                f"{_rate(failed)}{at} is not valid, but {_rate(above[-1])} above it is: repeat the "
                "sweep on a machine that does nothing else, with --repeat 5"
            )
    found = sweep.problems(record)
    for each in found[:_MOST_REASONS]:
        yield f"{_named(each.levels)}: {each.message}"
    if len(found) > _MOST_REASONS:
        yield f"{counted(len(found) - _MOST_REASONS, 'other reason')}: see the trials on the page"


def _named(levels: Sequence[LevelOutcome]) -> str:
    """Returns the first few of these levels."""
    shown = "; ".join(settings_text(each.level.settings) for each in levels[:_MOST_NAMED])
    more = len(levels) - _MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def explanations(record: SweepRecord) -> list[str]:
    """Returns what the columns are, and how sure their figures."""
    served = record.interval == "e2e"
    interval = "from its due time to its end" if served else "until Redis acknowledged it"
    return [
        f"percentiles of {record.interval}: how long a task took {interval}, all sub-queues "
        f"together; achieved: tasks {'completed' if served else 'enqueued'} per second; backlog: "
        "the most tasks that waited; Redis: cores that the server used",
        _ranges(record),
        f"a level is valid where all of its trials are; the latency of one that is not depends on "
        f"how long a trial lasts{_length(record)}",
    ]


def _length(record: SweepRecord) -> str:
    return "" if record.run_s is None else f", here {units.format_duration(record.run_s)}"


def _ranges(record: SweepRecord) -> str:
    if record.repeat > 1:
        confidence = share(round(sweep.range_confidence(record.repeat), 3))
        return (
            f"each figure is that of the middle one of {record.repeat} trials, in brackets the "
            f"lowest and the highest: they enclose the median of all such trials with {confidence} "
            "confidence"
        )
    known = any(_has_range(each) for each in sweep.outcomes(record))
    within = f"in brackets the 95% confidence interval of the trial{_withheld(record)}"
    return (
        f"one trial of each level: {within if known else _not_known(record)}; how far another "
        "start would differ is not known, and --repeat 5 shows it"
    )


def _not_known(record: SweepRecord) -> str:
    """Returns that no figure of single trials has an interval, and why where that is known."""
    reasons = " or ".join(_reasons(record))
    return f"how sure a figure is within its trial is not known{reasons and f': {reasons}'}"


def _reasons(record: SweepRecord) -> list[str]:
    """Returns the reasons why percentiles of single trials have no interval."""
    reasons = {figure.withheld for trial in record.trials for figure in trial.latency_s.values()}
    return [text for name, text in _WITHHELD.items() if name in reasons]


def _withheld(record: SweepRecord) -> str:
    """Returns why some percentiles have no interval; empty where all have one."""
    texts = _reasons(record)
    return f", or {NO_RANGE} where {' or '.join(texts)}" if texts else ""


def footer(record: SweepRecord) -> str:
    """Returns how the trials were made."""
    took = units.format_duration(sweep.spent_s(record))
    each = "" if record.repeat == 1 else f", {record.repeat} of each level"
    return (
        f"{counted(len(record.trials), 'trial')}{each}, in {took}, in an order drawn by seed "
        f"{record.scenario.seed}, so that a drift of the machine is not taken for one of the levels"
    )
