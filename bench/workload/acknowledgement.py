"""What an enqueued task must be acknowledged by (``--ack``), beside the server itself."""

import re
from typing import Literal

import msgspec

from bench import units
from bench.errors import UsageError, quoted
from bench.workload.value_type import ValueType, pattern_schema, require_text

_DEFAULT_TIMEOUT_S = 1.0
_MOST_TIMEOUT_S = 60.0
_WRITTEN = re.compile(r"(wait|waitaof):([0-9]{1,3})(?:,([0-9]{1,3}))??(?:,([0-9.]+ *[a-z]+))?")


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True):
    """Whose acknowledgement a producer waits for with each batch, and for how long."""

    by: Literal["wait", "waitaof"]
    """``WAIT``: replicas have the write. ``WAITAOF``: it is in their append-only files."""
    local: int = 0
    """1 where the server's own append-only file must have it; ``WAITAOF`` only."""
    replicas: int = 0
    timeout_s: float = _DEFAULT_TIMEOUT_S

    @property
    def command(self) -> tuple[str, ...]:
        """The command that waits for it."""
        timeout_ms = str(max(round(self.timeout_s * 1000), 1))
        if self.by == "wait":
            return ("WAIT", str(self.replicas), timeout_ms)
        return ("WAITAOF", str(self.local), str(self.replicas), timeout_ms)

    @property
    def for_nobody(self) -> tuple[str, ...]:
        """The arguments with which that command is answered at once, as nobody is waited for."""
        return ("0", "1") if self.by == "wait" else ("0", "0", "1")

    @property
    def text(self) -> str:
        """As it is written."""
        numbers = f"{self.replicas}" if self.by == "wait" else f"{self.local},{self.replicas}"
        return f"{self.by}:{numbers},{round(self.timeout_s * 1000)}ms"


def _read(written: object) -> Acknowledgement:
    text = require_text(written).strip()
    match = _WRITTEN.fullmatch(text)
    if match is None or (match[1] == "waitaof") != (match[3] is not None):
        raise UsageError(
            f"{quoted(text)} is not an acknowledgement: write wait:REPLICAS or "
            "waitaof:LOCAL,REPLICAS, and for how long, as in wait:1,100ms"
        )
    timeout_s = units.parse_duration(match[4]) if match[4] else _DEFAULT_TIMEOUT_S
    if not 0.001 <= timeout_s <= _MOST_TIMEOUT_S:
        raise UsageError(f"{quoted(match[4])} is out of range: wait from 1ms to 1 minute")
    first, second = int(match[2]), int(match[3] or 0)
    if match[1] == "waitaof" and first > 1:
        raise UsageError(f"{first}: a server has one append-only file: write 0 or 1")
    if not first and not second:
        raise UsageError("it waits for nobody: write wait:1, waitaof:1,0, or remove it")
    if match[1] == "wait":
        return Acknowledgement(by="wait", replicas=first, timeout_s=timeout_s)
    return Acknowledgement(by="waitaof", local=first, replicas=second, timeout_s=timeout_s)


ACKNOWLEDGEMENT = ValueType(
    _read,
    pattern_schema(
        r"wait:[0-9]{1,3}(?:,[0-9.]+ *[a-z]+)?",
        r"waitaof:[01],[0-9]{1,3}(?:,[0-9.]+ *[a-z]+)?",
    ),
    lambda value: value.text,
    placeholder="WAIT",
)
"""Written as ``wait:1``, ``wait:2,100ms``, ``waitaof:1,0``."""
