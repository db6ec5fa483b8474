"""The layout of hibiken/asynq and of today's runqy workers.

A queue's keys share one hash tag, so that they lie in one slot of a cluster. The task is one
protobuf message. Workers hold a lease on the tasks they have taken, and count their attempts.
"""

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.layouts.asynq import codec, lua_scripts
from bench.wire import layout_contract
from bench.wire.layout_contract import (
    Argument,
    Command,
    CounterRules,
    Counters,
    KeyRole,
    QueueKey,
    Registration,
    Reservation,
)
from bench.wire.pops import UNREADABLE, ListPops
from bench.wire.task import Hashes, Task

LEASE_S = 30
"""Seconds that asynq's server leases a task for."""
RETENTION_S = 24 * 3600
"""Seconds for which a completed task is kept if results are stored."""
_STATISTICS_S = 90 * 24 * 3600
"""Seconds for which the counters of a day are kept."""
_QUEUE_KEY = re.compile(r"asynq:\{((?:(?!\}:).)+)\}:(?:pending|active)", re.DOTALL)


@dataclass(frozen=True)
class AsynqLayout(ListPops):
    """The layout of hibiken/asynq, with or without a check for duplicates."""

    duplicate_check: bool = False
    """Whether enqueueing refuses an id that exists, by a script as asynq's client does. Otherwise
    the script's two writing commands are sent as they are."""
    lease_s: int = LEASE_S
    """Seconds for which a worker may be silent about a task before others may take it over."""
    name: str = "asynq"
    separator: str = "."
    needs_parent: bool = False
    has_hash_tags: bool = True
    holds_json: bool = False
    counter_rules: CounterRules = "attempts"
    has_results: bool = True
    key_pattern: str = "asynq:*"
    queue_patterns: Sequence[str] = ("asynq:*:pending", "asynq:*:active")

    @property
    def scripts(self) -> Sequence[str]:
        """The scripts of all moves."""
        return [script.text for script in lua_scripts.ALL]

    def keeps_completed(self, with_result: bool) -> bool:
        """Only with its result, for ``RETENTION_S``."""
        return with_result

    def task(self, queue: str, task_id: str) -> str:
        """``asynq:{queue}:t:id``; the braces are part of the key."""
        return self._key(queue, f"t:{task_id}")

    def keys_of(self, queue: str, task_id: str) -> Sequence[str]:
        """The task's hash, which also holds the result."""
        return (self.task(queue, task_id),)

    def pending(self, queue: str) -> str:
        """``asynq:{queue}:pending``; the braces are part of the key."""
        return self._key(queue, "pending")

    def active(self, queue: str) -> str:
        """``asynq:{queue}:active``; the braces are part of the key."""
        return self._key(queue, "active")

    def queue_keys(self, queue: str) -> Sequence[QueueKey]:
        """Two lists and five sorted sets."""

        def sorted_set(name: str, role: KeyRole, *, may_expire: bool = False) -> QueueKey:
            key = self._key(queue, name)
            return QueueKey(key, role, name, is_sorted_set=True, may_expire=may_expire)

        return (
            QueueKey(self.pending(queue), KeyRole.PENDING, "pending"),
            QueueKey(self.active(queue), KeyRole.ACTIVE, "active"),
            sorted_set("scheduled", KeyRole.PENDING),
            sorted_set("retry", KeyRole.PENDING),
            sorted_set("lease", KeyRole.ELSEWHERE),
            sorted_set("completed", KeyRole.ELSEWHERE, may_expire=True),
            sorted_set("archived", KeyRole.ELSEWHERE),
        )

    def leases(self, queue: str) -> str | None:
        """``asynq:{queue}:lease``; the braces are part of the key."""
        return self._key(queue, "lease")

    def counters(self, queue: str, now_s: int) -> Counters:
        """The totals, and those of the day in UTC."""
        return Counters(
            attempts=self._totals(queue, "processed", now_s),
            failures=self._totals(queue, "failed", now_s),
        )

    def end_counters(self, queue: str) -> tuple[str, str] | None:
        """``asynq:{queue}:processed`` and ``asynq:{queue}:failed``, braces included."""
        return self._key(queue, "processed"), self._key(queue, "failed")

    def worker(self, worker_id: str) -> str:
        """``asynq:workers:{worker_id}``."""
        return f"asynq:workers:{worker_id}"

    def servers(self) -> str | None:
        """``asynq:servers``, which asynq's own servers write."""
        return "asynq:servers"

    def registrations(self) -> Sequence[Registration]:
        """``asynq:servers`` of asynq's own servers, whose members are keys, and ``asynq:workers``
        of runqy's workers, whose members are the ids of their heartbeats."""
        return (
            Registration(
                "asynq:servers", "attempts", lambda member: ("GET", member), _is_in_message
            ),
            Registration(
                "asynq:workers",
                "tasks",
                lambda member: ("HGET", self.worker(member), "queues"),
                _is_in_map,
            ),
        )

    def registry(self) -> str | None:
        """``asynq:queues``."""
        return "asynq:queues"

    def queue_of(self, key: str) -> str | None:
        """The queue of ``asynq:{queue}:pending`` or ``:active``, braces included."""
        found = _QUEUE_KEY.fullmatch(key)
        return None if found is None else found[1]

    def enqueue(self, task: Task) -> Sequence[Command]:
        """Writes the hash, then the list; in one script if duplicates are refused."""
        key, pending = self.task(task.queue, task.id), self.pending(task.queue)
        message, since_ns = self._message(task), f"{task.sent_us}000"
        if self.duplicate_check:
            arguments = (message, since_ns, task.id)
            return (lua_scripts.ENQUEUE_UNIQUE.call((key, pending), arguments),)
        state = layout_contract.STATE_PENDING
        return (
            ("HSET", key, "msg", message, "state", state, "pending_since", since_ns),
            ("LPUSH", pending, task.id),
        )

    def load(self, queue: str, task_id: str) -> Command:
        """HGETALL of the task's hash."""
        return ("HGETALL", self.task(queue, task_id))

    def read(self, replies: Sequence[Any]) -> Hashes:
        """The tasks from their messages, or from plain fields. Raises ValueError."""
        hashes = [dict(zip(pairs[::2], pairs[1::2], strict=True)) for pairs in replies]
        tasks = [self._read_one(fields) for fields in hashes]
        return Hashes(
            payloads=[task.payload for task in tasks],
            retries=[task.retry for task in tasks],
            limits=[task.max_retry for task in tasks],
            messages=[
                fields.get(b"msg") or codec.encode(task)
                for fields, task in zip(hashes, tasks, strict=True)
            ],
        )

    def start(self, reservation: Reservation) -> Sequence[Command]:
        """Adds the id to the active list and gives it a lease."""
        queue = reservation.queue
        keys = (self.active(queue), self._key(queue, "lease"), self.task(queue, reservation.id))
        return (
            lua_scripts.START.call(keys, (reservation.id, str(reservation.now_s + self.lease_s))),
        )

    def complete(self, reservation: Reservation, result: bytes | None) -> Sequence[Command]:
        """Deletes the task; or keeps it with its result for ``RETENTION_S``."""
        keys, arguments = self._end_keys(reservation), self._end_arguments(reservation)
        if result is None:
            return (lua_scripts.FORGET.call(keys, arguments),)
        keys = (*keys, self._key(reservation.queue, "completed"))
        times = (str(reservation.now_s), str(reservation.now_s + RETENTION_S))
        kept: tuple[Argument, ...] = (*arguments, *times, result)
        return (lua_scripts.KEEP.call(keys, kept),)

    def retry(self, reservation: Reservation, delay_s: float, error: str) -> Sequence[Command]:
        """Moves the id to the set of tasks that wait for their next attempt."""
        message = self._failed(reservation, error, retried=True)
        due_s = str(int(reservation.now_s + delay_s))
        return (self._fail(reservation, "retry", due_s, message, layout_contract.STATE_RETRY),)

    def requeue(self, reservation: Reservation) -> Sequence[Command]:
        """Moves the id from the set of waiting tasks to the pending list."""
        queue = reservation.queue
        keys = (self._key(queue, "retry"), self.pending(queue), self.task(queue, reservation.id))
        return (lua_scripts.REQUEUE.call(keys, (reservation.id, f"{reservation.now_s}000000000")),)

    def archive(self, reservation: Reservation, error: str) -> Sequence[Command]:
        """Moves the id to the set of archived tasks."""
        message = self._failed(reservation, error, retried=False)
        now_s = str(reservation.now_s)
        return (
            self._fail(reservation, "archived", now_s, message, layout_contract.STATE_ARCHIVED),
        )

    def set_aside(self, reservation: Reservation, fields: Sequence[bytes]) -> Sequence[Command]:
        """Moves the id to the set of archived tasks, and leaves its message as it is where that is
        none."""
        text = dict(zip(fields[::2], fields[1::2], strict=True)).get(b"msg", b"")
        try:
            codec.parse(reservation.id, text)
        except ValueError:
            now_s, state = str(reservation.now_s), layout_contract.STATE_ARCHIVED
            return (self._fail(reservation, "archived", now_s, text, state),)
        return self.archive(replace(reservation, message=text), UNREADABLE)

    def put_back(self, reservation: Reservation) -> Sequence[Command]:
        """Pushes the id at the end that workers pop, and removes the lease."""
        queue = reservation.queue
        keys = (
            self.active(queue),
            self._key(queue, "lease"),
            self.pending(queue),
            self.task(queue, reservation.id),
        )
        return (lua_scripts.PUT_BACK.call(keys, (reservation.id,)),)

    def state(self, queue: str, task_id: str) -> Command:
        """HMGET of the state, which every task has."""
        return ("HMGET", self.task(queue, task_id), "state")

    def has_result(self, queue: str, task_id: str) -> Command:
        """HEXISTS of the field in the task's hash."""
        return ("HEXISTS", self.task(queue, task_id), "result")

    def result(self, queue: str, task_id: str) -> Command:
        """HGET of the field in the task's hash."""
        return ("HGET", self.task(queue, task_id), "result")

    def _message(self, task: Task) -> bytes:
        """What a client writes for this task."""
        return codec.encode(task)

    def _read_one(self, fields: Mapping[bytes, bytes]) -> Task:
        return codec.read("that was popped", fields)

    def _failed(self, reservation: Reservation, error: str, *, retried: bool) -> bytes:
        return codec.failed(
            reservation.id, reservation.message, error, reservation.now_s, retried=retried
        )

    def _fail(
        self, reservation: Reservation, set_name: str, score: str, message: bytes, state: str
    ) -> Command:
        failed = self._totals(reservation.queue, "failed", reservation.now_s)
        keys = (*self._end_keys(reservation), *failed, self._key(reservation.queue, set_name))
        return lua_scripts.FAIL.call(
            keys, (*self._end_arguments(reservation), score, message, state)
        )

    def _end_keys(self, reservation: Reservation) -> tuple[str, ...]:
        queue = reservation.queue
        return (
            self.active(queue),
            self._key(queue, "lease"),
            self.task(queue, reservation.id),
            *self._totals(queue, "processed", reservation.now_s),
        )

    def _end_arguments(self, reservation: Reservation) -> tuple[str, ...]:
        return (reservation.id, str(reservation.now_s + _STATISTICS_S))

    def _totals(self, queue: str, name: str, now_s: int) -> tuple[str, str]:
        day = datetime.datetime.fromtimestamp(now_s, datetime.UTC).strftime("%Y-%m-%d")
        return self._key(queue, name), self._key(queue, f"{name}:{day}")

    def _key(self, queue: str, name: str) -> str:
        return f"asynq:{{{queue}}}:{name}"


def _is_in_message(text: bytes, queue: str) -> bool:
    """Whether the protobuf message of an asynq server has a queue among the keys of a map."""
    return codec.map_key(queue) + b"\x10" in text


def _is_in_map(text: bytes, queue: str) -> bool:
    """Whether a map as Go prints it, ``map[a:1 b:2]``, has a queue among its keys."""
    return re.search(rb"[\[ ]" + re.escape(queue.encode()) + rb":", text) is not None


ASYNQ = AsynqLayout()
ASYNQ_UNIQUE = AsynqLayout(duplicate_check=True)
