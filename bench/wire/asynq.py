"""The layout of hibiken/asynq and of today's runqy workers.

A queue's keys share one hash tag, so that they lie on one slot of a cluster. The task is one
protobuf message; workers hold a lease on what they have taken, and count what they have done.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.wire import asynq_message, asynq_scripts, layout
from bench.wire.asynq_scripts import Script
from bench.wire.layout import Argument, Command, Counters, Place, Taken, Where
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
        return [script.text for script in asynq_scripts.ALL]

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

    def places(self, queue: str) -> Sequence[Place]:
        """Two lists and five sorted sets."""

        def sorted_set(name: str, where: Where) -> Place:
            return Place(self._key(queue, name), where, is_sorted_set=True)

        return (
            Place(self.pending(queue), Where.PENDING),
            Place(self.active(queue), Where.ACTIVE),
            sorted_set("scheduled", Where.PENDING),
            sorted_set("retry", Where.PENDING),
            sorted_set("lease", Where.ELSEWHERE),
            sorted_set("completed", Where.ELSEWHERE),
            sorted_set("archived", Where.ELSEWHERE),
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
        message, since_ns = asynq_message.encode(task), f"{task.sent_us}000"
        if self.duplicate_check:
            script = asynq_scripts.ENQUEUE_UNIQUE
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
        tasks = [asynq_message.read("that was popped", fields) for fields in hashes]
        return Hashes(
            payloads=[task.payload for task in tasks],
            retries=[task.retry for task in tasks],
            limits=[task.max_retry for task in tasks],
            messages=[
                fields.get(b"msg") or asynq_message.encode(task)
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

    def start(self, taken: Taken) -> Sequence[Command]:
        """Onto the active list, with a lease."""
        queue = taken.queue
        keys = (self.active(queue), self._key(queue, "lease"), self.task(queue, taken.id))
        return (_call(asynq_scripts.START, keys, (taken.id, str(taken.now_s + LEASE_S))),)

    def complete(self, taken: Taken, result: bytes | None) -> Sequence[Command]:
        """Deleted; or with the result kept, for as long as results are."""
        if result is None:
            return (_call(asynq_scripts.FORGET, self._end_keys(taken), self._end_words(taken)),)
        keys = (*self._end_keys(taken), self._key(taken.queue, "completed"))
        words = (str(taken.now_s), str(taken.now_s + RETENTION_S), result)
        return (_call(asynq_scripts.KEEP, keys, (*self._end_words(taken), *words)),)

    def retry(self, taken: Taken, delay_s: float, error: str) -> Sequence[Command]:
        """To the set of those that wait for their next attempt."""
        message = self._failed(taken, error, retried=True)
        due_s = str(int(taken.now_s + delay_s))
        return (self._fail(taken, "retry", due_s, message, layout.STATE_RETRY),)

    def requeue(self, taken: Taken) -> Sequence[Command]:
        """From that set back to the list."""
        queue = taken.queue
        keys = (self._key(queue, "retry"), self.pending(queue), self.task(queue, taken.id))
        return (_call(asynq_scripts.REQUEUE, keys, (taken.id, f"{taken.now_s}000000000")),)

    def archive(self, taken: Taken, error: str) -> Sequence[Command]:
        """To the set of those given up."""
        message = self._failed(taken, error, retried=False)
        now_s = str(taken.now_s)
        return (self._fail(taken, "archived", now_s, message, layout.STATE_ARCHIVED),)

    def put_back(self, taken: Taken) -> Sequence[Command]:
        """To the popping end of the list, without the lease."""
        queue = taken.queue
        keys = (
            self.active(queue),
            self._key(queue, "lease"),
            self.pending(queue),
            self.task(queue, taken.id),
        )
        return (_call(asynq_scripts.PUT_BACK, keys, (taken.id,)),)

    def _failed(self, taken: Taken, error: str, *, retried: bool) -> bytes:
        return asynq_message.failed(taken.id, taken.message, error, taken.now_s, retried=retried)

    def _fail(self, taken: Taken, set_name: str, score: str, message: bytes, state: str) -> Command:
        failed = self._totals(taken.queue, "failed", taken.now_s)
        keys = (*self._end_keys(taken), *failed, self._key(taken.queue, set_name))
        return _call(asynq_scripts.FAIL, keys, (*self._end_words(taken), score, message, state))

    def _end_keys(self, taken: Taken) -> tuple[str, ...]:
        queue = taken.queue
        return (
            self.active(queue),
            self._key(queue, "lease"),
            self.task(queue, taken.id),
            *self._totals(queue, "processed", taken.now_s),
        )

    def _end_words(self, taken: Taken) -> tuple[str, ...]:
        return (taken.id, str(taken.now_s + _STATISTICS_S))

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
