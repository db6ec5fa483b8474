"""Counting replies of commands that answer with one line each.

Everything a producer sends (HSET, LPUSH, a script that returns a number) is answered by one line:
a number or an error. So there is no need to build an object a reply: lines are counted in the
buffer, and only a buffer that holds an error is taken apart.
"""

from dataclasses import dataclass, field

SHORTEST_REPLY = len(b":0\r\n")
_END = b"\r\n"
_NUMBERS = b":0123456789\r\n"


@dataclass(frozen=True)
class Replies:
    """What one piece of the stream held."""

    count: int
    """Complete replies, errors included."""
    errors: list[tuple[int, str]] = field(default_factory=list)
    """(index within this piece, the server's message) of each error, in order."""
    last_number: int | None = None
    """The number in the last complete reply, or None when there is none or it is an error."""


class LineReplies:
    """Splits a byte stream into one-line replies, wherever the network cut it."""

    def __init__(self) -> None:
        self._partial = b""

    def feed(self, data: bytes) -> Replies:
        """The replies that ``data`` completes.

        Raises ValueError when the stream holds a reply that is not one line: whoever reads it
        then asked for something this class is not for.
        """
        buffer = self._partial + data if self._partial else data
        end = buffer.rfind(_END)
        if end < 0:
            self._partial = buffer
            return Replies(0)
        self._partial = buffer[end + 2 :]
        complete = buffer[: end + 2]
        if complete.translate(None, _NUMBERS) or complete.count(b":") != complete.count(b"\n"):
            return _take_apart(buffer[:end])
        previous_end = buffer.rfind(_END, 0, end)
        last_line = buffer[previous_end + 2 if previous_end >= 0 else 0 : end]
        return Replies(complete.count(b"\n"), [], _number(last_line))


def _take_apart(buffer: bytes) -> Replies:
    lines = buffer.split(_END)
    errors = []
    for index, line in enumerate(lines):
        if line.startswith(b"-"):
            errors.append((index, line[1:].decode(errors="replace")))
        elif not line.startswith((b":", b"+")):
            raise ValueError(f"not a one-line reply: {line[:40]!r}")
    return Replies(len(lines), errors, _number(lines[-1]))


def _number(line: bytes) -> int | None:
    return int(line[1:]) if line.startswith(b":") else None
