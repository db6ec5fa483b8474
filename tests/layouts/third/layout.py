"""The keys and commands of the third layout."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

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
from bench.wire.task import Hashes, Task


class Job(msgspec.Struct, frozen=True):
    """The task as its hash's field ``job`` has it, in JSON."""

    queue: str = ""
    attempts: int = 0
    """Failed attempts so far."""
    limit: int = 0
    """Most attempts after the first."""
    error: str = ""
    payload: msgspec.Raw = msgspec.Raw(b"{}")


def parse(text: bytes) -> Job:
    """Returns the task of a JSON text. Raises ValueError."""
    try:
        return msgspec.json.decode(text, type=Job)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ValueError("field 'job' is not a job") from None


@dataclass(frozen=True)
class ThirdLayout(ListPops):
    """Plain lists that are popped from the head, and one hash with a JSON text per task."""

    name: str = "third"
    separator: str = "-"
    needs_parent: bool = True
    has_hash_tags: bool = False
    holds_json: bool = True
    counter_rules: CounterRules = "attempts"
    has_results: bool = True
    scripts: Sequence[str] = ()
    key_pattern: str = "third:*"
    queue_patterns: Sequence[str] = ("third:ready:*", "third:running:*")
    pops_from_head = True

    def keeps_completed(self, with_result: bool) -> bool:
        """Always."""
        return True

    def task(self, queue: str, task_id: str) -> str:
        return f"third:job:{task_id}"

    def answer(self, task_id: str) -> str:
        """The key of a result."""
        return f"third:answer:{task_id}"

    def keys_of(self, queue: str, task_id: str) -> Sequence[str]:
        return (self.task(queue, task_id), self.answer(task_id))

    def pending(self, queue: str) -> str:
        return f"third:ready:{queue}"

    def active(self, queue: str) -> str:
        return f"third:running:{queue}"

    def delayed(self, queue: str) -> str:
        """The key of tasks that wait for their next attempt, by its time."""
        return f"third:delayed:{queue}"

    def dead(self, queue: str) -> str:
        """The key of archived tasks, by the time of their last attempt."""
        return f"third:dead:{queue}"

    def queue_keys(self, queue: str) -> Sequence[QueueKey]:
        return (
            QueueKey(self.pending(queue), KeyRole.PENDING, "pending", pops_from_head=True),
            QueueKey(self.active(queue), KeyRole.ACTIVE, "active", pops_from_head=True),
            QueueKey(self.delayed(queue), KeyRole.PENDING, "delayed", is_sorted_set=True),
            QueueKey(self.dead(queue), KeyRole.ELSEWHERE, "dead", is_sorted_set=True),
        )

    def leases(self, queue: str) -> str | None:
        return None

    def counters(self, queue: str, now_s: int) -> Counters:
        return Counters(attempts=(f"third:done:{queue}",), failures=(f"third:failed:{queue}",))

    def end_counters(self, queue: str) -> tuple[str, str] | None:
        return f"third:done:{queue}", f"third:failed:{queue}"

    def worker(self, worker_id: str) -> str:
        return f"third:workers:{worker_id}"

    def servers(self) -> str | None:
        return None

    def registrations(self) -> Sequence[Registration]:
        """None."""
        return ()

    def registry(self) -> str | None:
        return "third:queues"

    def queue_of(self, key: str) -> str | None:
        for prefix in ("third:ready:", "third:running:"):
            if key.startswith(prefix):
                return key.removeprefix(prefix)
        return None

    def enqueue(self, task: Task) -> Sequence[Command]:
        # The payload goes in as it is: encoding it again would cost time and change its bytes.
        head = b'{"queue":%b,"attempts":%d,"limit":%d,"payload":' % (
            json.dumps(task.queue).encode(),
            task.retry,
            task.max_retry,
        )
        job = head + task.payload + b"}"
        return (
            (
                "HSET",
                self.task(task.queue, task.id),
                "job",
                job,
                "state",
                layout_contract.STATE_PENDING,
            ),
            ("RPUSH", self.pending(task.queue), task.id),
        )

    def load(self, queue: str, task_id: str) -> Command:
        return ("HGETALL", self.task(queue, task_id))

    def read(self, replies: Sequence[Any]) -> Hashes:
        hashes = [dict(zip(pairs[::2], pairs[1::2], strict=True)) for pairs in replies]
        texts = [fields.get(b"job", b"") for fields in hashes]
        jobs = [parse(text) for text in texts]
        return Hashes(
            payloads=[bytes(job.payload) for job in jobs],
            retries=[job.attempts for job in jobs],
            limits=[job.limit for job in jobs],
            messages=texts,
        )

    def start(self, reservation: Reservation) -> Sequence[Command]:
        return (
            ("RPUSH", self.active(reservation.queue), reservation.id),
            self._set(reservation, layout_contract.STATE_ACTIVE),
        )

    def complete(self, reservation: Reservation, result: bytes | None) -> Sequence[Command]:
        store: Sequence[Command] = ()
        if result is not None:
            store = (("SET", self.answer(reservation.id), result),)
        return (
            *store,
            ("LREM", self.active(reservation.queue), "1", reservation.id),
            self._set(reservation, layout_contract.STATE_COMPLETED),
            ("INCR", f"third:done:{reservation.queue}"),
        )

    def retry(self, reservation: Reservation, delay_s: float, error: str) -> Sequence[Command]:
        due_s = str(int(reservation.now_s + delay_s))
        return (
            ("LREM", self.active(reservation.queue), "1", reservation.id),
            self._set(reservation, layout_contract.STATE_RETRY, _failed(reservation, error, 1)),
            ("ZADD", self.delayed(reservation.queue), due_s, reservation.id),
            ("INCR", f"third:done:{reservation.queue}"),
            ("INCR", f"third:failed:{reservation.queue}"),
        )

    def requeue(self, reservation: Reservation) -> Sequence[Command]:
        return (
            ("ZREM", self.delayed(reservation.queue), reservation.id),
            self._set(reservation, layout_contract.STATE_PENDING),
            ("RPUSH", self.pending(reservation.queue), reservation.id),
        )

    def archive(self, reservation: Reservation, error: str) -> Sequence[Command]:
        return (
            ("LREM", self.active(reservation.queue), "1", reservation.id),
            self._set(reservation, layout_contract.STATE_ARCHIVED, _failed(reservation, error, 0)),
            ("ZADD", self.dead(reservation.queue), str(reservation.now_s), reservation.id),
            ("INCR", f"third:done:{reservation.queue}"),
            ("INCR", f"third:failed:{reservation.queue}"),
        )

    def put_back(self, reservation: Reservation) -> Sequence[Command]:
        return (
            ("LREM", self.active(reservation.queue), "1", reservation.id),
            self._set(reservation, layout_contract.STATE_PENDING),
            ("LPUSH", self.pending(reservation.queue), reservation.id),
        )

    def state(self, queue: str, task_id: str) -> Command:
        return ("HMGET", self.task(queue, task_id), "state")

    def has_result(self, queue: str, task_id: str) -> Command:
        return ("EXISTS", self.answer(task_id))

    def result(self, queue: str, task_id: str) -> Command:
        return ("GET", self.answer(task_id))

    def _set(self, reservation: Reservation, state: str, job: bytes = b"") -> Command:
        key = self.task(reservation.queue, reservation.id)
        return ("HSET", key, "state", state, *(("job", job) if job else ()))


def _failed(reservation: Reservation, error: str, attempts: int) -> bytes:
    # The message is empty while a worker lays its templates out.
    job = parse(reservation.message) if reservation.message else Job(queue=reservation.queue)
    return msgspec.json.encode(
        msgspec.structs.replace(job, attempts=job.attempts + attempts, error=error)
    )


THIRD = ThirdLayout()
