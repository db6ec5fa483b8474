"""What was left on a server by a command that was killed, found and removed by the next one there.

While a run or a comparison of clients lasts it holds the lock of a note in the user's temporary
folder, which names the server and what is written there. A note whose lock is free is that of a
command that never came to its clean-up.
"""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import redis

from bench.errors import UsageError
from bench.layouts import registry
from bench.processes import folders
from bench.redisio import client_tasks
from bench.redisio.client_tasks import CheckedQueue, ExpectedTasks
from bench.run.removal import CleanupScope, Removal, remove, remove_notes
from bench.workload.scenario import Scenario

_PREFIX = "run-on-a-server."
_MOST_BYTES = 1 << 20
_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC


class KilledRun(msgspec.Struct, frozen=True, kw_only=True, tag="run"):
    """What there is to know for the removal of a run's keys."""

    run: int
    address: str
    """Of the server, with its database and without secrets."""
    layout: str
    duplicate_check: bool
    queues: list[str]

    @classmethod
    def of(cls, run: int, address: str, scenario: Scenario) -> "KilledRun":
        """What would be left of a run of a scenario."""
        return cls(
            run=run,
            address=address,
            layout=scenario.layout,
            duplicate_check=scenario.duplicate_check,
            queues=list(scenario.queues),
        )

    def remove(self, client: redis.Redis, removal: Removal) -> None:
        """Remove the run's keys. Raises redis-py's errors of the connection, and UsageError for a
        layout that is not installed."""
        layout = registry.get(self.layout).variant(duplicate_check=self.duplicate_check)
        remove(client, layout, self.queues, CleanupScope(self.run, sent=None), removal)
        remove_notes(client, self.run, removal)


class KilledClients(msgspec.Struct, frozen=True, kw_only=True, tag="clients"):
    """What there is to know for the removal of tasks that clients wrote, under ids of their own."""

    address: str
    """Of the server, with its database and without secrets."""
    layout: str
    queue: str
    tasks: int
    """How many each client was to write."""
    was_registered: bool
    """Whether the queue was in the set of queue names before."""

    def remove(self, client: redis.Redis, removal: Removal) -> None:
        """Remove the tasks that are right in every field. Raises redis-py's errors of the
        connection, and UsageError for a layout that is not installed."""
        checked = CheckedQueue(registry.get(self.layout), self.queue, self.was_registered)
        expected = ExpectedTasks(self.tasks, is_ordered=False, is_stamped=True)

        def step() -> None:
            removal.deleted += client_tasks.remove_left(client, checked, expected)

        removal.attempt(step)


Killed = KilledRun | KilledClients


@dataclass
class LeftNote:
    """The note of a command that goes on."""

    is_clean: bool = True
    """Whether nothing of it is in the server that is to be removed."""


def remove_left(client: redis.Redis, address: str) -> int:
    """Remove what commands that were killed have left on this server; returns how many keys.

    What the server refuses to remove stays noted. Raises redis-py's errors of the connection.
    """
    deleted = 0
    for path in sorted(folders.root().glob(f"{_PREFIX}*")):
        with _abandoned(path) as killed:
            if killed is None or killed.address != address:
                continue
            removal = Removal()
            try:
                killed.remove(client, removal)
            except UsageError:  # its layout is not installed any more
                continue
            deleted += removal.deleted
            if not removal.refusals:
                path.unlink(missing_ok=True)
    return deleted


@contextlib.contextmanager
def noted(killed: Killed) -> Iterator[LeftNote]:
    """Hold a note about what is written to a server, which outlives this process if it is killed.

    Raises UsageError or OSError without a place for it.
    """
    note = LeftNote()
    descriptor, name = tempfile.mkstemp(prefix=_PREFIX, dir=folders.root())
    path = Path(name)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, msgspec.json.encode(killed))
        yield note
    finally:
        if note.is_clean:
            path.unlink(missing_ok=True)
        os.close(descriptor)


@contextlib.contextmanager
def _abandoned(path: Path) -> Iterator[Killed | None]:
    """Yields a note whose command is gone, locked meanwhile; None for any other file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | _FLAGS)
    except OSError:
        yield None
        return
    try:
        killed = None
        with contextlib.suppress(OSError, msgspec.MsgspecError, UnicodeDecodeError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            killed = msgspec.json.decode(os.read(descriptor, _MOST_BYTES), type=Killed)
        yield killed
    finally:
        os.close(descriptor)
