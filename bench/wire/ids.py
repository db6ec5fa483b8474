"""Task ids that name their run, producer and sequence number.

An id is an RFC 9562 UUID of version 8. Its free bits are filled so that any id that comes back can
be attributed without a table:

    rrrrrrrr-rrrr-8ppp-8rrr-ssssssssssss
    r run number, 60 bits · p producer, 12 bits · s sequence number, 48 bits

The digit of the variant is always 8, so all ids have the same shape and digits can be written in
place.
"""

import re
import secrets
from dataclasses import dataclass

ID_LENGTH = 36
SEQUENCE_START = 24
SEQUENCE_DIGITS = 12
MAX_PRODUCERS = 1 << 12
MAX_SEQUENCE = 1 << 48
_RUN_BITS = 60

_PATTERN = re.compile(
    r"([0-9a-f]{8})-([0-9a-f]{4})-8([0-9a-f]{3})-8([0-9a-f]{3})-([0-9a-f]{12})", re.ASCII
)


@dataclass(frozen=True)
class TaskId:
    """The parts of an id: run (60 bits), producer (12) and the producer's sequence number (48)."""

    run: int
    producer: int
    sequence: int


def new_run() -> int:
    """Returns a random run number of 60 bits, which for all practical purposes is unique."""
    return secrets.randbits(_RUN_BITS)


def run_text(run: int) -> str:
    """Returns the run number as 15 hexadecimal digits, as records and keys show it."""
    return f"{run:015x}"


def prefix(run: int, producer: int) -> str:
    """Returns the 24 characters with which all ids of one producer of one run begin.

    Raises ValueError if a part does not fit its bits.
    """
    if not 0 <= run < 1 << _RUN_BITS:
        raise ValueError(f"run number {run} does not fit into 60 bits")
    if not 0 <= producer < MAX_PRODUCERS:
        raise ValueError(f"producer {producer} does not fit into 12 bits")
    text = run_text(run)
    return f"{text[:8]}-{text[8:12]}-8{producer:03x}-8{text[12:]}-"


def format_id(task_id: TaskId) -> str:
    """Returns the id as text. Raises ValueError if a part does not fit its bits."""
    if not 0 <= task_id.sequence < MAX_SEQUENCE:
        raise ValueError(f"sequence {task_id.sequence} does not fit into 48 bits")
    return f"{prefix(task_id.run, task_id.producer)}{task_id.sequence:012x}"


def parse_id(text: str) -> TaskId | None:
    """Returns the parts of an id, or None if the id has another form."""
    match = _PATTERN.fullmatch(text)
    if match is None:
        return None
    run_head, run_middle, producer, run_tail, sequence = match.groups()
    return TaskId(int(run_head + run_middle + run_tail, 16), int(producer, 16), int(sequence, 16))
