"""Where commands and replies end in a stream of RESP 2, without making values of them."""

_END = b"\r\n"
_LINES = b"+-:"


def end_of(buffer: bytes, start: int) -> int:
    """Returns where the value that begins at ``start`` ends, -1 if it is not whole yet.

    Raises ValueError for what is no RESP 2.
    """
    left = 1
    at = start
    while left:
        line_end = buffer.find(_END, at)
        if line_end < 0:
            return -1
        kind = buffer[at : at + 1]
        left -= 1
        if kind == b"$":
            length = int(buffer[at + 1 : line_end])
            if length >= 0:
                line_end += length + 2
                if line_end + 2 > len(buffer):
                    return -1
        elif kind == b"*":
            left += max(int(buffer[at + 1 : line_end]), 0)
        elif kind not in _LINES:
            raise ValueError(f"no RESP: {buffer[at : at + 40]!r}")
        at = line_end + 2
    return at


def head_of(buffer: bytes, start: int, most: int) -> list[bytes]:
    """Returns the first arguments, ``most`` of them at the most, of the command at ``start``, which
    is whole and an array of bulk strings."""
    line_end = buffer.index(_END, start)
    found: list[bytes] = []
    at = line_end + 2
    for _ in range(min(int(buffer[start + 1 : line_end]), most)):
        line_end = buffer.index(_END, at)
        text_at = line_end + 2
        at = text_at + int(buffer[at + 1 : line_end])
        found.append(buffer[text_at:at])
        at += 2
    return found
