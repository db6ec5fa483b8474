"""The clients' record: which way to enqueue costs what, as one JSON file.

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
    """Of its loop."""
    client_cpu_s: float
    """Of its loop."""
    server_cpu_s: float
    """While its program ran, start included."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """A client's figures: medians over its repetitions."""

    tasks_per_s: float
    tasks_per_s_low: float
    tasks_per_s_high: float
    enqueue: LatencySummary
    """From before a task's first command to the reply to its last, of all repetitions together:
    service times of a closed loop, as nothing is ever due there."""
    client_cpu_us_per_task: float
    server_cpu_us_per_task: float
    repetitions: list[Repetition]


class ClientRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One client. It has figures, or the reason why not: ``skipped`` or ``failed``."""

    name: str
    does: str
    round_trips: str
    batch: int
    """Tasks that it sends together; 0 for all of them."""
    runs_on: str
    """Languages and libraries with their versions; empty where it was skipped."""
    figures: Figures | None = None
    skipped: str = ""
    """What is missing, and what to install."""
    failed: str = ""
    """What it did wrong, in words."""


class ClientsRecord(msgspec.Struct, frozen=True, kw_only=True):
    """All clients, each having enqueued the same number of tasks on the same server."""

    format: str = FORMAT
    started_at: str
    duration_s: float
    command: str
    layout: str
    queue: str
    tasks: int
    """In each repetition of each client."""
    repeat: int
    is_complete: bool
    """False when it was interrupted."""
    environment: dict[str, object]
    server: dict[str, object]
    clients: list[ClientRow]


def encode(record: ClientsRecord) -> bytes:
    """As JSON text that people can read too."""
    return formats.encode(record)


def load(path: Path) -> ClientsRecord:
    """Read one. Raises RecordError when the file is none, or of another version."""
    return formats.load(path, ClientsRecord, FORMAT, "a record of clients")
