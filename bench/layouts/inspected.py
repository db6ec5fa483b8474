"""What was seen of a server's queues: values that rules judge, and that a reader makes."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.wire.layout import Layout

HASH = "hash"
LIST = "list"
SORTED_SET = "zset"
NOTHING = "none"
"""What TYPE calls a key that is not there."""


@dataclass(frozen=True)
class InspectedKey:
    """A key that holds, or should hold, ids of one queue's tasks."""

    queue: str
    name: str
    """``pending``, ``active``, …: how its key ends."""
    key: str
    is_sorted_set: bool
    kind: str
    """What TYPE says; ``none`` where nothing is there."""
    length: int
    """How many ids it holds; zero where it is of the wrong type."""

    @property
    def is_of_its_type(self) -> bool:
        """Whether it is what the layout says, or empty."""
        return self.kind in (NOTHING, SORTED_SET if self.is_sorted_set else LIST)


@dataclass(frozen=True)
class InspectedTask:
    """An id that was seen in a place, and what the task's key held right after."""

    id: bytes
    queue: str
    place: str
    """``pending``, ``active``, …"""
    place_key: str
    key: str
    """Of the task's hash."""
    kind: str
    """What TYPE says of it."""
    fields: Mapping[str, bytes]
    """Those that rules ask for and that were there; empty where it is no hash."""
    has_lease: bool = True
    """Whether it is leased; true as well where that cannot be told."""
    lease_left_s: float = 0.0
    """For how long from now; negative once it has expired."""


@dataclass(frozen=True)
class InspectedQueue:
    """One queue as a whole."""

    name: str
    pending: int
    is_registered: bool = True
    """Whether the set of all queues names it; true where the layout has no such set."""
    has_worker: bool = True
    """Whether a worker says that it serves it; true as well where that cannot be told."""


def key_of(layout: Layout, queue: str, task_id: bytes) -> str:
    """The key of a task's hash, for an id of any bytes; to be encoded with ``surrogateescape``."""
    return layout.task(queue, task_id.decode(errors="surrogateescape"))
