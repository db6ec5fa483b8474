"""JSON files that say of which format, and of which version of it, they are."""

from pathlib import Path
from typing import TypeVar

import msgspec

from bench.errors import RecordError

RecordT = TypeVar("RecordT", bound=msgspec.Struct)


def load(path: Path, kind: type[RecordT], version: str, what: str, missing: str = "") -> RecordT:
    """Read a file whose ``format`` must be that version.

    Raises RecordError, beginning with the path, when there is none (then ``missing`` stands before
    the reason), when it is not ``what`` it should be, or of another version.
    """
    try:
        read = msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise RecordError(f"{path}: {missing}{error.strerror or error}") from None
    except msgspec.MsgspecError as error:
        raise RecordError(f"{path}: not {what}: {error}") from None
    written = getattr(read, "format", None)
    if written != version:
        raise RecordError(f"{path}: format {written}; this version of bench reads {version}")
    return read


def encode(value: msgspec.Struct) -> bytes:
    """As JSON text that people can read too."""
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"
