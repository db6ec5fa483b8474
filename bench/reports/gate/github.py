"""A comparison as annotations of a GitHub Actions job."""

from collections.abc import Iterable

from bench.analysis.rule import Decision
from bench.inert import visible
from bench.records.comparison_record import GateRecord
from bench.reports.gate import text


def annotations(gate: GateRecord) -> Iterable[str]:
    """Yields workflow commands: an error per fault or regression, a warning per open decision."""
    for fault in gate.faults:
        yield _command("error", gate, fault)
    for row in gate.rows:
        named, figures = row.metric, text.figures(row)
        if row.is_gated and row.decision == Decision.REGRESSION:
            yield _command("error", gate, f"{named} regressed: {figures}")
        elif row.is_gated and row.decision == Decision.INCONCLUSIVE:
            yield _command("warning", gate, f"{named}: {text.verdict(row)}, {figures}")


def _command(level: str, gate: GateRecord, message: str) -> str:
    return f"::{level} title={_property(f'bench {gate.title}')}::{_data(message)}"


def _data(text: str) -> str:
    return visible(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
