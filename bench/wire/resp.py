"""Encodes commands as RESP with hiredis: the plain encoder that tests compare faster ones with."""

from collections.abc import Iterable

import hiredis

from bench.wire.layout_contract import Command


def encode(commands: Iterable[Command]) -> bytes:
    """Returns one buffer with all commands, in order."""
    pack = hiredis.pack_command
    # hiredis types its argument as a tuple of one item.
    return b"".join(pack(command) for command in commands)  # type: ignore[arg-type]
