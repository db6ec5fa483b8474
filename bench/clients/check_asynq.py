"""The tasks of asynq's own layout: a hash with a message and a state, lists by queue, and a set.

Braces are literal here: they are Redis Cluster hash tags.
"""

from dataclasses import dataclass, field

import redis

from bench.clients.check import Fields, Wrong, require, require_no_others, shown

_QUEUES = "asynq:queues"
_NAMES = ("msg", "state", "pending_since")


@dataclass
class AsynqChecker:
    """Tasks of one queue. Messages are asynq's, and are not opened: numbers are not looked at."""

    queue: str
    keys_beside_tasks: int = 2
    pattern: str = "asynq:*"
    _was_known: bool | None = field(default=None, init=False)
    """Whether the queue was in the set before; None where nobody has looked."""

    @property
    def pending(self) -> str:
        """``asynq:{queue}:pending``, with its braces."""
        return f"asynq:{{{self.queue}}}:pending"

    @property
    def active(self) -> str:
        """``asynq:{queue}:active``, with its braces."""
        return f"asynq:{{{self.queue}}}:active"

    def task(self, task_id: str) -> str:
        """``asynq:{queue}:t:{task_id}``, with the first braces."""
        return f"asynq:{{{self.queue}}}:t:{task_id}"

    def begin(self, client: redis.Redis) -> None:
        """Note whether the queue is known already, as then it must stay so."""
        self._was_known = bool(client.sismember(_QUEUES, self.queue))

    def number(self, fields: Fields, *, is_stamped: bool) -> None:
        """A message, ``pending``, and since when."""
        require({"state": b"pending"}, fields)
        require_no_others(_NAMES, fields)
        since, message = fields.get(b"pending_since"), fields.get(b"msg")
        if since is None or not since.isdigit():
            raise Wrong(f"field 'pending_since': expected digits, found {shown(since)}")
        if not message:
            raise Wrong(f"field 'msg': expected a message, found {shown(message)}")

    def queue_fault(self, client: redis.Redis) -> str:
        """The queue must be in the set."""
        if client.sismember(_QUEUES, self.queue):
            return ""
        return f"{_QUEUES}: expected member {self.queue!r}, found none"

    def forget_queue(self, client: redis.Redis) -> None:
        """Take the queue out of the set, where it was not in it before."""
        if self._was_known is False:
            client.srem(_QUEUES, self.queue)
