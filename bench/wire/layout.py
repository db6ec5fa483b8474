"""Where a queue keeps its things in Redis, and the commands that move a task through it.

A layout is a value that everything else takes: producers, workers and clean-up never spell a key.
Commands are tuples of arguments, in the order in which they must reach the server.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bench.wire.task import Task

Argument = str | bytes
Command = tuple[Argument, ...]

STATE_ACTIVE = "active"
STATE_COMPLETED = "completed"
STATE_PENDING = "pending"
STATE_RETRY = "retry"
STATE_ARCHIVED = "archived"


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

    def task(self, queue: str, task_id: str) -> str:
        """The key of a task's hash."""
        ...

    def pending(self, queue: str) -> str:
        """The key of the list of ids that wait."""
        ...

    def active(self, queue: str) -> str:
        """The key of the list of ids that a worker has."""
        ...

    def result(self, task_id: str) -> str:
        """The key of a task's result, where results are stored."""
        ...

    def worker(self, worker_id: str) -> str:
        """The key of a worker's heartbeat."""
        ...

    def enqueue(self, task: Task) -> Sequence[Command]:
        """Write the task, then make it visible to workers."""
        ...

    def load(self, queue: str, task_id: str) -> Command:
        """Read a task that was popped."""
        ...

    def start(self, queue: str, task_id: str) -> Sequence[Command]:
        """Take a task that was popped and read."""
        ...

    def complete(self, queue: str, task_id: str, result: bytes | None) -> Sequence[Command]:
        """Finish a task that succeeded; ``result`` is None where results are not stored."""
        ...

    def retry(self, queue: str, task_id: str) -> Sequence[Command]:
        """Give up this attempt; ``requeue`` follows after the delay."""
        ...

    def requeue(self, queue: str, task_id: str) -> Sequence[Command]:
        """Make a task that waits for its next attempt visible to workers again."""
        ...

    def archive(self, queue: str, task_id: str, error: str) -> Sequence[Command]:
        """Give up a task for good."""
        ...

    def put_back(self, queue: str, task_id: str) -> Sequence[Command]:
        """Return a task that was taken but not begun, as the next one to be popped."""
        ...


@dataclass(frozen=True)
class RunqyLayout:
    """The layout of the seed document: plain queue names, and one hash name space for all tasks.

    The worker's commands and their order are those of the documented runqy worker.
    """

    name: str = "runqy"
    separator: str = "_"

    def task(self, queue: str, task_id: str) -> str:
        """``asynq:t:{task_id}``."""
        return f"asynq:t:{task_id}"

    def pending(self, queue: str) -> str:
        """``asynq:{queue}:pending``."""
        return f"asynq:{queue}:pending"

    def active(self, queue: str) -> str:
        """``asynq:{queue}:active``."""
        return f"asynq:{queue}:active"

    def result(self, task_id: str) -> str:
        """``asynq:result:{task_id}``."""
        return f"asynq:result:{task_id}"

    def worker(self, worker_id: str) -> str:
        """``asynq:workers:{worker_id}``."""
        return f"asynq:workers:{worker_id}"

    def enqueue(self, task: Task) -> Sequence[Command]:
        """HSET before LPUSH: a worker that pops an id without a hash has lost the task."""
        pairs = [argument for pair in task.fields() for argument in pair]
        return (
            ("HSET", self.task(task.queue, task.id), *pairs),
            ("LPUSH", self.pending(task.queue), task.id),
        )

    def load(self, queue: str, task_id: str) -> Command:
        """HGETALL."""
        return ("HGETALL", self.task(queue, task_id))

    def start(self, queue: str, task_id: str) -> Sequence[Command]:
        """Onto the active list, then the state."""
        return (
            ("LPUSH", self.active(queue), task_id),
            ("HSET", self.task(queue, task_id), "state", STATE_ACTIVE),
        )

    def complete(self, queue: str, task_id: str, result: bytes | None) -> Sequence[Command]:
        """The result where it is stored, off the active list, then the state."""
        store: Sequence[Command] = ()
        if result is not None:
            store = (("SET", self.result(task_id), result),)
        return (
            *store,
            ("LREM", self.active(queue), "1", task_id),
            ("HSET", self.task(queue, task_id), "state", STATE_COMPLETED),
        )

    def retry(self, queue: str, task_id: str) -> Sequence[Command]:
        """Off the active list, one retry more, then the state."""
        return (
            ("LREM", self.active(queue), "1", task_id),
            ("HINCRBY", self.task(queue, task_id), "retry", "1"),
            ("HSET", self.task(queue, task_id), "state", STATE_RETRY),
        )

    def requeue(self, queue: str, task_id: str) -> Sequence[Command]:
        """The state goes first, so that it cannot overwrite what the next worker writes."""
        return (
            ("HSET", self.task(queue, task_id), "state", STATE_PENDING),
            ("LPUSH", self.pending(queue), task_id),
        )

    def archive(self, queue: str, task_id: str, error: str) -> Sequence[Command]:
        """Off the active list, then the state and the reason."""
        return (
            ("LREM", self.active(queue), "1", task_id),
            ("HSET", self.task(queue, task_id), "state", STATE_ARCHIVED),
            ("HSET", self.task(queue, task_id), "error", error),
        )

    def put_back(self, queue: str, task_id: str) -> Sequence[Command]:
        """To the popping end of the list, so that it keeps its turn."""
        return (
            ("LREM", self.active(queue), "1", task_id),
            ("HSET", self.task(queue, task_id), "state", STATE_PENDING),
            ("RPUSH", self.pending(queue), task_id),
        )


RUNQY = RunqyLayout()

LAYOUTS: dict[str, Layout] = {RUNQY.name: RUNQY}


def split_queue(name: str, separator: str) -> tuple[str, str]:
    """Parent and sub-queue: ``("inference", "high")`` from ``inference_high``.

    Either part is empty when the name lacks it. The parent may itself hold the separator.
    """
    parent, found, sub_queue = name.rpartition(separator)
    return (parent, sub_queue) if found else ("", name)
