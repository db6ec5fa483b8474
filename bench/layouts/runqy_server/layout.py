"""The layout that today's runqy server and its workers write.

Keys and messages are asynq's. The server adds four fields to a task's hash, which say how long the
task may take and how long it is kept, and a reverse key that leads from a task's id to its queue.
The worker counts successes and final failures only, and keeps the number of retries in a field.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.layouts.asynq import codec
from bench.layouts.asynq.layout import AsynqLayout
from bench.layouts.runqy_server import lua_scripts
from bench.wire.layout_contract import Command, CounterRules, QueueKey, Reservation
from bench.wire.pops import UNREADABLE
from bench.wire.task import Task, attempts

LEASE_S = 120
"""Seconds for which runqy's worker leases a task."""
REVERSE_S = 30 * 24 * 3600
"""Seconds for which the server keeps a reverse key, until a worker gives it the task's time."""
COMPLETED_S = 24 * 3600
"""Seconds for which a completed task is kept if results are stored."""
ARCHIVED_S = 72 * 3600
"""Seconds for which an archived task is kept."""
LIFECYCLE = {
    "ttl_completed": str(COMPLETED_S),
    "ttl_archived": str(ARCHIVED_S),
    "pending_timeout": "0",
    "active_timeout": "0",
}
"""The fields that the server adds to a task's hash, with its defaults: seconds, as text."""
_LIFECYCLE_PAIRS = tuple(text for pair in LIFECYCLE.items() for text in pair)


