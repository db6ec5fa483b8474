"""What a client left in Redis, looked at key by key, and its removal by id.

A layout's checker is a value that knows its keys. What all of them share is here: the list of ids
that wait, who may be in it, how many keys a server of our own must hold, and that nothing stays.

Ids are the clients' own, so on a server that others use too, an id in the list is known to be a
client's by what its task says. Only tasks that are right in every field are ever removed there.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import redis

from bench.errors import UsageError

CHUNK = 1000
"""Tasks that are read or removed at once."""
_SHOWN = 80
"""Characters of a value that an error shows."""

Fields = Mapping[bytes, bytes]


@dataclass(frozen=True)
class ExpectedTasks:
    """What a client was told to enqueue, with numbers from 0 on."""

    tasks: int
    is_ordered: bool = True
    is_stamped: bool = False


@dataclass(frozen=True)
class FoundTasks:
    """What is there."""

    own: Sequence[str]
    """Ids of tasks that are right in every field, and so the client's, oldest first."""
    others: int = 0
    """Ids in the list that are not."""
    fault: str = ""
    """The first thing that is wrong, in words; empty where all is right."""


class UnexpectedTask(Exception):  # noqa: N818 - what was found
    """A task is not as its client should have written it: which field, expected, and found."""


class Checker(Protocol):
    """How one layout's tasks are looked at."""

    @property
    def queue(self) -> str:
        """The queue."""
        ...

    @property
    def pending(self) -> str:
        """The key of the list of ids that wait."""
        ...

    @property
    def active(self) -> str:
        """The key of the list of ids that workers have."""
        ...

    @property
    def keys_beside_tasks(self) -> int:
        """How many keys there are beside one for each task, once tasks wait."""
        ...

    @property
    def pattern(self) -> str:
        """What the names of all the layout's keys match."""
        ...

    def task(self, task_id: str) -> str:
        """The key of a task's hash."""
        ...

    def begin(self, client: redis.Redis) -> None:
        """Note what ``forget_queue`` must know, before the first client."""
        ...

    def number(self, fields: Fields, *, is_stamped: bool) -> int:
        """The number of the task with these fields.

        Raises Wrong, naming the field: ``field 'retry': expected '0', found '1'``.
        """
        ...

    def queue_fault(self, client: redis.Redis) -> str:
        """What is wrong with the keys beside tasks and list; empty for nothing."""
        ...

    def forget_queue(self, client: redis.Redis) -> None:
        """Remove what the first task of a queue left besides, where no task of others needs it."""
        ...


def require_empty(client: redis.Redis, checker: Checker) -> None:
    """Raises UsageError when the queue holds tasks already, which the clients' would mix with."""
    for key in (checker.pending, checker.active):
        length = int(client.llen(key))
        if length:
            raise UsageError(
                f"{key} already holds {length} tasks, and the clients' would mix with them: "
                "use another --queue"
            )


def inspect(
    client: redis.Redis, checker: Checker, expected: ExpectedTasks, *, owns_server: bool
) -> FoundTasks:
    """Look at every task in the list. Raises redis-py's errors."""
    waiting = list(_oldest_first(client, checker.pending))
    tasks = _Tasks(checker, expected, Counter(waiting))
    own: list[str] = []
    faults: list[str] = []
    for start in range(0, len(waiting), CHUNK):
        chunk = waiting[start : start + CHUNK]
        for place, (task_id, fields) in enumerate(_hashes(client, checker, chunk), start):
            try:
                number = tasks.number(task_id, fields)
            except UnexpectedTask as wrong:
                faults.append(f"task {task_id}: {wrong}")
                continue
            own.append(task_id)
            if expected.is_ordered and number != place:
                faults.append(f"task {task_id}: expected number {place} in turn, found {number}")
    if len(waiting) != expected.tasks:
        faults.insert(
            0,
            f"{checker.pending}: expected {expected.tasks} ids, found {len(waiting)}"
            f"{_blame(len(waiting), expected.tasks)}{_first(faults)}",
        )
    if not faults:
        faults += filter(None, [checker.queue_fault(client)])
    if not faults and owns_server:
        keys, due = int(client.dbsize()), expected.tasks + checker.keys_beside_tasks
        if keys != due:
            faults.append(f"the server: expected {due} keys, found {keys}")
    return FoundTasks(own, len(waiting) - len(own), faults[0] if faults else "")


