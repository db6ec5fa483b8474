"""The layout contract: which keys a task queue has in Redis, and which commands move a task.

A layout is a pure value. Producers, workers, clean-up and ``bench verify`` take one and never
spell a key or a queue command themselves. A command is a tuple of arguments; where a method
returns several, they must reach the server in that order. ``docs/layouts.md`` describes how a
layout is added.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Literal, Protocol

from bench.wire.task import Hashes, Task

Argument = str | bytes
Command = tuple[Argument, ...]

STATE_ACTIVE = "active"
STATE_COMPLETED = "completed"
STATE_PENDING = "pending"
STATE_RETRY = "retry"
STATE_ARCHIVED = "archived"


class KeyRole(Enum):
    """What it means for a task's id to be under a key."""

    PENDING = auto()
    """The task waits for a worker, or for its next attempt."""
    ACTIVE = auto()
    """A worker has the task."""
    ELSEWHERE = auto()
    """The task has ended, or its id is also under a key of one of the other roles."""


class TaskOutcome(Enum):
    """How a task ended, as far as its hash shows."""

    COMPLETED = auto()
    ARCHIVED = auto()
    GONE = auto()
    """The hash does not exist (any more). A task that was enqueued has ended, well or not: some
    workers delete what failed for good, too, and hashes expire."""


_OUTCOMES = {STATE_COMPLETED: TaskOutcome.COMPLETED, STATE_ARCHIVED: TaskOutcome.ARCHIVED}


def state_of(reply: Sequence[bytes | None]) -> str | None:
    """Returns the state in a reply to ``Layout.state``.

    A task without a state yet is ``pending``; None means that its hash does not exist.
    """
    if not any(each is not None for each in reply):
        return None
    return STATE_PENDING if reply[0] is None else reply[0].decode(errors="replace")


def outcome_of(reply: Sequence[bytes | None]) -> TaskOutcome | None:
    """Returns how a task ended, from a reply to ``Layout.state``; None if it has not ended."""
    state = state_of(reply)
    if state is None:
        return TaskOutcome.GONE
    return _OUTCOMES.get(state)


@dataclass(frozen=True)
class QueueKey:
    """A key that holds ids of one queue's tasks: a list, or a sorted set."""

    key: str
    role: KeyRole
    name: str
    """What reports call it. The two lists that workers use are called ``pending`` and ``active``
    in every layout, whatever their keys are."""
    is_sorted_set: bool = False
    pops_from_head: bool = False
    """Whether workers pop the first id of the list rather than the last one."""
    may_expire: bool = False
    """Whether a task's hash may expire before its id is removed from here."""

    @property
    def length(self) -> Command:
        """Answers the number of ids."""
        return ("ZCARD" if self.is_sorted_set else "LLEN", self.key)

    def range(self, start: int, stop: int) -> Command:
        """Answers the ids [start, stop), counted from the first."""
        return ("ZRANGE" if self.is_sorted_set else "LRANGE", self.key, str(start), str(stop - 1))

    def next_popped(self, start: int, stop: int) -> Command:
        """Answers the ids [start, stop), counted from the end that workers pop; see ``in_turn``."""
        return self.range(start, stop) if self.pops_from_head else self.range(-stop, -start)

    def in_turn(self, reply: Sequence[bytes]) -> list[bytes]:
        """Returns the ids of a reply to ``next_popped``, the one that is popped next first."""
        return list(reply) if self.pops_from_head else list(reply[::-1])


@dataclass(frozen=True)
class Counters:
    """Keys that count a queue's attempts. They outlive its tasks."""

    attempts: Sequence[str] = ()
    failures: Sequence[str] = ()

    @property
    def keys(self) -> Sequence[str]:
        """All keys of both kinds."""
        return (*self.attempts, *self.failures)


CounterRules = Literal["attempts", "tasks"]
"""What the totals of a queue count.

``attempts``: processed are the attempts that ended, failed ones too, and failed those that failed.
``tasks``: processed are the tasks that succeeded, and failed those that failed for good.
"""