@dataclass(frozen=True)
class RunqyServerLayout(AsynqLayout):
    """The layout of runqy's server and worker, with or without a check for duplicates.

    The server adds its fields and the reverse key after it has enqueued the task. Here they are
    written before the id is pushed, so that no worker can read a task without them. The server also
    adds the queue's name to the registry, once per request; a run does so once, before it starts.

    The built-in worker sends the commands of runqy's worker, with the times of ``LIFECYCLE``
    whatever the task's own fields say.
    """

    lease_s: int = LEASE_S
    name: str = "runqy-server"
    holds_json: bool = True
    counter_rules: CounterRules = "tasks"

    @property
    def scripts(self) -> Sequence[str]:
        """The scripts of all moves."""
        return [script.text for script in lua_scripts.ALL]

    def reverse_key(self, task_id: str) -> str:
        """``asynq:t:{task_id}``: a hash whose field ``queue`` names the task's queue."""
        return f"asynq:t:{task_id}"

    def keys_of(self, queue: str, task_id: str) -> Sequence[str]:
        """The task's hash, which also holds the result, and the reverse key."""
        return (self.task(queue, task_id), self.reverse_key(task_id))

    def queue_keys(self, queue: str) -> Sequence[QueueKey]:
        """Those of asynq; the hashes of archived tasks expire as well."""
        return [
            replace(key, may_expire=True) if key.name == "archived" else key
            for key in super().queue_keys(queue)
        ]

    def enqueue(self, task: Task) -> Sequence[Command]:
        """Writes the hash, then the reverse key, then the list; in one script if duplicates are
        refused.

        The hash is written first, so that an event about either key comes when there is a task.
        """
        reverse = self.reverse_key(task.id)
        if self.duplicate_check:
            keys = (self.task(task.queue, task.id), self.pending(task.queue), reverse)
            since_ns = f"{task.sent_us}000"
            enqueued = (self._message(task), since_ns, task.id, task.queue, str(REVERSE_S))
            return (lua_scripts.ENQUEUE_UNIQUE.call(keys, (*enqueued, *_LIFECYCLE_PAIRS)),)
        write, push = super().enqueue(task)
        return (
            write,
            ("HSET", self.task(task.queue, task.id), *_LIFECYCLE_PAIRS),
            ("HSET", reverse, "queue", task.queue),
            ("EXPIRE", reverse, str(REVERSE_S)),
            push,
        )

    def complete(self, reservation: Reservation, result: bytes | None) -> Sequence[Command]:
        """Deletes the task, and leaves the reverse key; or keeps both for ``COMPLETED_S``."""
        counts = self._count(reservation, "processed")
        if result is None:
            own = (*self._held(reservation), self.task(reservation.queue, reservation.id))
            return (lua_scripts.FORGET.call(own, (reservation.id,)), *counts)
        times = self._kept_for(reservation, COMPLETED_S)
        completion = codec.completion(reservation.now_s)
        keys = self._moved_to(reservation, "completed")
        return (
            lua_scripts.KEEP.call(keys, (*times, completion, result)),
            self._keep_reverse(reservation, COMPLETED_S),
            *counts,
        )

    def retry(self, reservation: Reservation, delay_s: float, error: str) -> Sequence[Command]:
        """Moves the id to the set of tasks that wait for their next attempt. Counts nothing, and
        stores no reason."""
        due_s = str(int(reservation.now_s + delay_s))
        message = _retried(reservation)
        arguments = (reservation.id, due_s, str(reservation.now_s), message)
        return (lua_scripts.RETRY.call(self._moved_to(reservation, "retry"), arguments),)

    def requeue(self, reservation: Reservation) -> Sequence[Command]:
        """As asynq's, but the time since which the task is pending is in seconds, as runqy's worker
        writes it."""
        (command,) = super().requeue(reservation)
        return ((*command[:-1], str(reservation.now_s)),)

    def archive(self, reservation: Reservation, error: str) -> Sequence[Command]:
        """Moves the id to the set of archived tasks, and keeps the task for ``ARCHIVED_S``."""
        arguments = (*self._kept_for(reservation, ARCHIVED_S), error)
        return (
            lua_scripts.ARCHIVE.call(self._moved_to(reservation, "archived"), arguments),
            self._keep_reverse(reservation, ARCHIVED_S),
            *self._count(reservation, "failed"),
        )

    def set_aside(self, reservation: Reservation, fields: Sequence[bytes]) -> Sequence[Command]:
        """Archives the task; its message, which this does not write, is left as it is."""
        return self.archive(reservation, UNREADABLE)

    def _message(self, task: Task) -> bytes:
        """What the server writes: the queue's name is also the task's type."""
        return codec.encode(replace(task, type=task.queue), retention_s=COMPLETED_S)

    def _read_one(self, fields: Mapping[bytes, bytes]) -> Task:
        """The task with the retries of its message or of its field ``retried``: the larger."""
        task = super()._read_one(fields)
        retried = fields.get(b"retried", b"")
        return (
            replace(task, retry=max(task.retry, attempts(retried))) if retried.isdigit() else task
        )

    def _held(self, reservation: Reservation) -> tuple[str, str]:
        return self.active(reservation.queue), self._key(reservation.queue, "lease")

    def _moved_to(self, reservation: Reservation, set_name: str) -> tuple[str, ...]:
        queue = reservation.queue
        key = self._key(queue, set_name)
        return (*self._held(reservation), key, self.task(queue, reservation.id))

    def _kept_for(self, reservation: Reservation, kept_s: int) -> tuple[str, ...]:
        now_s = reservation.now_s
        return (reservation.id, str(now_s), str(now_s + kept_s), str(kept_s))

    def _keep_reverse(self, reservation: Reservation, kept_s: int) -> Command:
        return ("EXPIRE", self.reverse_key(reservation.id), str(kept_s))

    def _count(self, reservation: Reservation, name: str) -> Sequence[Command]:
        totals = self._totals(reservation.queue, name, reservation.now_s)
        return [("INCR", key) for key in totals]


def _retried(reservation: Reservation) -> bytes:
    """The message as runqy's worker rewrites it: with one retry more, and without a time-out."""
    task = codec.read(reservation.id, {b"msg": reservation.message})
    own_id = reservation.id if codec.is_text(reservation.id) else task.id
    again = replace(task, id=own_id, retry=task.retry + 1)
    return codec.encode(again, timeout_s=0)


RUNQY_SERVER = RunqyServerLayout()
RUNQY_SERVER_UNIQUE = RunqyServerLayout(duplicate_check=True)
