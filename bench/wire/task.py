"""A task as the queue holds it: a hash of five text fields."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """One task. ``payload`` is JSON text in UTF-8, opaque to Redis and to every worker."""

    id: str
    queue: str
    payload: bytes
    type: str = "task"
    retry: int = 0
    max_retry: int = 3

    def fields(self) -> list[tuple[str, bytes]]:
        """The hash's fields, in the order in which the seed document writes them."""
        return [
            ("type", self.type.encode()),
            ("payload", self.payload),
            ("retry", b"%d" % self.retry),
            ("max_retry", b"%d" % self.max_retry),
            ("queue", self.queue.encode()),
        ]


def decode(task_id: str, fields: Mapping[bytes, bytes]) -> Task:
    """The task from its hash as ``HGETALL`` returns it; fields beside the five are ignored.

    Raises ValueError, naming the field, when one is missing or is not a number where it should be.
    """

    def field(name: str) -> bytes:
        if name.encode() not in fields:
            raise ValueError(f"task {task_id} has no field {name!r}")
        return fields[name.encode()]

    def number(name: str) -> int:
        text = field(name)
        if not text.isdigit():
            raise ValueError(f"task {task_id}: field {name!r} is not a number: {text!r}")
        return int(text)

    return Task(
        id=task_id,
        queue=field("queue").decode(),
        payload=field("payload"),
        type=field("type").decode(),
        retry=number("retry"),
        max_retry=number("max_retry"),
    )
