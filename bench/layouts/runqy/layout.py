"""The layout of the seed document."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.wire import layout
from bench.wire.layout import Command, Counters, KeyRole, QueueKey, Reservation
from bench.wire.task import Hashes, Task, read_hashes


@dataclass(frozen=True)
class RunqyLayout:
    """The layout of the seed document: plain queue names, and one hash name space for all tasks.

    The worker's commands and their order are those of the documented runqy worker.
    """

    name: str = "runqy"
    separator: str = "_"
    needs_parent: bool = True
    holds_json: bool = True
    scripts: Sequence[str] = ()

    def task(self, queue: str, task_id: str) -> str:
        """``asynq:t:{task_id}``."""
        return f"asynq:t:{task_id}"

    def keys_of(self, queue: str, task_id: str) -> Sequence[str]:
        """The hash and the result."""
        return (self.task(queue, task_id), self.result(task_id))

    def pending(self, queue: str) -> str:
        """``asynq:{queue}:pending``."""
        return f"asynq:{queue}:pending"

    def active(self, queue: str) -> str:
        """``asynq:{queue}:active``."""
        return f"asynq:{queue}:active"

    def queue_keys(self, queue: str) -> Sequence[QueueKey]:
        """The two lists."""
        return (
            QueueKey(self.pending(queue), KeyRole.PENDING),
            QueueKey(self.active(queue), KeyRole.ACTIVE),
        )

    def counters(self, queue: str, now_s: int) -> Counters:
        """None."""
        return Counters()

    def registry(self) -> str | None:
        """There is none."""
        return None

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

    def read(self, replies: Sequence[Any]) -> Hashes:
        """The fields as they stand."""
        return read_hashes(replies)

    def has_result(self, queue: str, task_id: str) -> Command:
        """EXISTS."""
        return ("EXISTS", self.result(task_id))

    def state(self, queue: str, task_id: str) -> Command:
        """HMGET: before a worker has it, a task has no state."""
        return ("HMGET", self.task(queue, task_id), "state", "type")

    def successes(self, queue: str) -> tuple[str, str] | None:
        """Nobody counts."""
        return None

    def start(self, reservation: Reservation) -> Sequence[Command]:
        """Onto the active list, then the state."""
        return (
            ("LPUSH", self.active(reservation.queue), reservation.id),
            ("HSET", self.task(reservation.queue, reservation.id), "state", layout.STATE_ACTIVE),
        )

    def complete(self, reservation: Reservation, result: bytes | None) -> Sequence[Command]:
        """The result where it is stored, off the active list, then the state."""
        store: Sequence[Command] = ()
        if result is not None:
            store = (("SET", self.result(reservation.id), result),)
        return (
            *store,
            ("LREM", self.active(reservation.queue), "1", reservation.id),
            ("HSET", self.task(reservation.queue, reservation.id), "state", layout.STATE_COMPLETED),
        )

    def retry(self, reservation: Reservation, delay_s: float, error: str) -> Sequence[Command]:
        """Off the active list, one retry more, then the state."""
        return (
            ("LREM", self.active(reservation.queue), "1", reservation.id),
            ("HINCRBY", self.task(reservation.queue, reservation.id), "retry", "1"),
            ("HSET", self.task(reservation.queue, reservation.id), "state", layout.STATE_RETRY),
        )

    def requeue(self, reservation: Reservation) -> Sequence[Command]:
        """The state goes first, so that it cannot overwrite what the next worker writes."""
        return (
            ("HSET", self.task(reservation.queue, reservation.id), "state", layout.STATE_PENDING),
            ("LPUSH", self.pending(reservation.queue), reservation.id),
        )

    def archive(self, reservation: Reservation, error: str) -> Sequence[Command]:
        """Off the active list, then the state and the reason."""
        return (
            ("LREM", self.active(reservation.queue), "1", reservation.id),
            ("HSET", self.task(reservation.queue, reservation.id), "state", layout.STATE_ARCHIVED),
            ("HSET", self.task(reservation.queue, reservation.id), "error", error),
        )

    def put_back(self, reservation: Reservation) -> Sequence[Command]:
        """To the popping end of the list, so that it keeps its turn."""
        return (
            ("LREM", self.active(reservation.queue), "1", reservation.id),
            ("HSET", self.task(reservation.queue, reservation.id), "state", layout.STATE_PENDING),
            ("RPUSH", self.pending(reservation.queue), reservation.id),
        )


RUNQY = RunqyLayout()
