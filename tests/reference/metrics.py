"""The reference of metrics: what objectives, gates, trends and exports can name."""

from collections.abc import Mapping

from bench.workload.metrics import COSTS, COUNTS, INTERVALS, OF_FAULTS, RATES, Subject
from tests.reference.tables import code, table

_KINDS: Mapping[str, tuple[Mapping[str, Subject], str, str]] = {
    "Intervals": (INTERVALS, "e2e.p99 < 50ms", "latency"),
    "Rates": (RATES, "completed.rate >= 900/s", "rates"),
    "Counts": (COUNTS, "lost == 0", "counts"),
    "Costs": (COSTS, "server_cpu_us_per_task < 30", "resources"),
    "Faults": (OF_FAULTS, "recovery{restart}.time < 5s", "faults[]"),
}


def metric_tables() -> str:
    """Return one table for each kind of metric, under a heading."""
    return "\n\n".join(
        f"## {heading}\n\nFor example `{example}`.\n\n{_rows(subjects, place)}"
        for heading, (subjects, example, place) in _KINDS.items()
    )


def _rows(subjects: Mapping[str, Subject], place: str) -> str:
    return table(
        ("metric", "meaning", "unit", "better", "in the record"),
        [
            (code(name), each.meaning, each.unit.value, each.better, code(f"{place}.{each.field}"))
            for name, each in subjects.items()
        ],
    )
