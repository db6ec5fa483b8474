"""What a self-test found, as sentences and rows that all reports of it share."""

import datetime
from collections.abc import Iterator, Sequence

from bench import units
from bench.analysis import selftest
from bench.records.formats import server_name
from bench.records.selftest_record import (
    DelayCheck,
    MeasuredBy,
    RepeatNoise,
    SelftestRecord,
)
from bench.reports.figures import NOTHING, counted, share

_WHO: dict[MeasuredBy, str] = {
    "observer": "external",
    "built-in": "built-in",
    "network": "producer",
}
AGREES, DIFFERS, CANNOT_TELL = "agrees", "DIFFERS", "unclear"
_PLANTED = ("interval", "planted", "known", "measured", "within", "verdict")
DELAY_HEADINGS = (*_PLANTED[:2], "statistic", *_PLANTED[2:])
MEDIAN_HEADINGS = ("median of", *_PLANTED[1:])
COUNT_HEADINGS = ("tasks", "planted", "measured", "verdict")
PACING_HEADINGS = ("asked", "sent", "late at p50", "late at p99")
NOISE_HEADINGS = ("figure", "runs", "least", "greatest", "two runs differ by")
EXPLANATION = (
    "known: from time stamps that the stand-in took itself, since a busy machine delays what was "
    "planted; of an external worker, from around the completing command; of the built-in worker, "
    "the server's log of commands; of a producer, from the relay, with what a round trip takes "
    "without a delay; within: how far off a wrong figure could be and still agree; how sure the "
    "lateness of one producer is, is not known"
)
_DAY_S = 86_400.0


def sentence(record: SelftestRecord) -> str:
    """Returns the answer: whether all is measured as it was planted, and how precisely."""
    return f"selftest: {_answer(record)}"


def _answer(record: SelftestRecord) -> str:
    made, wrong = selftest.checks_made(record), selftest.disagreements(record)
    if not made and not record.problems:
        return "nothing was compared"
    if wrong:
        return f"{wrong} of {counted(made + len(record.problems), 'check')} failed"
    within = _worst(record)
    if loose := len(selftest.cannot_tell(record)):
        return f"{made - loose} of {counted(made, 'check')} agree and {loose} are unclear{within}"
    return f"all {counted(made, 'check')} agree{within}"


def _worst(record: SelftestRecord) -> str:
    """Returns how precisely medians were measured, with the delay that is known least precisely:
    of one of a second, what would be much of a millisecond is little."""
    checks = [each for each in record.delays if each.compared]
    if not checks:
        return ""
    worst = max(checks, key=lambda each: each.compared[0].within_s)
    planted_s, within_s = worst.planted_s, worst.compared[0].within_s
    which = worst.interval if planted_s is None else f"{units.format_duration(planted_s)} planted"
    return f", each median to within {units.format_duration(within_s)} ({which})"


def in_short(record: SelftestRecord, run_started_at: str) -> str:
    """Returns the answer with its age at the start of a run, and what single runs can tell."""
    parts = [_answer(record), *_noise_clause(record)]
    kind = "quick selftest" if record.is_quick else "selftest"
    return f"{kind} of this machine, {_age(record, run_started_at)}: {'; '.join(parts)}"


