"""The clients as a section of a page."""

from bench import units
from bench.records.clients_record import ClientsRecord
from bench.reports import clients_text
from bench.reports.html import facts
from bench.reports.html.section import Section, Table, Tone
from bench.reports.plots.clients import clients_picture


def section(record: ClientsRecord) -> Section:
    """All of a comparison of clients."""
    verdict, mood = _verdict(record)
    picture = clients_picture(record)
    ran = clients_text.measured(record)
    fastest = max((each.tasks_per_s for _, each in ran), default=None)
    return Section(
        kind="clients",
        group="Clients",
        title="Clients",
        verdict=verdict,
        mood=mood,
        answer=f"{clients_text.sentence(record)}.",
        figures={"clients": str(len(ran)), "fastest": units.format_rate(fastest)},
        view={
            "record": record,
            "begun": facts.moment(record.started_at),
            "failures": list(clients_text.failures(record)),
            "skips": list(clients_text.skips(record)),
            "notes": [clients_text.CAPTION, clients_text.BATCHES, clients_text.footer(record)],
            "table": _table(record),
            "programs": _programs(record),
            "server": facts.flat(record.server),
            "environment": facts.flat(record.environment),
        },
        pictures=[picture] if picture else [],
    )


def _verdict(record: ClientsRecord) -> tuple[str, Tone]:
    if any(row.failed for row in record.clients):
        return "FAILED", "bad"
    if not record.is_complete:
        return "INCOMPLETE", "open"
    return ("MEASURED", "good") if clients_text.measured(record) else ("NOTHING RAN", "open")


def _table(record: ClientsRecord) -> Table:
    return Table(
        "Each client by itself; CPU is for a task",
        ["client", *clients_text.COLUMNS],
        [[row.name, *clients_text.cells(row)] for row, _ in clients_text.measured(record)],
    )


def _programs(record: ClientsRecord) -> Table:
    return Table(
        "What each of them is",
        ["client", "what it does", "runs on"],
        [[row.name, row.does, row.runs_on] for row, _ in clients_text.measured(record)],
        names=3,
    )
