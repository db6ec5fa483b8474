"""What ``bench verify`` read from a server: values that a reader makes and that rules judge."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.wire.layout_contract import Layout, QueueKey

HASH = "hash"
LIST = "list"
SORTED_SET = "zset"
NOTHING = "none"
"""What TYPE answers for a key that does not exist."""


@dataclass(frozen=True)
class InspectedKey:
    """A key that holds, or should hold, ids of one queue's tasks."""

    queue: str
    queue_key: QueueKey
    kind: str
    """What TYPE answered; ``none`` if the key does not exist."""
    length: int
    """Number of ids; zero if the key is of the wrong type."""

    @property
    def name(self) -> str:
        """``pending``, ``active``, …: what reports call the key."""
        return self.queue_key.name

    @property
    def key(self) -> str:
        """The key itself."""
        return self.queue_key.key

    @property
    def is_of_its_type(self) -> bool:
        """Whether the key has the type that the layout says, or does not exist."""
        return self.kind in (NOTHING, SORTED_SET if self.queue_key.is_sorted_set else LIST)


@dataclass(frozen=True)
class InspectedTask:
    """An id that was found under a key, and what the task's hash held right afterwards."""

    id: bytes
    queue: str
    found_under: QueueKey
    key: str
    """The key of the task's hash."""
    kind: str
    """What TYPE answered for that key."""
    fields: Mapping[str, bytes]
    """Those fields that rules ask for and that exist; empty if the key holds no hash."""
    has_lease: bool = True
    """Whether the task has a lease; also true if that is unknown."""
    lease_left_s: float = 0.0
    """Seconds until the lease ends; negative once it has expired."""

    @property
    def under(self) -> str:
        """``pending``, ``active``, …: what reports call the key under which the id was found."""
        return self.found_under.name


@dataclass(frozen=True)
class InspectedQueue:
    """One queue as a whole."""

    name: str
    pending: int
    """Number of tasks that wait for a worker."""
    is_registered: bool = True
    """Whether the set of all queue names has it; also true if the layout has no such set."""
    has_worker: bool = True
    """Whether some worker says that it serves the queue; also true if that is unknown."""


def key_of(layout: Layout, queue: str, task_id: bytes) -> str:
    """Returns the key of a task's hash, for an id of any bytes.

    The key is to be encoded with ``surrogateescape``.
    """
    return layout.task(queue, task_id.decode(errors="surrogateescape"))
