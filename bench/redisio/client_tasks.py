"""The tasks of ``bench clients``' programs: checked key by key, and removed by id.

A layout knows its keys and checks the fields of one task. Everything else is the same for all
layouts and is done here: the pending list, whose ids may be on it, the set of queue names, the
number of keys on a server of our own, and the removal.

Clients choose their ids themselves. On a server that others use too, an id on the list is known to
be the client's by its task, and only tasks that are right in every field are removed.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import redis

from bench.errors import UsageError
from bench.layouts.client_check import Fields, UnexpectedTask
from bench.layouts.entry import LayoutEntry
from bench.redisio import task_keys
from bench.redisio.queue_keys import length
from bench.wire.layout_contract import QueueKey, pending_key

CHUNK = 1000
"""Tasks that are read or removed at once."""


@dataclass(frozen=True)
class ExpectedTasks:
    """What a client was asked to enqueue: tasks with numbers from 0 on."""

    tasks: int
    is_ordered: bool = True
    is_stamped: bool = False


@dataclass(frozen=True)
class FoundTasks:
    """What the queue holds."""

    own: Sequence[str]
    """Ids of tasks that are right in every field, and so are the client's, oldest first."""
    others: int = 0
    """Number of other ids on the list."""
    fault: str = ""
    """The first thing that is wrong, as text; empty if everything is right."""


@dataclass(frozen=True)
class CheckedQueue:
    """The queue that clients enqueue on, in one layout."""

    entry: LayoutEntry
    queue: str
    was_registered: bool = True
    """Whether the queue was in the set of queue names before the first client, and must stay."""

    @property
    def pending(self) -> QueueKey:
        """The key of the ids that wait."""
        return pending_key(self.entry.layout, self.queue)

    @property
    def keys_beside_tasks(self) -> int:
        """Number of keys beside those of tasks, once tasks wait."""
        return 1 if self.entry.layout.registry() is None else 2

    def task(self, task_id: str) -> str:
        """The key of a task's hash."""
        return self.entry.layout.task(self.queue, task_id)

    def keys_of(self, task_ids: Sequence[str]) -> list[str]:
        """All keys that these tasks may have."""
        layout = self.entry.layout
        return [key for task_id in task_ids for key in layout.keys_of(self.queue, task_id)]


def begin(client: redis.Redis, entry: LayoutEntry, queue: str) -> CheckedQueue:
    """Returns the queue as it is before the first client.

    Raises UsageError if it holds tasks already, which the clients' tasks would mix with.
    """
    layout = entry.layout
    for key in layout.queue_keys(queue):
        if key.key in (layout.pending(queue), layout.active(queue)):
            held = length(client, key)
            if held:
                raise UsageError(
                    f"{key.key} already holds {held} tasks, and the clients' would mix with them: "
                    "use another --queue"
                )
    registry = layout.registry()
    was_registered = registry is None or bool(client.sismember(registry, queue))
    return CheckedQueue(entry, queue, was_registered)


def inspect(
    client: redis.Redis, checked: CheckedQueue, expected: ExpectedTasks, *, owns_server: bool
) -> FoundTasks:
    """Checks every task on the list. Raises redis-py's errors."""
    waiting = list(_oldest_first(client, checked.pending))
    tasks = _Tasks(checked, expected, Counter(waiting))
    own: list[str] = []
    faults: list[str] = []
    for start in range(0, len(waiting), CHUNK):
        chunk = waiting[start : start + CHUNK]
        for turn, (task_id, fields) in enumerate(_hashes(client, checked, chunk), start):
            try:
                number = tasks.number(task_id, fields)
            except UnexpectedTask as wrong:
                faults.append(f"task {task_id}: {wrong}")
                continue
            own.append(task_id)
            if expected.is_ordered and number != turn:
                faults.append(f"task {task_id}: expected number {turn} in turn, found {number}")
    if len(waiting) != expected.tasks:
        faults.insert(
            0,
            f"{checked.pending.key}: expected {expected.tasks} ids, found {len(waiting)}"
            f"{_blame(len(waiting), expected.tasks)}{_first(faults)}",
        )
    if not faults:
        faults += filter(None, [_registry_fault(client, checked)])
    if not faults and owns_server:
        keys, due = int(client.dbsize()), _keys_of(client, checked, own) + checked.keys_beside_tasks
        if keys != due:
            faults.append(f"the server: expected {due} keys, found {keys}")
    return FoundTasks(own, len(waiting) - len(own), faults[0] if faults else "")


