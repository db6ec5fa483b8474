"""The clients record: what each way to enqueue costs, as one JSON file.

History of the format:

    runqy-bench-clients/1   the first
"""

from pathlib import Path

import msgspec

from bench.records import formats
from bench.records.run_record import LatencySummary

FORMAT = "runqy-bench-clients/1"


class Repetition(msgspec.Struct, frozen=True, kw_only=True):
    """One repetition of a client."""

    elapsed_s: float
    """Wall-clock time of the enqueue loop."""
    client_cpu_s: float
    """CPU time of the client during the enqueue loop."""
    server_cpu_s: float | None
    """CPU time of the server while the client's program ran, including its start-up."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one client: medians over its repetitions."""

    tasks_per_s: float
    tasks_per_s_low: float
    tasks_per_s_high: float
    enqueue: LatencySummary
    """Time from just before a task's first command to the reply to its last, over all repetitions.
    In a closed loop no task has a due time, so this is a service time."""
    client_cpu_us_per_task: float
    server_cpu_us_per_task: float | None
    repetitions: list[Repetition]


class ClientRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One client, with its figures or the reason why it has none: ``skipped`` or ``failed``."""

    name: str
    does: str
    round_trips: str
    batch: int
    """Number of tasks sent together; 0 for all of them."""
    runs_on: str
    """Language and libraries with their versions; empty if the client was skipped."""
    figures: Figures | None = None
    skipped: str = ""
    """What is missing, and what to install; empty if nothing is."""
    failed: str = ""
    """What the client did wrong, in words; empty if nothing."""


class ClientsRecord(msgspec.Struct, frozen=True, kw_only=True):
    """All clients; each enqueued the same number of tasks on the same server."""

    format: str = FORMAT
    started_at: str
    duration_s: float
    command: str
    layout: str
    queue: str
    tasks: int
    """Number of tasks in each repetition of each client."""
    repeat: int
    is_complete: bool
    """Whether every repetition was made; False if the command was interrupted."""
    environment: dict[str, object]
    server: dict[str, object]
    clients: list[ClientRow]


def encode(record: ClientsRecord) -> bytes:
    """Returns the record as indented JSON, ending in a newline."""
    return formats.encode(record)


def load(path: Path) -> ClientsRecord:
    """Reads a clients record. Raises RecordError for any other file or format version."""
    return formats.load(path, ClientsRecord, FORMAT, "a record of clients")
