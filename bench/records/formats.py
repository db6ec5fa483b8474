"""Reading and writing JSON files whose ``format`` field names their format and its version.

A file may come from anywhere, so reading one takes bounded time and memory whatever it holds.
"""

import codecs
import contextlib
import errno
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from bench.errors import RecordError
from bench.inert import in_json
from bench.reading import read_file
from bench.records.plausible import implausible

RecordT = TypeVar("RecordT", bound=msgspec.Struct)

MOST_BYTES = 128 << 20
"""Size of the largest file that is read. A week of a dozen figures a second takes about 80 MB."""
_MOST_VALUES = 8_000_000
"""A dozen figures a second for a week."""
_MOST_LISTS = 1_000_000
"""Most lists and objects: a list takes twenty times the memory that it takes in the file."""


def load(path: Path, kind: type[RecordT], version: str, what: str, missing: str = "") -> RecordT:
    """Reads a file of type ``kind`` whose ``format`` field must equal ``version``.

    Raises RecordError, with a message that begins with the path, when the file cannot be read
    (``missing`` then precedes the reason), when its content is not ``what`` or cannot be true, and
    when it is of another version.
    """
    return load_data(path, read(path, missing), kind, version, what)


def load_data(path: Path, data: bytes, kind: type[RecordT], version: str, what: str) -> RecordT:
    """Reads a file's content, as ``load`` does."""
    loaded = decode(path, data, kind, what)
    written = getattr(loaded, "format", None)
    if written != version:
        raise RecordError(f"{path}: format {written}; this version of bench reads {version}")
    require_plausible(path, loaded, what)
    return loaded


def read(path: Path, missing: str = "") -> bytes:
    """Returns the content of a file of at most ``MOST_BYTES``, which may be a pipe.

    A pipe into which nobody writes is empty. Raises RecordError, with a message that begins with
    the path and ``missing``.
    """
    try:
        return read_file(path, MOST_BYTES)
    except OSError as error:
        not_a_record = "not a record: " if error.errno == errno.EFBIG else ""
        raise RecordError(f"{path}: {missing}{not_a_record}{error.strerror or error}") from None


def decode(path: Path, data: bytes, kind: type[RecordT], what: str) -> RecordT:
    """Returns the content of a file of type ``kind``.

    Raises RecordError, with a message that begins with the path, when it is not ``what``.
    """
    if data.count(b",") > _MOST_VALUES or data.count(b"[") + data.count(b"{") > _MOST_LISTS:
        raise RecordError(f"{path}: not {what}: it holds more values than any record has")
    try:
        return msgspec.json.decode(data.removeprefix(codecs.BOM_UTF8), type=kind)
    except RecursionError:
        raise RecordError(f"{path}: not {what}: its values are nested too deeply") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RecordError(f"{path}: not {what}: {error}") from None


class _FormatOnly(msgspec.Struct):
    format: str = ""


def written_format(path: Path, data: bytes, what: str) -> str:
    """Returns the format that a file's content names; empty where it names none.

    Raises RecordError, with a message that begins with the path, when it is not ``what``.
    """
    return decode(path, data, _FormatOnly, what).format


def require_plausible(path: Path, loaded: msgspec.Struct, what: str) -> None:
    """Raises RecordError, with a message that begins with the path, for a value that no record of
    this project can have. ``what`` names the kind of record."""
    problem = implausible(loaded)
    if problem is not None:
        raise RecordError(f"{path}: not {what}: {problem}")


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Puts the file's path before the message of a RecordError that is raised while its content is
    used."""
    try:
        yield
    except RecordError as error:
        raise RecordError(f"{path}: {error}") from None


def encode(value: msgspec.Struct) -> bytes:
    """Returns the value as indented JSON, ending in a newline, that no terminal acts upon."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"
    is_plain = text.isascii() and b"\x7f" not in text
    return text if is_plain else in_json(text.decode()).encode()


def server_name(server: Mapping[str, object]) -> str:
    """The server of a record, for people: product and version."""
    return f"{server.get('product', 'redis')} {server.get('version', '')}".rstrip()
