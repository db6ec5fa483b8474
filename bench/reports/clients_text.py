"""What all reports of clients say in the same words."""

from collections.abc import Iterator

from bench import units
from bench.records.clients_record import ClientRow, ClientsRecord, Figures
from bench.reports.figures import NOTHING

CAPTION = (
    "Latencies are service times of a closed loop, not counted from a due time: the next task or "
    "batch is sent when the one before has been answered."
)
BATCHES = (
    "A task in a batch takes from before its batch is sent until its reply has been read: with "
    "all clients but bench until the whole batch has been answered."
)
COLUMNS = ("tasks/s", "range", "p50", "p99", "client CPU", "Redis CPU", "round trips")


def sentence(record: ClientsRecord) -> str:
    """Who is fastest, and what that costs Redis."""
    ran = measured(record)
    if not ran:
        return "No client ran"
    parts = [f"the fastest here is {_told(*max(ran, key=_rate))}"]
    single = [each for each in ran if each[0].batch == 1]
    if single and len(single) < len(ran):
        parts.append(f"of those that send one task at a time, {_told(*max(single, key=_rate))}")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}"


def measured(record: ClientsRecord) -> list[tuple[ClientRow, Figures]]:
    """The clients that have figures."""
    return [(row, row.figures) for row in record.clients if row.figures is not None]


def cells(row: ClientRow) -> list[str]:
    """Under the columns' names."""
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


def micros(value_us: float) -> str:
    """``3.2 µs``, ``128 µs``: of CPU, a task."""
    return f"{value_us:.1f} µs" if value_us < 99.95 else f"{value_us:,.0f} µs"


def failures(record: ClientsRecord) -> Iterator[str]:
    """What went wrong, a line a client."""
    for row in record.clients:
        if row.failed:
            yield f"{row.name}: {row.failed}"


def skips(record: ClientsRecord) -> Iterator[str]:
    """What was not run and why: a line for all that have the same reason."""
    names: dict[str, list[str]] = {}
    for row in record.clients:
        if row.skipped:
            names.setdefault(row.skipped, []).append(row.name)
    for reason, skipped in names.items():
        yield f"{', '.join(skipped)}: {reason}"


def footer(record: ClientsRecord) -> str:
    """What was measured on, and how often."""
    server = record.server
    times = "once" if record.repeat == 1 else f"{record.repeat} times, in turn"
    return (
        f"{units.format_count(record.tasks)} tasks of the {record.layout} layout onto "
        f"{record.queue}, {times}: medians, CPU a task · "
        f"{server.get('product')} {server.get('version')} at {server.get('address')}"
    )


def _rate(each: tuple[ClientRow, Figures]) -> float:
    return each[1].tasks_per_s


def _told(row: ClientRow, figures: Figures) -> str:
    return (
        f"{row.name}: {units.format_rate(figures.tasks_per_s)}, each for "
        f"{micros(figures.server_cpu_us_per_task)} of Redis's CPU"
    )