@dataclass(frozen=True)
class Registration:
    """A sorted set in which workers of one kind register while they are alive."""

    key: str
    rules: CounterRules
    """What the counters mean that these workers keep."""
    query: Callable[[str], Command]
    """Answers a text about one member; nothing if the worker is gone."""
    serves: Callable[[bytes, str], bool]
    """Whether that text names a queue."""


@dataclass(frozen=True)
class Reservation:
    """A task that a worker has, and the time at which the worker acts on it."""

    queue: str
    id: str
    now_s: int = 0
    """Unix time in seconds."""
    message: bytes = b""
    """The whole task as it was read, for layouts that rewrite it after a failed attempt. It is
    empty while a worker lays out its templates: a move then has the same number of commands."""


class Layout(Protocol):
    """One way to lay out a task queue in Redis. A task is a hash; queues hold ids of tasks."""

    # What the layout can do.

    @property
    def name(self) -> str:
        """The name that ``--layout`` takes."""
        ...

    @property
    def separator(self) -> str:
        """The text between a parent queue and its sub-queue."""
        ...

    @property
    def needs_parent(self) -> bool:
        """Whether each queue must be a sub-queue of a parent."""
        ...

    @property
    def has_hash_tags(self) -> bool:
        """Whether the keys put a queue's name in braces, as the hash tag of a cluster."""
        ...

    @property
    def holds_json(self) -> bool:
        """Whether payloads must be JSON text rather than arbitrary bytes."""
        ...

    @property
    def has_results(self) -> bool:
        """Whether a completed task's result can be stored."""
        ...

    def keeps_completed(self, with_result: bool) -> bool:
        """Whether the hash of a completed task stays in the server for longer than a run."""
        ...

    @property
    def scripts(self) -> Sequence[str]:
        """Lua scripts that the commands call by digest; they must be loaded before the first."""
        ...

    # Keys.

    def task(self, queue: str, task_id: str) -> str:
        """The key of a task's hash."""
        ...

    def keys_of(self, queue: str, task_id: str) -> Sequence[str]:
        """All keys that belong to one task alone. Each ends with the task's id."""
        ...

    def pending(self, queue: str) -> str:
        """The key of the list of ids that wait for a worker."""
        ...

    def active(self, queue: str) -> str:
        """The key of the list of ids that workers have."""
        ...

    def queue_keys(self, queue: str) -> Sequence[QueueKey]:
        """All keys that hold ids of a queue's tasks, in the order in which reports show them.

        A task is read from a later key before an earlier one, so they stand in the order in which
        a task passes through them.
        """
        ...

    def leases(self, queue: str) -> str | None:
        """The key of the sorted set of active ids by the end of their lease (Unix time in
        seconds), which is one of ``queue_keys``; None if workers hold no leases."""
        ...

    def counters(self, queue: str, now_s: int) -> Counters:
        """The counters that are written at that Unix time."""
        ...

    def end_counters(self, queue: str) -> tuple[str, str] | None:
        """The totals of what was processed and of what failed; None if there are none.

        What they count depends on who keeps them: see ``CounterRules``.
        """
        ...

    def worker(self, worker_id: str) -> str:
        """The key of a worker's heartbeat: a hash whose field ``queue`` names what it serves."""
        ...

    def servers(self) -> str | None:
        """The key of the sorted set in which servers note until when (Unix time in seconds) they
        are to be considered alive; None if there is none."""
        ...

    @property
    def counter_rules(self) -> CounterRules:
        """What the layout's own moves count in ``end_counters``, where there are any."""
        ...

    def registrations(self) -> Sequence[Registration]:
        """Where workers register that keep ``end_counters``; empty if nowhere."""
        ...

    def registry(self) -> str | None:
        """The key of the set of all queue names; None if there is none."""
        ...

    @property
    def key_pattern(self) -> str:
        """A pattern that every key of the layout matches."""
        ...

    @property
    def queue_patterns(self) -> Sequence[str]:
        """Patterns that the keys of pending and active ids match, for SCAN."""
        ...

    def queue_of(self, key: str) -> str | None:
        """The queue whose pending or active ids this key holds.

        Returns None for any other key that matches ``queue_patterns``, such as those of other
        layouts.
        """
        ...

    # Enqueue.

    def enqueue(self, task: Task) -> Sequence[Command]:
        """Writes the task, then makes it visible to workers.

        The number of commands is the same for all tasks, the payload stands in one of them as it
        is, and the last one answers the length of the pending list.
        """
        ...

    # Consume.

    @property
    def pop_many_command(self) -> str | None:
        """The server command that ``pop_many`` uses, which old servers may lack; None if the
        layout has no ``pop_many``. Workers then use ``pop_one`` and ``pop_more``."""
        ...

    def pop_one(self, queues: Sequence[str], block_s: int) -> Command:
        """Pops an id of the first of these queues that has one; waits up to ``block_s`` for it."""
        ...

    def pop_many(self, queues: Sequence[str], count: int, block_s: int) -> Command:
        """Pops up to ``count`` ids of the first of these queues that has any; waits up to
        ``block_s`` for them."""
        ...

    def pop_more(self, queue: str, count: int) -> Command:
        """Pops up to ``count`` ids of a queue without waiting. Answers a list, the id itself where
        ``count`` is one, or nothing."""
        ...

    def popped(self, reply: Any) -> tuple[bytes, Sequence[bytes]] | None:
        """Returns the pending key and the ids of a reply to ``pop_one`` or ``pop_many``; None if
        all queues stayed empty."""
        ...

    def load(self, queue: str, task_id: str) -> Command:
        """Reads a task that was popped. Answers nothing, or an empty list, if it does not exist."""
        ...

    def read(self, replies: Sequence[Any]) -> Hashes:
        """Returns what the replies (n,) to ``load`` hold; none of them is empty.

        Raises ValueError if one of them is not a task of this layout.
        """
        ...

    def start(self, reservation: Reservation) -> Sequence[Command]:
        """Marks a task that was popped and read as active."""
        ...

    def complete(self, reservation: Reservation, result: bytes | None) -> Sequence[Command]:
        """Ends a task that succeeded; ``result`` is None if results are not stored."""
        ...

    def retry(self, reservation: Reservation, delay_s: float, error: str) -> Sequence[Command]:
        """Ends a failed attempt; ``requeue`` follows after the delay."""
        ...

    def requeue(self, reservation: Reservation) -> Sequence[Command]:
        """Makes a task that waits for its next attempt visible to workers again."""
        ...

    def archive(self, reservation: Reservation, error: str) -> Sequence[Command]:
        """Ends a task whose last attempt failed."""
        ...

    def set_aside(self, reservation: Reservation, fields: Sequence[bytes]) -> Sequence[Command]:
        """Ends a task that was popped and never started, because ``read`` refuses it.

        ``fields`` is what ``load`` answered. The base class ``ListPops`` archives it.
        """
        ...

    def put_back(self, reservation: Reservation) -> Sequence[Command]:
        """Returns a task that was started but not worked on, as the next one to be popped."""
        ...

    # Inspect.

    def state(self, queue: str, task_id: str) -> Command:
        """Answers a list that ``state_of`` and ``outcome_of`` read: the task's state, then any
        field that every task has. All values are nothing if the task's hash does not exist."""
        ...

    def has_result(self, queue: str, task_id: str) -> Command:
        """Answers 1 if the task's result is stored, else 0."""
        ...

    def result(self, queue: str, task_id: str) -> Command:
        """Answers the stored result, or nothing."""
        ...


def pending_key(layout: Layout, queue: str) -> QueueKey:
    """The key of a queue's waiting ids, with its type."""
    pending = layout.pending(queue)
    return next(each for each in layout.queue_keys(queue) if each.key == pending)


def split_queue(name: str, separator: str) -> tuple[str, str]:
    """Returns parent and sub-queue: ``("inference", "high")`` for ``inference_high``.

    Either part is empty if the name lacks it. The parent may contain the separator.
    """
    parent, found, sub_queue = name.rpartition(separator)
    return (parent, sub_queue) if found else ("", name)
