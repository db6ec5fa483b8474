"""Which slot of a Redis Cluster a key lies in, and which key of a command decides where it goes.

The rule is that of the Redis Cluster specification: CRC16 (polynomial 0x1021, initial value 0) of
the key, modulo 16384; where the key holds text in braces, of that text alone.
"""

import binascii
from collections.abc import Sequence

from bench.wire.layout_contract import Argument, Layout
from bench.wire.resp import as_bytes

SLOTS = 16_384
_NUMBERED = {
    **dict.fromkeys((b"EVAL", b"EVALSHA", b"EVAL_RO", b"EVALSHA_RO", b"BLMPOP", b"BZMPOP"), 2),
    **dict.fromkeys((b"LMPOP", b"ZMPOP"), 1),
}
"""Commands that tell how many keys they have, and where that number stands."""
_KEYLESS = frozenset(
    (
        *(b"ACL", b"ASKING", b"AUTH", b"CLIENT", b"CLUSTER", b"COMMAND", b"CONFIG", b"DBSIZE"),
        *(b"ECHO", b"FUNCTION", b"HELLO", b"INFO", b"LATENCY", b"LOLWUT", b"MODULE", b"PING"),
        *(b"PUBLISH", b"ROLE", b"SCAN", b"SCRIPT", b"SELECT", b"SLOWLOG", b"TIME", b"WAIT"),
    )
)


def slot_of(key: bytes) -> int:
    """Returns the slot of a key, from 0 to 16383."""
    opened = key.find(b"{")
    if opened >= 0:
        closed = key.find(b"}", opened + 1)
        if closed > opened + 1:
            key = key[opened + 1 : closed]
    return binascii.crc_hqx(key, 0) % SLOTS


def key_of(command: Sequence[bytes]) -> bytes | None:
    """Returns the first key of a command, given as its arguments; None for one without keys."""
    name = command[0].upper()
    if name in _KEYLESS:
        return None
    at = _NUMBERED.get(name)
    if at is not None:
        return command[at + 1] if command[at] != b"0" else None
    return command[1] if len(command) > 1 else None


def slot_of_command(command: Sequence[Argument]) -> int | None:
    """Returns the slot of a command's first key; None for a command without keys."""
    head = [as_bytes(each) for each in command[:4]]
    key = key_of(head)
    return None if key is None else slot_of(key)


def queue_slot(layout: Layout, queue: str) -> int | None:
    """Returns the one slot in which all keys of a queue and its tasks lie; None if it has several.

    Only then can scripts move its tasks on a cluster.
    """
    keys = [*layout.keys_of(queue, "0"), *(key.key for key in layout.queue_keys(queue))]
    slots = {slot_of(as_bytes(key)) for key in keys}
    return slots.pop() if len(slots) == 1 else None
