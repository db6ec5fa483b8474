"""The clients as a section of a page."""

from bench import units
from bench.clients_record import ClientsRecord
from bench.reports import client_words
from bench.reports.html import facts
from bench.reports.html.section import Mood, Section, Table
from bench.reports.plots.clients import clients_picture


def section(record: ClientsRecord) -> Section:
    """All of a comparison of clients."""
    verdict, mood = _verdict(record)
    picture = clients_picture(record)
    ran = client_words.measured(record)
    fastest = max((each.tasks_per_s for _, each in ran), default=None)
    return Section(
        kind="clients",
        group="Clients",
        title="Clients",
        verdict=verdict,
        mood=mood,
        answer=f"{client_words.sentence(record)}.",
        figures={"clients": str(len(ran)), "fastest": units.format_rate(fastest)},
        view={
            "record": record,
            "begun": facts.moment(record.started_at),
            "failures": list(client_words.failures(record)),
            "skips": list(client_words.skips(record)),
            "notes": [client_words.CAPTION, client_words.BATCHES, client_words.footer(record)],
            "table": _table(record),
            "programs": _programs(record),
            "server": facts.flat(record.server),
            "environment": facts.flat(record.environment),
        },
        pictures=[picture] if picture else [],
    )


def _verdict(record: ClientsRecord) -> tuple[str, Mood]:
    if any(row.failed for row in record.clients):
        return "FAILED", "bad"
    if not record.is_complete:
        return "INCOMPLETE", "open"
    return ("MEASURED", "good") if client_words.measured(record) else ("NOTHING RAN", "open")


def _table(record: ClientsRecord) -> Table:
    return Table(
        "Each client by itself; CPU is for a task",
        ["client", *client_words.COLUMNS],
        [[row.name, *client_words.cells(row)] for row, _ in client_words.measured(record)],
    )


def _programs(record: ClientsRecord) -> Table:
    return Table(
        "What each of them is",
        ["client", "what it does", "runs on"],
        [[row.name, row.does, row.runs_on] for row, _ in client_words.measured(record)],
        names=3,
    )
