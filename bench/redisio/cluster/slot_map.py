"""Which node of a cluster serves which slot, and how a node is addressed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis

from bench.redisio.checked_replies import not_valid
from bench.redisio.url import NodeAddress
from bench.wire.slots import SLOTS


@dataclass(frozen=True)
class SlotMap:
    """The masters of a cluster, by slot."""

    owners: tuple[NodeAddress | None, ...]
    """The master of each slot; None for a slot that none serves."""

    @property
    def masters(self) -> list[NodeAddress]:
        """All masters that serve slots, in the order of their first ones."""
        return list(dict.fromkeys(each for each in self.owners if each is not None))

    @property
    def unserved(self) -> int:
        """Number of slots that no node serves."""
        return self.owners.count(None)

    def moved(self, slot: int, to: NodeAddress) -> "SlotMap":
        """The map with another master for one slot."""
        return SlotMap((*self.owners[:slot], to, *self.owners[slot + 1 :]))


def read_slots(client: redis.Redis, asked: NodeAddress) -> SlotMap:
    """The map as one node knows it, which ``client`` leads to and ``asked`` is.

    Raises redis-py's errors, among them InvalidResponse for what is no such map.
    """
    reply: Any = client.execute_command("CLUSTER", "SLOTS")  # type: ignore[no-untyped-call]
    owners: list[NodeAddress | None] = [None] * SLOTS
    try:
        for first, last, master, *_ in reply:
            node = _node(master[0], master[1], asked)
            if not 0 <= first <= last < SLOTS:
                raise ValueError(f"no slots: {first} to {last}")
            owners[first : last + 1] = [node] * (last + 1 - first)
    except (TypeError, ValueError, IndexError, UnicodeDecodeError):
        raise redis.exceptions.InvalidResponse(not_valid("CLUSTER SLOTS", reply)) from None
    return SlotMap(tuple(owners))


def _node(host: bytes | None, port: int, asked: NodeAddress) -> NodeAddress:
    """An address in the map. A node that does not know its own is where it was asked."""
    name = (host or b"").decode()
    return NodeAddress(asked.host if name in ("", "?") else name, int(port))


def redirection(message: str, asked: NodeAddress) -> tuple[int, NodeAddress]:
    """The slot and the node that an error reply ``MOVED`` or ``ASK`` names.

    Raises ValueError for one that names none.
    """
    _, slot, place = message.split(" ")[:3]
    host, colon, port = place.rpartition(":")
    if not colon:
        raise ValueError(f"no address: {place}")
    return int(slot), _node(host.encode(), int(port), asked)


def keys_by_slot(slots: Sequence[int]) -> dict[int, list[int]]:
    """The indices of keys (n,), given by their slots, by slot."""
    found: dict[int, list[int]] = {}
    for index, slot in enumerate(slots):
        found.setdefault(slot, []).append(index)
    return found
