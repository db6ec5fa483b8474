"""Where a queue keeps its things in Redis, and the commands that move a task through it.

A layout is a value that everything else takes: producers, workers and clean-up never spell a key.
Commands are tuples of arguments, in the order in which they must reach the server.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

from bench.wire.task import Hashes, Task

Argument = str | bytes
Command = tuple[Argument, ...]

STATE_ACTIVE = "active"
STATE_COMPLETED = "completed"
STATE_PENDING = "pending"
STATE_RETRY = "retry"
STATE_ARCHIVED = "archived"


class KeyRole(Enum):
    """What it means for an id to be in some place."""

    PENDING = auto()
    """It waits for a worker, or for its next attempt."""
    ACTIVE = auto()
    ELSEWHERE = auto()
    """It has ended, or is also in one of the other places."""


class TaskOutcome(Enum):
    """How a task ended, as far as its hash tells."""

    COMPLETED = auto()
    ARCHIVED = auto()
    GONE = auto()
    """Its hash is not there (any more): a task that was enqueued has succeeded, as nothing else
    deletes one."""


_OUTCOMES = {STATE_COMPLETED: TaskOutcome.COMPLETED, STATE_ARCHIVED: TaskOutcome.ARCHIVED}


def state_of(reply: Sequence[bytes | None]) -> str | None:
    """The state in the reply to a layout's ``state``; ``pending`` where a task has none yet, None
    where its hash is gone."""
    if not any(each is not None for each in reply):
        return None
    return STATE_PENDING if reply[0] is None else reply[0].decode(errors="replace")


def outcome_of(reply: Sequence[bytes | None]) -> TaskOutcome | None:
    """What the reply to a layout's ``state`` says, or None for a task that has not ended."""
    state = state_of(reply)
    if state is None:
        return TaskOutcome.GONE
    return _OUTCOMES.get(state)


@dataclass(frozen=True)
class QueueKey:
    """A key that holds ids of tasks: a list, or a set sorted by time."""

    key: str
    role: KeyRole
    is_sorted_set: bool = False


@dataclass(frozen=True)
class Counters:
    """Keys that count what has been done with a queue's tasks."""

    attempts: Sequence[str] = ()
    failures: Sequence[str] = ()

    @property
    def keys(self) -> Sequence[str]:
        """All of them."""
        return (*self.attempts, *self.failures)


@dataclass(frozen=True)
class Reservation:
    """A task that a worker has, and the moment at which it does something with it."""

    queue: str
    id: str
    now_s: int = 0
    """Unix time."""
    message: bytes = b""
    """The task as it was read, for layouts that rewrite it when it fails."""


class Layout(Protocol):
    """One way of laying a task queue out in Redis."""

    @property
    def name(self) -> str:
        """What ``--layout`` calls it."""
        ...

    @property
    def separator(self) -> str:
        """What stands between a parent queue and its sub-queue."""
        ...

    @property
    def needs_parent(self) -> bool:
        """Whether each queue must be the sub-queue of a parent."""
        ...

    @property
    def holds_json(self) -> bool:
        """Whether payloads must be JSON text, rather than any bytes."""
        ...

    @property
    def scripts(self) -> Sequence[str]:
        """Lua that its commands call by digest: to be loaded before the first of them."""
        ...

    def task(self, queue: str, task_id: str) -> str:
        """The key of a task's hash."""
        ...

    def keys_of(self, queue: str, task_id: str) -> Sequence[str]:
        """All keys that are one task's alone."""
        ...

    def pending(self, queue: str) -> str:
        """The key of the list of ids that wait."""
        ...

    def active(self, queue: str) -> str:
        """The key of the list of ids that a worker has."""
        ...

    def queue_keys(self, queue: str) -> Sequence[QueueKey]:
        """Every key that holds ids of a queue's tasks."""
        ...

    def counters(self, queue: str, now_s: int) -> Counters:
        """Keys of a queue that outlive its tasks, as written at that unix time."""
        ...

    def worker(self, worker_id: str) -> str:
        """The key of a worker's heartbeat."""
        ...

    def registry(self) -> str | None:
        """The key of the set of all queues' names, where there is one."""
        ...

    def enqueue(self, task: Task) -> Sequence[Command]:
        """Write the task, then make it visible to workers."""
        ...

    def load(self, queue: str, task_id: str) -> Command:
        """Read a task that was popped."""
        ...

    def read(self, replies: Sequence[Any]) -> Hashes:
        """What the replies (n,) to ``load`` say; each holds at least one field.

        Raises ValueError when a task is none of this layout.
        """
        ...

    def has_result(self, queue: str, task_id: str) -> Command:
        """Answers 1 once a task's result is stored, and 0 before."""
        ...

    def state(self, queue: str, task_id: str) -> Command:
        """Answers with a list: the task's state, and something that every task has. All of it is
        nothing where the task is gone; ``outcome_of`` reads it."""
        ...

    def successes(self, queue: str) -> tuple[str, str] | None:
        """Two counters whose difference is the number of tasks that succeeded, if there are."""
        ...

    def start(self, reservation: Reservation) -> Sequence[Command]:
        """Take a task that was popped and read."""
        ...

    def complete(self, reservation: Reservation, result: bytes | None) -> Sequence[Command]:
        """Finish a task that succeeded; ``result`` is None where results are not stored."""
        ...

    def retry(self, reservation: Reservation, delay_s: float, error: str) -> Sequence[Command]:
        """Give up this attempt; ``requeue`` follows after the delay."""
        ...

    def requeue(self, reservation: Reservation) -> Sequence[Command]:
        """Make a task that waits for its next attempt visible to workers again."""
        ...

    def archive(self, reservation: Reservation, error: str) -> Sequence[Command]:
        """Give up a task for good."""
        ...

    def put_back(self, reservation: Reservation) -> Sequence[Command]:
        """Return a task that was taken but not begun, as the next one to be popped."""
        ...


def split_queue(name: str, separator: str) -> tuple[str, str]:
    """Parent and sub-queue: ``("inference", "high")`` from ``inference_high``.

    Either part is empty when the name lacks it. The parent may itself hold the separator.
    """
    parent, found, sub_queue = name.rpartition(separator)
    return (parent, sub_queue) if found else ("", name)
