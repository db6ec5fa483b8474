"""The tasks of the seed document's layout: a hash of five plain fields, and one list."""

import json
import re
from dataclasses import dataclass

import redis

from bench.clients.check import Fields, UnexpectedTask, require, require_no_others, shown
from bench.layouts.runqy.layout import RUNQY
from bench.wire import stamps

_NAMES = ("type", "payload", "retry", "max_retry", "queue")
_INPUT = re.compile(r"hello (0|[1-9]\d{0,17})", re.ASCII)


@dataclass(frozen=True)
class RunqyChecker:
    """Tasks of one queue."""

    queue: str
    keys_beside_tasks: int = 1
    pattern: str = "asynq:*"

    @property
    def pending(self) -> str:
        """``asynq:{queue}:pending``."""
        return RUNQY.pending(self.queue)

    @property
    def active(self) -> str:
        """``asynq:{queue}:active``."""
        return RUNQY.active(self.queue)

    def task(self, task_id: str) -> str:
        """``asynq:t:{task_id}``."""
        return RUNQY.task(self.queue, task_id)

    def begin(self, client: redis.Redis) -> None:
        """There is nothing to note."""

    def number(self, fields: Fields, *, is_stamped: bool) -> int:
        """Every field by its text, but the payload by what its JSON says."""
        plain = {
            "type": b"task",
            "retry": b"0",
            "max_retry": b"3",
            "queue": self.queue.encode(),
        }
        require(plain, fields)
        require_no_others(_NAMES, fields)
        payload = fields.get(b"payload")
        number = number_in(payload, is_stamped)
        if number is None:
            raise UnexpectedTask(
                f'field \'payload\': expected {{"input": "hello N"}}, found {shown(payload)}'
            )
        return number

    def queue_fault(self, client: redis.Redis) -> str:
        """There are no other keys."""
        return ""

    def forget_queue(self, client: redis.Redis) -> None:
        """There is nothing to forget: a list goes with its last id."""


def number_in(payload: bytes | None, is_stamped: bool) -> int | None:
    """N of ``{"input": "hello N"}``, whatever the JSON's blanks; None where it says else."""
    try:
        content = json.loads(payload or b"")
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    if is_stamped:
        for name in stamps.RESERVED_NAMES:
            content.pop(name, None)
    match = _INPUT.fullmatch(str(content.get("input")))
    return int(match[1]) if match and len(content) == 1 else None
