"""Counts the replies to commands that are answered with one line each.

Everything a producer sends (HSET, LPUSH, a script that returns a number) is answered with one line:
a number or an error. So no object is built per reply: lines are counted in the buffer, and only a
buffer with an error in it is parsed line by line.
"""

from dataclasses import dataclass, field

SHORTEST_REPLY = len(b":0\r\n")
_END = b"\r\n"
_NUMBERS = b":0123456789\r\n"


@dataclass(frozen=True)
class Replies:
    """The replies in one piece of a stream."""

    count: int
    """Number of complete replies, errors included."""
    errors: list[tuple[int, str]] = field(default_factory=list)
    """(index within this piece, the server's message) for each error, in order."""
    last_number: int | None = None
    """The number in the last complete reply; None if there is none or it is an error."""


class LineReplies:
    """Splits a byte stream into one-line replies, wherever the network has cut it."""

    def __init__(self) -> None:
        self._partial = b""

    @property
    def has_data(self) -> bool:
        """Whether a part of a reply has arrived that is not complete."""
        return bool(self._partial)

    def feed(self, data: bytes) -> Replies:
        """Returns the replies that ``data`` completes.

        Raises ValueError for a reply of more than one line, which this class cannot read.
        """
        buffer = self._partial + data if self._partial else data
        end = buffer.rfind(_END)
        if end < 0:
            self._partial = buffer
            return Replies(0)
        self._partial = buffer[end + 2 :]
        complete = buffer[: end + 2]
        if complete.translate(None, _NUMBERS) or complete.count(b":") != complete.count(b"\n"):
            return _by_line(buffer[:end])
        previous_end = buffer.rfind(_END, 0, end)
        last_line = buffer[previous_end + 2 if previous_end >= 0 else 0 : end]
        return Replies(complete.count(b"\n"), [], _number(last_line))


def is_one_number(data: bytes) -> bool:
    """Returns whether ``data`` is one complete reply, a number without a sign, and nothing else.

    That is what most commands of a worker answer, one reply at a time: it needs no ``LineReplies``.
    """
    return data[:1] == b":" and data[-2:] == _END and data[1:-2].isdigit()


def _by_line(buffer: bytes) -> Replies:
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
