"""What was left on a server by a command that was killed, found and removed by the next one there.

While a run or a comparison of clients lasts it holds the lock of a note in the user's temporary
folder, which names the server and what is written there. A note whose lock is free is that of a
command that never came to its clean-up. What such a command had started is ended by its guardian,
which holds a lock of its own: the removal waits for it, or more would be written behind it.
"""

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import redis

from bench.errors import UsageError
from bench.layouts import registry
from bench.processes import folders, start
from bench.processes.guardian import GRACE_S
from bench.redisio import client_tasks
from bench.redisio.client_tasks import CheckedQueue, ExpectedTasks
from bench.redisio.url import parse
from bench.run.removal import CleanupScope, Removal, remove, remove_notes
from bench.workload.scenario import Scenario

_PREFIX = "run-on-a-server."
_MOST_BYTES = 1 << 20
_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC
_KEPT_S = 30 * 86_400
"""How long a note is kept whose server is never met again."""
_MOST_WAIT_S = GRACE_S + 2.0
_POLL_S = 0.05


class NotedServer(msgspec.Struct, frozen=True, kw_only=True):
    """How a server is known again: by its address, or by its own identity under another one."""

    address: str
    """Without secrets, with the database."""
    run_id: str
    """Of this start of the server; empty where it is not told."""
    database: int

    def is_same(self, other: "NotedServer") -> bool:
        """Whether the keys of the one are those of the other."""
        has_same_id = bool(self.run_id) and self.run_id == other.run_id
        return self.database == other.database and (has_same_id or self.address == other.address)


def server_of(client: redis.Redis, url: str) -> NotedServer:
    """The server that a client is connected to. Raises redis-py's errors of the connection."""
    run_id = ""
    with contextlib.suppress(redis.exceptions.ResponseError):
        run_id = str(client.info("server").get("run_id", ""))
    parts = parse(url)
    return NotedServer(address=parts.address, run_id=run_id, database=parts.database)


class KilledRun(msgspec.Struct, frozen=True, kw_only=True, tag="run"):
    """What there is to know for the removal of a run's keys."""

    run: int
    server: NotedServer
    layout: str
    duplicate_check: bool
    queues: Sequence[str]
    registered: Sequence[str] = ()
    """Queues whose names the run added to the set of names."""
    counters: Sequence[str] = ()
    """Keys of counters that were not there before the run. Those that were keep what it added."""

    @classmethod
    def of(cls, run: int, server: NotedServer, scenario: Scenario) -> "KilledRun":
        """What would be left of a run of a scenario."""
        return cls(
            run=run,
            server=server,
            layout=scenario.layout,
            duplicate_check=scenario.duplicate_check,
            queues=list(scenario.queues),
        )

    def remove(self, client: redis.Redis, removal: Removal) -> None:
        """Remove the run's keys. Raises redis-py's errors of the connection, and UsageError for a
        layout that is not installed."""
        layout = registry.get(self.layout).variant(duplicate_check=self.duplicate_check)
        remove(client, layout, self.queues, CleanupScope(self.run, sent=None), removal)
        removal.attempt(lambda: removal.delete(client, self.counters))
        names = layout.registry()
        if names is not None and self.registered:
            removal.attempt(lambda: client.srem(names, *self.registered))
        remove_notes(client, self.run, removal)


class KilledClients(msgspec.Struct, frozen=True, kw_only=True, tag="clients"):
    """What there is to know for the removal of tasks that clients wrote, under ids of their own."""

    server: NotedServer
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

    killed: Killed | None = None
    """What it says; None for a command that needs no note."""
    descriptor: int = -1
    is_clean: bool = True
    """Whether nothing of it is in the server that is to be removed."""

    def add(self, registered: Sequence[str], counters: Sequence[str]) -> None:
        """Note what a run has added to the server beside its tasks."""
        if isinstance(self.killed, KilledRun):
            self.killed = msgspec.structs.replace(
                self.killed, registered=list(registered), counters=list(counters)
            )
            self.write()

    def write(self) -> None:
        """Write what it says. It only ever grows, so that it is whole at every moment."""
        os.pwrite(self.descriptor, msgspec.json.encode(self.killed), 0)


def remove_left(
    client: redis.Redis, server: NotedServer, should_stop: Callable[[], bool] = lambda: False
) -> int:
    """Remove what commands that were killed have left on this server; returns how many keys.

    What they had started is waited for. What the server refuses to remove stays noted. Raises
    redis-py's errors of the connection.
    """
    deleted = 0
    for path in sorted(folders.root().glob(f"{_PREFIX}*")):
        with _abandoned(path) as (descriptor, killed):
            if killed is None or not killed.server.is_same(server):
                continue
            if not _are_all_gone(descriptor, should_stop):
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
    descriptor, name = tempfile.mkstemp(prefix=_PREFIX, dir=folders.root())
    note, path = LeftNote(killed, descriptor), Path(name)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        note.write()
        start.hold(path)
        yield note
    finally:
        if note.is_clean:
            path.unlink(missing_ok=True)
        start.free(path)
        os.close(descriptor)


def _are_all_gone(descriptor: int, should_stop: Callable[[], bool]) -> bool:
    """Wait until nothing that the killed command had started can write to the server any more."""
    deadline_s = time.monotonic() + _MOST_WAIT_S
    while time.monotonic() < deadline_s and not should_stop():
        with contextlib.suppress(OSError):
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(_POLL_S)
    return False


@contextlib.contextmanager
def _abandoned(path: Path) -> Iterator[tuple[int, Killed | None]]:
    """Yields a note whose command is gone, locked meanwhile; None for any other file. One that is
    old is removed."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | _FLAGS)
    except OSError:
        yield -1, None
        return
    try:
        killed = None
        with contextlib.suppress(OSError, msgspec.MsgspecError, UnicodeDecodeError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            killed = msgspec.json.decode(os.read(descriptor, _MOST_BYTES), type=Killed)
            if time.time() - os.fstat(descriptor).st_mtime > _KEPT_S:
                path.unlink(missing_ok=True)
        yield descriptor, killed
    finally:
        os.close(descriptor)
