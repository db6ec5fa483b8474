"""Encodes commands as RESP with hiredis: the plain encoder that tests compare faster ones with."""

from collections.abc import Iterable

import hiredis

from bench.wire.layout_contract import Argument, Command


def encode(commands: Iterable[Command]) -> bytes:
    """Returns one buffer with all commands, in order.

    Text is encoded as UTF-8, and a byte that was decoded with ``surrogateescape`` as itself.
    """
    pack = hiredis.pack_command
    commands = list(commands)
    try:
        # hiredis types its argument as a tuple of one item.
        return b"".join([pack(command) for command in commands])  # type: ignore[arg-type]
    except UnicodeEncodeError:  # an id that is not text
        return b"".join([pack(tuple(map(as_bytes, command))) for command in commands])  # type: ignore[arg-type]


def as_bytes(argument: Argument) -> bytes:
    """Returns an argument as it is sent, whatever bytes it was read from."""
    if isinstance(argument, bytes):
        return argument
    return argument.encode(errors="surrogateescape")