def _age(record: SelftestRecord, run_started_at: str) -> str:
    try:
        there, here = map(datetime.datetime.fromisoformat, (record.started_at, run_started_at))
        age_s = (here - there).total_seconds()
    except (ValueError, TypeError):  # a time without a zone cannot be subtracted from one with it
        return "of unknown age"
    days = int(abs(age_s) // _DAY_S)
    when = "earlier" if age_s >= 0 else "later"
    return f"{counted(days, 'day')} {when}" if days else f"less than a day {when}"


def _noise_clause(record: SelftestRecord) -> Iterator[str]:
    known = [each for each in record.noise if each.differs is not None]
    if known:
        texts = [f"{_change(each)} in {each.figure}" for each in known]
        runs = len(known[0].values)
        yield (
            f"two single runs differ by up to {', '.join(texts)} by chance (95%, from {runs} "
            "identical runs)"
        )


def _change(noise: RepeatNoise) -> str:
    """Returns by how much two runs differ, which is a factor where a share says little."""
    change = noise.differs or 0.0
    return share(change) if change < 1 else f"a factor of {1 + change:.2g}"


def failures(record: SelftestRecord) -> Iterator[str]:
    """Yields what does not agree, and which steps could not be carried out."""
    for each in record.delays:
        name = f"{each.interval}, {_WHO[each.path]}"
        if each.planted_s is not None:
            name += f", {units.format_duration(each.planted_s)}"
        if each.samples != each.measured_samples or not each.compared:
            yield f"{name}: {each.measured_samples} of {counted(each.samples, 'task')} measured"
        for one in each.compared:
            if one.off_s:
                yield (
                    f"{name}: {one.statistic} was {_range(one.known_low_s, one.known_high_s)}, and "
                    f"{_range(one.measured_low_s, one.measured_high_s)} was measured: "
                    f"{units.format_duration(one.off_s)} more than the stated error of "
                    f"{units.format_duration(one.error_s)}"
                )
    for count in record.counts:
        if not count.agrees:
            yield (
                f"{count.what}, {_WHO[count.path]}: {units.format_count(count.planted)} "
                f"planted, {units.format_count(count.measured)} measured"
            )
    for problem in record.problems:
        yield f"{problem.step}: {problem.reason}"


def notes(record: SelftestRecord) -> Iterator[str]:
    """Yields what a reader must know about figures that agree."""
    if record.ended in ("interrupted", "failed"):
        yield f"{record.ended} after {counted(len(record.steps), 'step')}: the others are missing"
    loose = selftest.cannot_tell(record)
    if loose:
        names = ", ".join(dict.fromkeys(units.format_duration(each.planted_s) for each in loose))
        yield (
            f"{counted(len(loose), 'planted delay')} ({names}) cannot be told from none: repeat it "
            "while the machine is idle"
        )


def delay_rows(record: SelftestRecord) -> list[list[str]]:
    """Returns each delay beside what was measured, in the order of ``DELAY_HEADINGS``."""
    return [
        [*_names(each), *cells] for each in record.delays for cells in _statistics(each) or [_NONE]
    ]


def median_rows(record: SelftestRecord) -> list[list[str]]:
    """Returns the median of each planted delay, in the order of ``MEDIAN_HEADINGS``."""
    return [
        [*_names(each), *next(iter(_statistics(each)), _NONE)[1:]]
        for each in record.delays
        if each.planted_s is not None
    ]


_NONE = [*[NOTHING] * 4, DIFFERS]


def _names(check: DelayCheck) -> list[str]:
    planted = NOTHING if check.planted_s is None else units.format_duration(check.planted_s)
    return [f"{check.interval}, {_WHO[check.path]}", planted]


def _statistics(check: DelayCheck) -> list[list[str]]:
    verdict = DIFFERS if not check.agrees else AGREES if check.tells else CANNOT_TELL
    return [
        [
            one.statistic,
            _range(one.known_low_s, one.known_high_s),
            _range(one.measured_low_s, one.measured_high_s),
            units.format_duration(one.within_s),
            verdict,
        ]
        for one in check.compared
    ]


def _range(low_s: float, high_s: float) -> str:
    low, high = units.format_duration(low_s), units.format_duration(high_s)
    if low == high:
        return low
    is_same_unit = low.partition(" ")[2] == high.partition(" ")[2]
    return f"{low.partition(' ')[0] if is_same_unit else low}–{high}"


def count_rows(record: SelftestRecord) -> list[list[str]]:
    """Returns each count beside what the ledger has, in the order of ``COUNT_HEADINGS``."""
    return [
        [
            f"{each.what}, {_WHO[each.path]}",
            units.format_count(each.planted),
            units.format_count(each.measured),
            AGREES if each.agrees else DIFFERS,
        ]
        for each in record.counts
    ]


def pacing_rows(record: SelftestRecord) -> list[list[str]]:
    """Returns how punctual sending was, in the order of ``PACING_HEADINGS``."""
    return [
        [
            units.format_rate(each.asked_per_s),
            units.format_rate(each.enqueued_per_s),
            units.format_duration(each.lag_p50_s),
            units.format_duration(each.lag_p99_s),
        ]
        for each in record.pacing
    ]


def noise_rows(record: SelftestRecord) -> list[list[str]]:
    """Returns how identical runs differ, in the order of ``NOISE_HEADINGS``."""
    return [_noise_row(each) for each in record.noise if each.values]


def _noise_row(noise: RepeatNoise) -> list[str]:
    form = units.format_rate if noise.figure == "enqueued" else units.format_duration
    ends = (form(min(noise.values)), form(max(noise.values)))
    differs = NOTHING if noise.differs is None else _change(noise)
    return [noise.figure, units.format_count(len(noise.values)), *ends, differs]


def ceiling(record: SelftestRecord) -> str:
    """Returns what one producer reaches, as a sentence; empty where that was not measured."""
    found = [
        f"{units.format_rate(each.per_s)} "
        + ("where it only renders tasks" if each.sink == "none" else f"to the {each.sink}")
        for each in record.ceilings
    ]
    return f"one producer reaches {' and '.join(found)}" if found else ""


def noise_sentence(record: SelftestRecord) -> str:
    """Returns what single runs cannot tell; empty where that is not known."""
    return next(_noise_clause(record), "")


def footer(record: SelftestRecord) -> str:
    """Returns where and how long it was measured."""
    cores = record.environment.get("cores", 0)
    server = f" · {server_name(record.server)}" if record.server else ""
    kind = "quick, " if record.is_quick else ""
    cpu = record.environment.get("cpu_model", "unknown CPU")
    return f"{kind}{units.format_duration(record.took_s)} on {cores} cores, {cpu}{server}"


def explained(record: SelftestRecord) -> Sequence[str]:
    """Returns the lines that end a report."""
    return (EXPLANATION, footer(record))