def remove(client: redis.Redis, checked: CheckedQueue, found: FoundTasks) -> str:
    """Removes the client's own tasks. Returns as text what is left of them; empty for nothing.

    Raises redis-py's errors.
    """
    pending = checked.pending
    # In the order of the list, from the end that is popped: each id is found at once.
    count = 1 if pending.pops_from_head else -1
    for chunk in _chunks(found.own):
        with client.pipeline(transaction=False) as pipeline:
            for task_id in chunk:
                pipeline.lrem(pending.key, count, task_id)
            pipeline.unlink(*checked.keys_of(chunk))
            pipeline.execute()
    registry = checked.entry.layout.registry()
    if not found.others and registry is not None and not checked.was_registered:
        client.srem(registry, checked.queue)
    left = _keys_of(client, checked, found.own)
    waiting = length(client, pending)
    if left or waiting > found.others:
        return f"{left} keys of tasks and {waiting} list entries came back after they were removed"
    return ""


def remove_unlisted(client: redis.Redis, checked: CheckedQueue, expected: ExpectedTasks) -> int:
    """Removes tasks that are on none of the queue's lists: their client was ended between the two
    commands that write a task. Returns the number of their keys.

    Only tasks that are right in every field are removed. Goes once through all keys of the server.
    Raises redis-py's errors.
    """
    layout = checked.entry.layout
    listed = {
        task_id
        for key in layout.queue_keys(checked.queue)
        if not key.is_sorted_set
        for task_id in _oldest_first(client, key)
    }
    removed = 0
    for found in task_keys.scan_ids(client, layout, checked.queue):
        unlisted = [task_id for task_id in found if task_id not in listed]
        for chunk in _chunks(unlisted):
            own = [
                task_id
                for task_id, fields in _hashes(client, checked, chunk)
                if _is_right(checked, expected, fields)
            ]
            if own:
                removed += int(client.unlink(*checked.keys_of(own)))
    return removed


def _is_right(checked: CheckedQueue, expected: ExpectedTasks, fields: Fields | None) -> bool:
    if not fields:
        return False
    try:
        number = checked.entry.client_check(checked.queue, fields, is_stamped=expected.is_stamped)
    except UnexpectedTask:
        return False
    return number < expected.tasks


def remove_left(client: redis.Redis, checked: CheckedQueue, expected: ExpectedTasks) -> int:
    """Removes all tasks that a client has left which was ended. Returns the number of their keys.

    Raises redis-py's errors.
    """
    found = inspect(client, checked, expected, owns_server=False)
    deleted = _keys_of(client, checked, found.own)
    remove(client, checked, found)
    return deleted + remove_unlisted(client, checked, expected)


def remove_all(client: redis.Redis, checked: CheckedQueue) -> None:
    """Removes all keys of the layout from a server of our own, where nobody else has any."""
    pattern = checked.entry.layout.key_pattern
    for chunk in _chunks(list(client.scan_iter(match=pattern, count=CHUNK))):
        client.unlink(*chunk)


def _keys_of(client: redis.Redis, checked: CheckedQueue, task_ids: Sequence[str]) -> int:
    """The number of keys that these tasks have."""
    return sum(int(client.exists(*checked.keys_of(chunk))) for chunk in _chunks(task_ids))


@dataclass
class _Tasks:
    """A client's tasks, checked one after the other."""

    checked: CheckedQueue
    expected: ExpectedTasks
    times: Counter[str]
    """Number of times that each id is on the list."""
    seen: set[int] = field(default_factory=set)

    def number(self, task_id: str, fields: Fields | None) -> int:
        """Returns the number of a task. Raises UnexpectedTask if it is not as it should be."""
        checked = self.checked
        if self.times[task_id] != 1:
            raise UnexpectedTask(
                f"expected once in {checked.pending.key}, found {self.times[task_id]} times"
            )
        if not fields:
            found = "a key of another type" if fields is None else "no such key"
            raise UnexpectedTask(f"{checked.task(task_id)}: expected a hash, found {found}")
        number = checked.entry.client_check(
            checked.queue, fields, is_stamped=self.expected.is_stamped
        )
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


def _registry_fault(client: redis.Redis, checked: CheckedQueue) -> str:
    registry = checked.entry.layout.registry()
    if registry is None or client.sismember(registry, checked.queue):
        return ""
    return f"{registry}: expected member {checked.queue!r}, found none"


def _oldest_first(client: redis.Redis, key: QueueKey) -> Iterator[str]:
    """Yields a list's ids from the end that workers pop."""
    for start in range(0, length(client, key), CHUNK):
        reply = client.execute_command(*key.next_popped(start, start + CHUNK))  # type: ignore[no-untyped-call]
        yield from map(_text, key.in_turn(reply))


def _hashes(
    client: redis.Redis, checked: CheckedQueue, task_ids: Sequence[str]
) -> Iterator[tuple[str, Fields | None]]:
    """Yields each id with its hash: empty if there is none, None if the key is no hash."""
    with client.pipeline(transaction=False) as pipeline:
        for task_id in task_ids:
            pipeline.hgetall(checked.task(task_id))
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
    # No client writes an id that is not UTF-8; the task of such an id will not be found.
    return value if isinstance(value, str) else value.decode(errors="replace")
