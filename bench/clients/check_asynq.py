"""The tasks of asynq's own layout: a hash with a message and a state, lists by queue, and a set."""

from dataclasses import dataclass, field

import redis

from bench.clients.check import Fields, UnexpectedTask, require, require_no_others, shown
from bench.clients.check_runqy import number_in
from bench.layouts.asynq import codec
from bench.layouts.asynq.layout import ASYNQ
from bench.wire.layout import STATE_PENDING
from bench.wire.task import Task

_REGISTRY = "asynq:queues"
_NAMES = ("msg", "state", "pending_since")
_MAX_RETRY = 3


@dataclass
class AsynqChecker:
    """Tasks of one queue, their messages included."""

    queue: str
    keys_beside_tasks: int = 2
    pattern: str = "asynq:*"
    _was_known: bool | None = field(default=None, init=False)
    """Whether the queue was in the set before; None where nobody has looked."""

    @property
    def pending(self) -> str:
        """``asynq:{queue}:pending``, with its braces."""
        return ASYNQ.pending(self.queue)

    @property
    def active(self) -> str:
        """``asynq:{queue}:active``, with its braces."""
        return ASYNQ.active(self.queue)

    def task(self, task_id: str) -> str:
        """``asynq:{queue}:t:{task_id}``, with the first braces."""
        return ASYNQ.task(self.queue, task_id)

    def begin(self, client: redis.Redis) -> None:
        """Note whether the queue is known already, as then it must stay so."""
        self._was_known = bool(client.sismember(_REGISTRY, self.queue))

    def number(self, fields: Fields, *, is_stamped: bool) -> int:
        """A message, ``pending``, and since when; every field of the message that is the task's."""
        require({"state": STATE_PENDING.encode()}, fields)
        require_no_others(_NAMES, fields)
        since = fields.get(b"pending_since")
        if since is None or not since.isdigit():
            raise UnexpectedTask(f"field 'pending_since': expected digits, found {shown(since)}")
        task = _task(fields)
        plain = {"type": b"task", "retry": b"0", "max_retry": b"%d" % _MAX_RETRY}
        found = {name.encode(): value for name, value in task.fields()}
        require({**plain, "queue": self.queue.encode()}, found)
        number = number_in(task.payload, is_stamped)
        if number is None:
            raise UnexpectedTask(
                f'field \'payload\': expected {{"input": "hello N"}}, found {shown(task.payload)}'
            )
        return number

    def queue_fault(self, client: redis.Redis) -> str:
        """The queue must be in the set."""
        if client.sismember(_REGISTRY, self.queue):
            return ""
        return f"{_REGISTRY}: expected member {self.queue!r}, found none"

    def forget_queue(self, client: redis.Redis) -> None:
        """Take the queue out of the set, where it was not in it before."""
        if self._was_known is False:
            client.srem(_REGISTRY, self.queue)


def _task(fields: Fields) -> Task:
    message = fields.get(b"msg")
    if not message:
        raise UnexpectedTask(f"field 'msg': expected a message, found {shown(message)}")
    try:
        return codec.read("", fields)
    except ValueError:
        raise UnexpectedTask(f"field 'msg': expected a message, found {shown(message)}") from None