def remove(client: redis.Redis, checker: Checker, found: FoundTasks) -> str:
    """Remove the client's own tasks; what is left of them after that, in words; empty for nothing.

    Raises redis-py's errors.
    """
    for chunk in _chunks(found.own):
        with client.pipeline(transaction=False) as pipeline:
            # From the tail on, in the order of the tail: each is found at once.
            for task_id in chunk:
                pipeline.lrem(checker.pending, -1, task_id)
            pipeline.unlink(*map(checker.task, chunk))
            pipeline.execute()
    if not found.others:
        checker.forget_queue(client)
    left = sum(int(client.exists(*map(checker.task, chunk))) for chunk in _chunks(found.own))
    waiting = int(client.llen(checker.pending))
    if left or waiting > found.others:
        return f"{left} tasks and {waiting} list entries came back after they were removed"
    return ""


def remove_all(client: redis.Redis, checker: Checker) -> None:
    """Remove all tasks of a server of our own, on which nobody else has any."""
    for chunk in _chunks(list(client.scan_iter(match=checker.pattern, count=CHUNK))):
        client.unlink(*chunk)


def shown(value: bytes | str | None) -> str:
    """A value for an error, cut where it is long."""
    if value is None:
        return "none"
    text = value if isinstance(value, str) else value.decode(errors="replace")
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def require(expected: Mapping[str, bytes], fields: Fields) -> None:
    """Raises Wrong for the first of the fields that is not as expected."""
    for name, value in expected.items():
        found = fields.get(name.encode())
        if found != value:
            raise UnexpectedTask(f"field {name!r}: expected {shown(value)}, found {shown(found)}")


def require_no_others(known: Sequence[str], fields: Fields) -> None:
    """Raises Wrong for the first field that is none of those."""
    for name, value in fields.items():
        text = name.decode(errors="replace")
        if text not in known:
            raise UnexpectedTask(f"field {text!r}: expected none, found {shown(value)}")


@dataclass
class _Tasks:
    """A client's tasks, looked at one after the other."""

    checker: Checker
    expected: ExpectedTasks
    times: Counter[str]
    """How often each id is in the list."""
    seen: set[int] = field(default_factory=set)

    def number(self, task_id: str, fields: Fields | None) -> int:
        """Which of the client's tasks it is, where that can be seen. Raises Wrong."""
        if self.times[task_id] != 1:
            raise UnexpectedTask(
                f"expected once in {self.checker.pending}, found {self.times[task_id]} times"
            )
        if not fields:
            found = "a key of another type" if fields is None else "no such key"
            raise UnexpectedTask(f"{self.checker.task(task_id)}: expected a hash, found {found}")
        number = self.checker.number(fields, is_stamped=self.expected.is_stamped)
        if number >= self.expected.tasks:
            raise UnexpectedTask(f"expected numbers below {self.expected.tasks}, found {number}")
        if number in self.seen:
            raise UnexpectedTask(f"expected number {number} once, found it again")
        self.seen.add(number)
        return number


def _blame(found: int, expected: int) -> str:
    if found < expected:
        return " (is a worker serving the queue?)"
    return " (is somebody else enqueueing there?)"


def _first(faults: Sequence[str]) -> str:
    return f"; {faults[0]}" if faults else ""


def _oldest_first(client: redis.Redis, key: str) -> Iterator[str]:
    """A list from its tail, where workers pop, to its head."""
    for end in range(int(client.llen(key)), 0, -CHUNK):
        members = client.lrange(key, max(end - CHUNK, 0), end - 1)
        yield from (_text(member) for member in reversed(members))


def _hashes(
    client: redis.Redis, checker: Checker, task_ids: Sequence[str]
) -> Iterator[tuple[str, Fields | None]]:
    """Each id with its hash: empty where there is none, None where the key holds something else."""
    with client.pipeline(transaction=False) as pipeline:
        for task_id in task_ids:
            pipeline.hgetall(checker.task(task_id))
        replies = pipeline.execute(raise_on_error=False)
    for task_id, reply in zip(task_ids, replies, strict=True):
        if isinstance(reply, redis.exceptions.ResponseError):
            yield task_id, None
        elif isinstance(reply, Exception):
            raise reply
        else:
            yield task_id, reply


def _chunks(items: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]


def _text(value: bytes | str) -> str:
    # What is no UTF-8 is nobody's id here, and its task will not be found.
    return value if isinstance(value, str) else value.decode(errors="replace")
