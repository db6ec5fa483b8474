"""Where the figures of a page's section come from: the same for every kind of record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.records import timestamps
from bench.reports.html.facts import FactRows, flat


@dataclass(frozen=True)
class Setup:
    """What was run, and where."""

    command: str
    """The command line, without secrets."""
    facts: Sequence[tuple[str, FactRows]] = ()
    """Headings, each with the facts below it."""
    settings: FactRows = ()
    """The server's own settings, of which there are hundreds: they are shown on demand."""


def stamp(what: str, timestamp: str) -> str:
    """Returns the line that identifies a record: ``Run 1a2b3c4d, started 2026-01-15 … UTC.``"""
    return f"{what} {timestamps.readable(timestamp)}."


def setup_of(
    command: str,
    server: Mapping[str, object],
    environment: Mapping[str, object],
    scenario: FactRows = (),
) -> Setup:
    """Returns the setup of a record that measured; ``scenario`` is empty for one without any."""
    settings = server.get("settings")
    groups = (
        ("Scenario", scenario),
        ("Server", flat({name: value for name, value in server.items() if name != "settings"})),
        ("Machine and software", flat(environment)),
    )
    return Setup(
        command,
        [(heading, rows) for heading, rows in groups if rows],
        flat(settings) if isinstance(settings, Mapping) else (),
    )
