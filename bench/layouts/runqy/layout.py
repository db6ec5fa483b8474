"""The layout in runqy's documentation.

Queues have plain names, and the hashes of all queues' tasks share one name space. The worker's
commands and their order are those of the documented runqy worker.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.wire import layout_contract
from bench.wire.layout_contract import (
    Command,
    CounterRules,
    Counters,
    KeyRole,
    QueueKey,
    Registration,
    Reservation,
)
from bench.wire.pops import ListPops
from bench.wire.task import Hashes, Task, read_hashes

_QUEUE_KEY = re.compile(r"asynq:(.+):(?:pending|active)", re.DOTALL)
_TAG = re.compile(r"\{.*\}(?::|$)", re.DOTALL)
_OTHER_KEYS = ("t:", "result:", "workers:", "servers:")
"""How keys continue that belong to no queue but may end like a queue's, since ids are arbitrary."""


@dataclass(frozen=True)
class RunqyLayout(ListPops):
    """The layout in runqy's documentation. The separator can be set, as it differs by version."""

    name: str = "runqy"
    separator: str = "_"
    needs_parent: bool = True
    has_hash_tags: bool = False
    holds_json: bool = True
    counter_rules: CounterRules = "attempts"
    has_results: bool = True
    scripts: Sequence[str] = ()
    key_pattern: str = "asynq:*"
    queue_patterns: Sequence[str] = ("asynq:*:pending", "asynq:*:active")

    def keeps_completed(self, with_result: bool) -> bool:
        """Always: nothing removes a task."""
        return True

    def task(self, queue: str, task_id: str) -> str:
        """``asynq:t:{task_id}``."""
        return f"asynq:t:{task_id}"

    def result_key(self, task_id: str) -> str:
        """``asynq:result:{task_id}``: a string."""
        return f"asynq:result:{task_id}"

    def keys_of(self, queue: str, task_id: str) -> Sequence[str]:
        """The task's hash and its result."""
        return (self.task(queue, task_id), self.result_key(task_id))

    def pending(self, queue: str) -> str:
        """``asynq:{queue}:pending``."""
        return f"asynq:{queue}:pending"

    def active(self, queue: str) -> str:
        """``asynq:{queue}:active``."""
        return f"asynq:{queue}:active"

    def queue_keys(self, queue: str) -> Sequence[QueueKey]:
        """The two lists."""
        return (
            QueueKey(self.pending(queue), KeyRole.PENDING, "pending"),
            QueueKey(self.active(queue), KeyRole.ACTIVE, "active"),
        )

    def leases(self, queue: str) -> str | None:
        """None: workers hold no leases."""
        return None

    def counters(self, queue: str, now_s: int) -> Counters:
        """No keys: nothing is counted."""
        return Counters()

    def end_counters(self, queue: str) -> tuple[str, str] | None:
        """None: nothing is counted."""
        return None

    def worker(self, worker_id: str) -> str:
        """``asynq:workers:{worker_id}``."""
        return f"asynq:workers:{worker_id}"

    def servers(self) -> str | None:
        """None: workers have heartbeats only."""
        return None

    def registrations(self) -> Sequence[Registration]:
        """None: workers count nothing."""
        return ()

    def registry(self) -> str | None:
        """None: queues are not registered."""
        return None

    def queue_of(self, key: str) -> str | None:
        """The queue of ``asynq:{queue}:pending`` or ``:active``.

        None if the key belongs to a task, or has the braces of the asynq layout.
        """
        found = _QUEUE_KEY.fullmatch(key)
        if found is None or found[1].startswith(_OTHER_KEYS) or _TAG.match(found[1]):
            return None
        return found[1]

    def enqueue(self, task: Task) -> Sequence[Command]:
        """HSET before LPUSH, because a worker that pops an id without a hash has lost the task."""
        pairs = [argument for pair in task.fields() for argument in pair]
        return (
            ("HSET", self.task(task.queue, task.id), *pairs),
            ("LPUSH", self.pending(task.queue), task.id),
        )

    def load(self, queue: str, task_id: str) -> Command:
        """HGETALL of the task's hash."""
        return ("HGETALL", self.task(queue, task_id))

    def read(self, replies: Sequence[Any]) -> Hashes:
        """The plain fields as they are. Raises ValueError for a number that is none."""
        return read_hashes(replies)

    def start(self, reservation: Reservation) -> Sequence[Command]:
        """Adds the id to the active list, then sets the state."""
        return (
            ("LPUSH", self.active(reservation.queue), reservation.id),
            self._set_state(reservation, layout_contract.STATE_ACTIVE),
        )

    def complete(self, reservation: Reservation, result: bytes | None) -> Sequence[Command]:
        """Stores the result if there is one, removes the id from the active list, then sets the
        state."""
        store: Sequence[Command] = ()
        if result is not None:
            store = (("SET", self.result_key(reservation.id), result),)
        return (
            *store,
            self._remove_active(reservation),
            self._set_state(reservation, layout_contract.STATE_COMPLETED),
        )

    def retry(self, reservation: Reservation, delay_s: float, error: str) -> Sequence[Command]:
        """Removes the id from the active list, counts the retry, then sets the state."""
        return (
            self._remove_active(reservation),
            ("HINCRBY", self.task(reservation.queue, reservation.id), "retry", "1"),
            self._set_state(reservation, layout_contract.STATE_RETRY),
        )

    def requeue(self, reservation: Reservation) -> Sequence[Command]:
        """Sets the state before it pushes the id, so that it cannot overwrite the state that the
        next worker writes."""
        return (
            self._set_state(reservation, layout_contract.STATE_PENDING),
            ("LPUSH", self.pending(reservation.queue), reservation.id),
        )

    def archive(self, reservation: Reservation, error: str) -> Sequence[Command]:
        """Removes the id from the active list, then sets the state and the reason."""
        return (
            self._remove_active(reservation),
            self._set_state(reservation, layout_contract.STATE_ARCHIVED),
            ("HSET", self.task(reservation.queue, reservation.id), "error", error),
        )

    def put_back(self, reservation: Reservation) -> Sequence[Command]:
        """Pushes the id at the end that workers pop, so that the task keeps its turn."""
        return (
            self._remove_active(reservation),
            self._set_state(reservation, layout_contract.STATE_PENDING),
            ("RPUSH", self.pending(reservation.queue), reservation.id),
        )

    def state(self, queue: str, task_id: str) -> Command:
        """HMGET of the state, and of the type because a task has no state before a worker takes
        it."""
        return ("HMGET", self.task(queue, task_id), "state", "type")

    def has_result(self, queue: str, task_id: str) -> Command:
        """EXISTS of the result's key."""
        return ("EXISTS", self.result_key(task_id))

    def result(self, queue: str, task_id: str) -> Command:
        """GET of the result's key."""
        return ("GET", self.result_key(task_id))

    def _remove_active(self, reservation: Reservation) -> Command:
        return ("LREM", self.active(reservation.queue), "1", reservation.id)

    def _set_state(self, reservation: Reservation, state: str) -> Command:
        return ("HSET", self.task(reservation.queue, reservation.id), "state", state)


RUNQY = RunqyLayout()
