"""Reading and writing JSON files whose ``format`` field names their format and its version."""

from pathlib import Path
from typing import TypeVar

import msgspec

from bench.errors import RecordError

RecordT = TypeVar("RecordT", bound=msgspec.Struct)


def load(path: Path, kind: type[RecordT], version: str, what: str, missing: str = "") -> RecordT:
    """Reads a file of type ``kind`` whose ``format`` field must equal ``version``.

    Raises RecordError, with a message that begins with the path, when the file cannot be read
    (``missing`` then precedes the reason), when its content is not ``what``, and when it is of
    another version.
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
    """Returns the value as indented JSON, ending in a newline."""
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"
