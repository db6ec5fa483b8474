"""``--server-config``: settings for the server that a run starts, from a file or as text."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bench.errors import UsageError
from bench.reading import read_file

_MOST_BYTES = 1 << 20
_SEPARATOR = re.compile(r"\n|,\s*(?=[a-z][a-z-]*\s+\S)")
"""What stands between two settings in one text; a comma within a value is followed by no name."""
_OF_THE_RUN = frozenset(
    (
        *("port", "bind", "bind-source-addr", "dir", "daemonize", "supervised", "logfile"),
        *("pidfile", "unixsocket", "unixsocketperm", "configfile", "aclfile", "tls-port"),
        *("cluster-announce-ip", "replica-announce-ip", "slave-announce-ip"),
        *("replicaof", "slaveof", "primaryof"),
    )
)
"""Settings that are a place of this server, and say nothing of how it works."""
_SECRET = re.compile(r"pass|secret|token|(?:master|primary)(?:auth|user)")


def read_config(written: Sequence[str]) -> bytes:
    """The settings of these texts, in the format of redis.conf: each the name of a file, or
    settings themselves, such as ``appendonly yes, appendfsync always``.

    Raises UsageError for a file that cannot be read, and for a text that is neither.
    """
    return b"\n".join(map(_one, written))


def _one(written: str) -> bytes:
    text = written.strip()
    if _is_inline(text):
        return "\n".join(each.strip() for each in _SEPARATOR.split(text)).encode()
    try:
        return read_file(Path(written), _MOST_BYTES)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(
            f"--server-config {written}: {reason}: check the path, or write settings as in "
            "'appendonly yes, appendfsync always'"
        ) from None


def _is_inline(text: str) -> bool:
    """Whether a text holds settings: a name and a value, and is the name of no file."""
    try:
        is_there = Path(text).exists()
    except (OSError, ValueError):  # too long for a name, or with a zero byte
        is_there = False
    return not is_there and re.match(r"[a-z][a-z-]*\s+\S", text) is not None


def shown(written: Sequence[str]) -> str:
    """What a message calls the configuration: a file's name, never a setting's value."""
    return ", ".join("settings" if _is_inline(each.strip()) else each for each in written)


def worth_recording(settings: Mapping[str, str]) -> dict[str, str]:
    """The settings that say how a server works: without secrets, and without its own places."""
    return {
        name: settings[name]
        for name in sorted(_kept(settings))
        if not settings[name].startswith("/")
    }


def _kept(names: Iterable[str]) -> set[str]:
    return {each for each in names if each not in _OF_THE_RUN and not _SECRET.search(each)}
