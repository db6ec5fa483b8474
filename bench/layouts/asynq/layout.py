"""The layout of hibiken/asynq and of today's runqy workers.

A queue's keys share one hash tag, so that they lie on one slot of a cluster. The task is one
protobuf message; workers hold a lease on what they have taken, and count what they have done.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.layouts.asynq import codec, lua_scripts
from bench.layouts.asynq.lua_scripts import Script
from bench.wire import layout
from bench.wire.layout import Argument, Command, Counters, KeyRole, QueueKey, Reservation
from bench.wire.task import Hashes, Task

LEASE_S = 30
"""How long a worker may be silent about a task before others may take it."""
RETENTION_S = 24 * 3600
"""For how long a completed task is kept where results are stored."""
_STATISTICS_S = 90 * 24 * 3600
"""For how long the counters of a day are kept."""


@dataclass(frozen=True)
class AsynqLayout:
    """``duplicate_check``: whether an id that is there already is refused, as asynq's client does
    with a script; without it the same two commands run as they are."""

    duplicate_check: bool = False
    name: str = "asynq"
    separator: str = "."
    needs_parent: bool = False
    holds_json: bool = False

    @property
    def scripts(self) -> Sequence[str]:
        """All moves."""
        return [script.text for script in lua_scripts.ALL]

    def task(self, queue: str, task_id: str) -> str:
        """``asynq:{queue}:t:id``, with the braces."""
        return self._key(queue, f"t:{task_id}")

    def keys_of(self, queue: str, task_id: str) -> Sequence[str]:
        """The hash, which also holds the result."""
        return (self.task(queue, task_id),)

    def pending(self, queue: str) -> str:
        """``asynq:{queue}:pending``, with the braces."""
        return self._key(queue, "pending")

    def active(self, queue: str) -> str:
        """``asynq:{queue}:active``, with the braces."""
        return self._key(queue, "active")

    def queue_keys(self, queue: str) -> Sequence[QueueKey]:
        """Two lists and five sorted sets."""

        def sorted_set(name: str, role: KeyRole) -> QueueKey:
            return QueueKey(self._key(queue, name), role, is_sorted_set=True)

        return (
            QueueKey(self.pending(queue), KeyRole.PENDING),
            QueueKey(self.active(queue), KeyRole.ACTIVE),
            sorted_set("scheduled", KeyRole.PENDING),
            sorted_set("retry", KeyRole.PENDING),
            sorted_set("lease", KeyRole.ELSEWHERE),
            sorted_set("completed", KeyRole.ELSEWHERE),
            sorted_set("archived", KeyRole.ELSEWHERE),
        )

    def counters(self, queue: str, now_s: int) -> Counters:
        """Totals, and those of the day."""
        return Counters(
            attempts=self._totals(queue, "processed", now_s),
            failures=self._totals(queue, "failed", now_s),
        )

    def registry(self) -> str | None:
        """``asynq:queues``."""
        return "asynq:queues"

    def worker(self, worker_id: str) -> str:
        """``asynq:workers:{worker_id}``."""
        return f"asynq:workers:{worker_id}"

    def enqueue(self, task: Task) -> Sequence[Command]:
        """The hash, then the list; in one script where duplicates are refused."""
        key, pending = self.task(task.queue, task.id), self.pending(task.queue)
        message, since_ns = codec.encode(task), f"{task.sent_us}000"
        if self.duplicate_check:
            script = lua_scripts.ENQUEUE_UNIQUE
            return (_call(script, (key, pending), (message, since_ns, task.id)),)
        state = layout.STATE_PENDING
        return (
            ("HSET", key, "msg", message, "state", state, "pending_since", since_ns),
            ("LPUSH", pending, task.id),
        )

    def load(self, queue: str, task_id: str) -> Command:
        """HGETALL."""
        return ("HGETALL", self.task(queue, task_id))

    def read(self, replies: Sequence[Any]) -> Hashes:
        """From the messages. Raises ValueError."""
        hashes = [dict(zip(pairs[::2], pairs[1::2], strict=True)) for pairs in replies]
        tasks = [codec.read("that was popped", fields) for fields in hashes]
        return Hashes(
            payloads=[task.payload for task in tasks],
            retries=[task.retry for task in tasks],
            limits=[task.max_retry for task in tasks],
            messages=[
                fields.get(b"msg") or codec.encode(task)
                for fields, task in zip(hashes, tasks, strict=True)
            ],
        )

    def has_result(self, queue: str, task_id: str) -> Command:
        """HEXISTS: the result lies with the task."""
        return ("HEXISTS", self.task(queue, task_id), "result")

    def state(self, queue: str, task_id: str) -> Command:
        """HMGET: every task has a state."""
        return ("HMGET", self.task(queue, task_id), "state")

    def successes(self, queue: str) -> tuple[str, str] | None:
        """Attempts, and those that failed."""
        return self._key(queue, "processed"), self._key(queue, "failed")

    def start(self, reservation: Reservation) -> Sequence[Command]:
        """Onto the active list, with a lease."""
        queue = reservation.queue
        keys = (self.active(queue), self._key(queue, "lease"), self.task(queue, reservation.id))
        return (_call(lua_scripts.START, keys, (reservation.id, str(reservation.now_s + LEASE_S))),)

    def complete(self, reservation: Reservation, result: bytes | None) -> Sequence[Command]:
        """Deleted; or with the result kept, for as long as results are."""
        if result is None:
            return (
                _call(
                    lua_scripts.FORGET, self._end_keys(reservation), self._end_words(reservation)
                ),
            )
        keys = (*self._end_keys(reservation), self._key(reservation.queue, "completed"))
        words = (str(reservation.now_s), str(reservation.now_s + RETENTION_S), result)
        return (_call(lua_scripts.KEEP, keys, (*self._end_words(reservation), *words)),)

    def retry(self, reservation: Reservation, delay_s: float, error: str) -> Sequence[Command]:
        """To the set of those that wait for their next attempt."""
        message = self._failed(reservation, error, retried=True)
        due_s = str(int(reservation.now_s + delay_s))
        return (self._fail(reservation, "retry", due_s, message, layout.STATE_RETRY),)

    def requeue(self, reservation: Reservation) -> Sequence[Command]:
        """From that set back to the list."""
        queue = reservation.queue
        keys = (self._key(queue, "retry"), self.pending(queue), self.task(queue, reservation.id))
        return (
            _call(lua_scripts.REQUEUE, keys, (reservation.id, f"{reservation.now_s}000000000")),
        )

    def archive(self, reservation: Reservation, error: str) -> Sequence[Command]:
        """To the set of those given up."""
        message = self._failed(reservation, error, retried=False)
        now_s = str(reservation.now_s)
        return (self._fail(reservation, "archived", now_s, message, layout.STATE_ARCHIVED),)

    def put_back(self, reservation: Reservation) -> Sequence[Command]:
        """To the popping end of the list, without the lease."""
        queue = reservation.queue
        keys = (
            self.active(queue),
            self._key(queue, "lease"),
            self.pending(queue),
            self.task(queue, reservation.id),
        )
        return (_call(lua_scripts.PUT_BACK, keys, (reservation.id,)),)

    def _failed(self, reservation: Reservation, error: str, *, retried: bool) -> bytes:
        return codec.failed(
            reservation.id, reservation.message, error, reservation.now_s, retried=retried
        )

    def _fail(
        self, reservation: Reservation, set_name: str, score: str, message: bytes, state: str
    ) -> Command:
        failed = self._totals(reservation.queue, "failed", reservation.now_s)
        keys = (*self._end_keys(reservation), *failed, self._key(reservation.queue, set_name))
        return _call(lua_scripts.FAIL, keys, (*self._end_words(reservation), score, message, state))

    def _end_keys(self, reservation: Reservation) -> tuple[str, ...]:
        queue = reservation.queue
        return (
            self.active(queue),
            self._key(queue, "lease"),
            self.task(queue, reservation.id),
            *self._totals(queue, "processed", reservation.now_s),
        )

    def _end_words(self, reservation: Reservation) -> tuple[str, ...]:
        return (reservation.id, str(reservation.now_s + _STATISTICS_S))

    def _totals(self, queue: str, name: str, now_s: int) -> tuple[str, str]:
        day = datetime.datetime.fromtimestamp(now_s, datetime.UTC).strftime("%Y-%m-%d")
        return self._key(queue, name), self._key(queue, f"{name}:{day}")

    def _key(self, queue: str, name: str) -> str:
        return f"asynq:{{{queue}}}:{name}"


def _call(script: Script, keys: Sequence[str], words: Sequence[Argument]) -> Command:
    if len(keys) != script.keys:
        raise ValueError(f"this script takes {script.keys} keys, not {len(keys)}")
    return ("EVALSHA", script.digest, str(script.keys), *keys, *words)


ASYNQ = AsynqLayout()
ASYNQ_UNIQUE = AsynqLayout(duplicate_check=True)
