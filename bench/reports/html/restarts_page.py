"""A run that was repeated with fresh processes, as a section of a page."""

from bench.analysis import restarts
from bench.analysis.restarts import Answer
from bench.records.restarts_record import RestartsRecord
from bench.reports import restarts_text as text
from bench.reports.html import facts
from bench.reports.html.provenance import setup_of, stamp
from bench.reports.html.section import Section, Table, Tone
from bench.reports.plots.restarts import restarts_pictures

_VERDICTS: dict[Answer, tuple[str, Tone]] = {
    Answer.ALIKE: ("ONE RUN IS ENOUGH", "good"),
    Answer.DIFFERENT: ("ONE RUN IS NOT ENOUGH", "open"),
    Answer.UNPROVEN: ("TOO FEW STARTS TO TELL", "open"),
    Answer.TOO_FEW: ("TOO FEW STARTS TO COMPARE", "open"),
    Answer.UNKNOWN: ("NOT KNOWN HOW SURE", "open"),
}


def section(record: RestartsRecord) -> Section:
    """Returns a section with every start, and how figures differ between starts and within one."""
    verdict, tone = _verdict(record)
    pictures = restarts_pictures(record)
    return Section(
        kind="restarts",
        group="Restarts",
        title=f"{record.scenario.name}, started {len(record.runs)} times",
        verdict=verdict,
        tone=tone,
        answer=f"{text.sentence(record)}.",
        figures={
            f"{each.metric} between starts": text.figures(each)[-2] for each in record.spreads
        },
        description=record.scenario.description,
        stamp=stamp("Restarts, the first started", record.started_at),
        setup=setup_of(
            record.command, record.server, record.environment, facts.of_scenario(record.scenario)
        ),
        view={
            "faults": list(text.faults(record)),
            "notes": list(text.notes(record)),
            "objectives": _objectives(record),
            "spreads": Table(
                "How figures differ between starts, and within one",
                text.HEADINGS,
                [[each.metric, *text.figures(each)] for each in record.spreads],
            ),
            "drawn": [each.name for each in pictures],
            "starts": _starts(record),
            "made": Table("What the faults did", text.FAULT_HEADINGS, text.fault_rows(record), 2),
            "explained": [
                *text.explanation(record),
                text.over_starts(record),
                text.pooled_percentiles(record),
                text.fault_note(record) if record.faults else "",
            ],
        },
        pictures=pictures,
    )


def _verdict(record: RestartsRecord) -> tuple[str, Tone]:
    """The answer, or that starts are not valid: it then stands on figures that must not be
    quoted."""
    invalid = sum(run.verdict != "valid" for run in record.runs)
    if invalid:
        return f"{invalid} OF {len(record.runs)} STARTS NOT VALID", "bad"
    if not record.is_complete:
        return "INCOMPLETE", "open"
    return _VERDICTS[restarts.judge(record).answer]


def _objectives(record: RestartsRecord) -> Table | None:
    found = list(text.outcomes(record))
    if not found:
        return None
    rows = [[expression, f"{'✓' if is_met else '✗'} {said}"] for expression, said, is_met in found]
    missed = frozenset(index for index, each in enumerate(found) if not each[2])
    return Table("Objectives", ["objective", "outcome"], rows, names=2, strong=missed)


def _starts(record: RestartsRecord) -> Table:
    return Table(
        "Every start, with the 95% confidence interval that the run itself gives; "
        f"{text.NO_INTERVAL}: not known how sure",
        text.start_headings(record),
        text.start_rows(record),
        names=3,
        strong=frozenset(index for index, run in enumerate(record.runs) if run.verdict != "valid"),
    )
