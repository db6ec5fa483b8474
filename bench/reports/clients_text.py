"""Sentences and figures that all reports of a comparison of clients share."""

from collections.abc import Iterator

from bench import units
from bench.records.clients_record import ClientRow, ClientsRecord, Figures
from bench.records.formats import server_name
from bench.reports.figures import NOTHING

CAPTION = (
    "Latencies are service times of a closed loop, not measured from a due time: each task or "
    "batch is sent once the previous one has been acknowledged."
)
"""How latencies were measured."""
BATCHES = (
    "The latency of a task in a batch runs from the sending of the batch until the task's reply is "
    "read; with every client except bench, that is when the whole batch has been answered."
)
"""How latencies were measured, for a comparison that has clients with batches."""
HOW_SURE = (
    "Range: the lowest and the highest of the repetitions. p50 and p99 are those of all "
    "repetitions together; how sure they are is not known."
)
COLUMNS = ("tasks/s", "range", "p50", "p99", "client CPU", "Redis CPU", "round trips")
"""Headings of the figures in ``cells``."""


def sentence(record: ClientsRecord) -> str:
    """Returns which client is fastest, and what one of its tasks costs Redis."""
    rows = measured(record)
    if not rows:
        return "No client was measured"
    parts = [f"Fastest: {_rate_and_cost(*max(rows, key=_rate))}"]
    single = [each for each in rows if each[0].batch == 1]
    if single and len(single) < len(rows):
        parts.append(f"fastest with one task at a time: {_rate_and_cost(*max(single, key=_rate))}")
    return "; ".join(parts)


def measured(record: ClientsRecord) -> list[tuple[ClientRow, Figures]]:
    """Returns the clients that have figures, with their figures."""
    return [(row, row.figures) for row in record.clients if row.figures is not None]


def cells(row: ClientRow) -> list[str]:
    """Returns a client's figures, in the order of ``COLUMNS``."""
    figures = row.figures
    if figures is None:
        return [NOTHING] * len(COLUMNS)
    return [
        units.format_count(figures.tasks_per_s),
        f"{units.format_count(figures.tasks_per_s_low)}–"
        f"{units.format_count(figures.tasks_per_s_high)}",
        units.format_duration(figures.enqueue.p50_s),
        units.format_duration(figures.enqueue.p99_s),
        micros(figures.client_cpu_us_per_task),
        micros(figures.server_cpu_us_per_task),
        row.round_trips,
    ]


def micros(value_us: float | None) -> str:
    """Returns microseconds of CPU per task: ``3.2 µs``, ``128 µs``; ``–`` where it is not known."""
    if value_us is None:
        return NOTHING
    return f"{value_us:.1f} µs" if value_us < 99.95 else f"{value_us:,.0f} µs"


def failures(record: ClientsRecord) -> Iterator[str]:
    """Yields what went wrong, one line per failed client."""
    for row in record.clients:
        if row.failed:
            yield f"{row.name}: {row.failed}"


def skips(record: ClientsRecord) -> Iterator[str]:
    """Yields which clients were skipped and why, one line per reason."""
    names: dict[str, list[str]] = {}
    for row in record.clients:
        if row.skipped:
            names.setdefault(row.skipped, []).append(row.name)
    for reason, skipped in names.items():
        yield f"{', '.join(skipped)}: {reason}"


def footer(record: ClientsRecord) -> str:
    """Returns the workload, the number of repetitions and the server."""
    server = record.server
    times = "once" if record.repeat == 1 else f"{record.repeat} times in turn"
    return (
        f"{units.format_count(record.tasks)} tasks in the {record.layout} layout enqueued to "
        f"{record.queue} {times}; figures are medians, CPU is per task · "
        f"{server_name(server)} at {server.get('address')}"
    )


def _rate(each: tuple[ClientRow, Figures]) -> float:
    return each[1].tasks_per_s


def _rate_and_cost(row: ClientRow, figures: Figures) -> str:
    cost_us = figures.server_cpu_us_per_task
    cost = "" if cost_us is None else f", with {micros(cost_us)} of Redis CPU per task"
    return f"{row.name} at {units.format_rate(figures.tasks_per_s)}{cost}"
