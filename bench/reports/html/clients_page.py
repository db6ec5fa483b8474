"""A comparison of clients as a section of a page."""

from bench import units
from bench.records.clients_record import ClientsRecord
from bench.reports import clients_text
from bench.reports.html.provenance import setup_of, stamp
from bench.reports.html.section import Section, Table, Tone
from bench.reports.plots.clients import clients_picture


def section(record: ClientsRecord) -> Section:
    """Returns a section with everything a comparison of clients found."""
    verdict, tone = _verdict(record)
    picture = clients_picture(record)
    measured = clients_text.measured(record)
    fastest = max((each.tasks_per_s for _, each in measured), default=None)
    return Section(
        kind="clients",
        group="Clients",
        title="Clients",
        verdict=verdict,
        tone=tone,
        answer=f"{clients_text.sentence(record)}.",
        figures={"clients": str(len(measured)), "fastest": units.format_rate(fastest)},
        stamp=stamp("Comparison of clients, started", record.started_at),
        setup=setup_of(record.command, record.server, record.environment),
        view={
            "failures": list(clients_text.failures(record)),
            "skips": list(clients_text.skips(record)),
            "notes": [
                *(clients_text.CAPTION, clients_text.BATCHES, clients_text.HOW_SURE),
                clients_text.footer(record),
            ],
            "table": _table(record),
            "programs": _programs(record),
        },
        pictures=[picture] if picture else [],
    )


def _verdict(record: ClientsRecord) -> tuple[str, Tone]:
    if any(row.failed for row in record.clients):
        return "FAILED", "bad"
    if not record.is_complete:
        return "INCOMPLETE", "open"
    return ("MEASURED", "good") if clients_text.measured(record) else ("NOTHING MEASURED", "open")


def _table(record: ClientsRecord) -> Table:
    return Table(
        "Each client, measured alone; CPU is per task",
        ["client", *clients_text.COLUMNS],
        [[row.name, *clients_text.cells(row)] for row, _ in clients_text.measured(record)],
    )


def _programs(record: ClientsRecord) -> Table:
    return Table(
        "What each client is",
        ["client", "what it does", "runs on"],
        [[row.name, row.does, row.runs_on] for row, _ in clients_text.measured(record)],
        names=3,
    )
