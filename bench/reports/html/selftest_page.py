"""A self-test as a section of a page."""

from collections.abc import Sequence

from bench.analysis import selftest
from bench.errors import ExitCode
from bench.records.selftest_record import SelftestRecord
from bench.reports import selftest_text as text
from bench.reports.html.provenance import setup_of, stamp
from bench.reports.html.section import Section, Table, Tone


def section(record: SelftestRecord) -> Section:
    """Returns a section with everything that a self-test found."""
    verdict, tone = _verdict(record)
    return Section(
        kind="selftest",
        group="Self-tests",
        title="Self-test of this machine",
        verdict=verdict,
        tone=tone,
        answer=f"{text.sentence(record).removeprefix('selftest: ')}.",
        figures={each[0]: each[-1] for each in text.noise_rows(record)},
        stamp=stamp("Self-test, started", record.started_at),
        setup=setup_of(record.command, record.server, record.environment, []),
        view=view(record),
    )


def view(record: SelftestRecord) -> dict[str, object]:
    """Returns the values that the template of a self-test refers to."""
    delays = text.delay_rows(record)
    return {
        "failures": [*text.failures(record)],
        "notes": [*text.notes(record)],
        "delays": _marked("Planted delays", text.DELAY_HEADINGS, delays),
        "counts": _marked("Lost and doubled tasks", text.COUNT_HEADINGS, text.count_rows(record)),
        "pacing": Table(
            "How punctually one producer sends", text.PACING_HEADINGS, text.pacing_rows(record), 1
        ),
        "noise": Table(
            "How identical runs differ", text.NOISE_HEADINGS, text.noise_rows(record), 1
        ),
        "sentences": [each for each in (text.ceiling(record), text.noise_sentence(record)) if each],
        "explained": [*text.explained(record)],
    }


def _marked(caption: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Returns a table with the verdict beside the name, where a narrow screen shows it, too."""
    wrong = frozenset(index for index, row in enumerate(rows) if row[-1] != text.AGREES)
    columns, *shown = [[each[0], each[-1], *each[1:-1]] for each in (headings, *rows)]
    return Table(caption, columns, shown, names=2, strong=wrong)


def _verdict(record: SelftestRecord) -> tuple[str, Tone]:
    code = selftest.exit_code(record)
    if code is ExitCode.PASSED:
        return "AGREES", "good"
    if code is ExitCode.INCONCLUSIVE:
        return "UNCLEAR", "open"
    if code is ExitCode.INTERRUPTED and not selftest.disagreements(record):
        return "INCOMPLETE", "open"
    return "DIFFERS", "bad"
