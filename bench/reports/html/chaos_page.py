"""A set of faults as a section of a page."""

from bench.analysis import chaos
from bench.errors import ExitCode
from bench.records.chaos_record import ChaosRecord
from bench.reports import chaos_text
from bench.reports.html import facts
from bench.reports.html.provenance import setup_of, stamp
from bench.reports.html.section import Section, Table, Tone
from bench.workload.chaos import meaning_of


def section(record: ChaosRecord) -> Section:
    """Returns a section with everything that the faults of a set did."""
    verdict, tone = _verdict(record)
    rows = dict(zip((each.name for each in record.cases), chaos_text.rows(record), strict=True))
    return Section(
        kind="chaos",
        group="Sets of faults",
        title=f"{record.scenario.name} under faults",
        verdict=verdict,
        tone=tone,
        answer=f"{chaos_text.sentence(record)}.",
        figures={name: f"lost {cells[1]}, back {cells[-1]}" for name, cells in rows.items()},
        description=record.scenario.description,
        stamp=stamp("Set of faults, started", record.started_at),
        setup=setup_of(
            record.command, record.server, record.environment, facts.of_scenario(record.scenario)
        ),
        view={
            "failures": list(chaos_text.failures(record)),
            "notes": list(chaos_text.notes(record)),
            "objectives": _objectives(record),
            "table": Table("What each fault did", chaos_text.headings(record), [*rows.values()]),
            "back": Table(
                "When each figure was back",
                chaos_text.back_headings(record),
                chaos_text.back_rows(record),
            ),
            "intervals": Table(
                "Medians over all runs",
                chaos_text.INTERVAL_HEADINGS,
                chaos_text.interval_rows(record),
                2,
            ),
            "faults": _faults(record),
            "explained": [
                chaos_text.explanation(record),
                chaos_text.interval_note(record),
                chaos_text.footer(record),
            ],
        },
    )


def _verdict(record: ChaosRecord) -> tuple[str, Tone]:
    code = chaos.exit_code(record)
    if code is ExitCode.INVALID:
        return "NOT MEASURED", "bad"
    if not record.is_complete or code is ExitCode.INCONCLUSIVE:
        return "INCOMPLETE", "open"
    if code is ExitCode.SLO_MISSED:
        return "MISSED", "bad"
    return ("MET" if record.slo else "MEASURED"), "good"


def _objectives(record: ChaosRecord) -> Table | None:
    found = chaos_text.objectives(record)
    if not found:
        return None
    rows = [[expression, f"{'✓' if is_met else '✗'} {text}"] for expression, text, is_met in found]
    missed = frozenset(index for index, each in enumerate(found) if not each[2])
    return Table("Objectives", ["objective", "outcome"], rows, names=2, strong=missed)


def _faults(record: ChaosRecord) -> Table:
    rows = [[each.name, meaning_of(each.name), each.plan] for each in record.cases]
    return Table("What was made", ["fault", "what it is", "plan of each run"], rows, names=3)
