"""A task, and runqy's form of it: a hash of five text fields."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

_IN_ORDER = [{b"payload"}, {b"retry"}, {b"max_retry"}]
"""Names of the second to fourth field, in the order in which a producer writes them."""
_MOST_ATTEMPTS = 1 << 31
"""From here on a number is none of attempts: asynq keeps them in 32 bits."""


@dataclass(frozen=True)
class Task:
    """One task. ``payload`` is opaque to Redis and to every worker; in layouts that require it, it
    is JSON text in UTF-8."""

    id: str
    queue: str
    payload: bytes
    type: str = "task"
    retry: int = 0
    max_retry: int = 3
    sent_us: int = 0
    """Time of sending to Redis in Unix µs, for layouts that store it."""

    def fields(self) -> list[tuple[str, bytes]]:
        """Returns the hash's fields, in the order in which runqy's guide writes them."""
        return [
            ("type", self.type.encode()),
            ("payload", self.payload),
            ("retry", b"%d" % self.retry),
            ("max_retry", b"%d" % self.max_retry),
            ("queue", self.queue.encode()),
        ]


class Hashes(NamedTuple):
    """What a worker needs to know about tasks (n,) that it has read."""

    payloads: Sequence[bytes]
    retries: Sequence[int]
    """Attempts so far, after the first."""
    limits: Sequence[int]
    """Most attempts after the first."""
    messages: Sequence[bytes] = ()
    """The whole tasks, for layouts that rewrite them after a failed attempt; else empty."""


def decode(task_id: str, fields: Mapping[bytes, bytes]) -> Task:
    """Returns the task of a hash as ``HGETALL`` returns it; other fields are ignored.

    Raises ValueError, naming the field, if one of the five is missing or should be a number and is
    not.
    """

    def field(name: str) -> bytes:
        if name.encode() not in fields:
            raise ValueError(f"task {task_id} has no field {name!r}")
        return fields[name.encode()]

    def number(name: str) -> int:
        text = field(name)
        if not text.isdigit():
            raise ValueError(f"task {task_id}: field {name!r} is not a number: {text[:40]!r}")
        return attempts(text)

    return Task(
        id=task_id,
        queue=field("queue").decode(),
        payload=field("payload"),
        type=field("type").decode(),
        retry=number("retry"),
        max_retry=number("max_retry"),
    )


def read_hashes(replies: Sequence[Any]) -> Hashes:
    """Reads many hashes at once, from HGETALL replies (n,) of alternating names and values.

    A missing field reads as empty or as zero, because workers of the seed's layout tolerate that.
    Raises ValueError if a number is not one, or no number of attempts.
    """
    if len(replies) > 1 and len(set(map(len, replies))) == 1:
        # The server keeps small hashes in the order in which they were written.
        columns = list(zip(*replies, strict=True))
        if [set(names) for names in columns[2:7:2]] == _IN_ORDER:
            return Hashes(columns[3], _all_attempts(columns[5]), _all_attempts(columns[7]))
    payloads, retries, limits = [], [], []
    for pairs in replies:
        found = dict(zip(pairs[::2], pairs[1::2], strict=True))
        payloads.append(found.get(b"payload", b""))
        retries.append(attempts(found.get(b"retry", b"0")))
        limits.append(attempts(found.get(b"max_retry", b"0")))
    return Hashes(payloads, retries, limits)


def _all_attempts(texts: Sequence[bytes]) -> list[int]:
    if len(set(texts)) == 1:
        return [attempts(texts[0])] * len(texts)
    return [attempts(text) for text in texts]


def attempts(text: bytes) -> int:
    """Returns a number of attempts from its decimal digits. Raises ValueError."""
    number = int(text)
    if not 0 <= number < _MOST_ATTEMPTS:
        raise ValueError(f"{number} is no number of attempts")
    return number
