"""What a run that was killed has left on a server, found and removed by the next one there.

While a run lasts it holds the lock of a note in the user's temporary folder, which names run and
server. A note whose lock is free is that of a run that never came to its clean-up.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import redis

from bench.errors import UsageError
from bench.layouts import registry
from bench.processes import folders
from bench.run.removal import CleanupScope, Removal, remove, remove_notes
from bench.wire.ids import run_text
from bench.workload.scenario import Scenario

_PREFIX = "run-on-a-server."
_MOST_BYTES = 1 << 20
_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC


class KilledRun(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to know for the removal of a run's keys."""

    run: int
    address: str
    """Of the server, with its database and without secrets."""
    layout: str
    duplicate_check: bool
    queues: list[str]

    def remove(self, client: redis.Redis) -> Removal:
        """Remove the run's keys. Raises redis-py's errors of the connection."""
        removal = Removal()
        layout = registry.get(self.layout).variant(duplicate_check=self.duplicate_check)
        remove(client, layout, self.queues, CleanupScope(self.run, sent=None), removal)
        remove_notes(client, self.run, removal)
        return removal


@dataclass
class LeftNote:
    """The note of a run that goes on."""

    address: str
    is_clean: bool = True
    """Whether nothing of the run is in the server that is to be removed."""

    def remove_left(self, client: redis.Redis) -> int:
        """Remove what runs that were killed have left on this server; returns how many keys.

        What the server refuses to remove stays noted. Raises redis-py's errors of the connection.
        """
        deleted = 0
        for path in sorted(folders.root().glob(f"{_PREFIX}*")):
            with _abandoned(path) as killed:
                if killed is None or killed.address != self.address:
                    continue
                try:
                    removal = killed.remove(client)
                except UsageError:  # its layout is not installed any more
                    continue
                deleted += removal.deleted
                if not removal.refusals:
                    path.unlink(missing_ok=True)
        return deleted


@contextlib.contextmanager
def noted(run: int, address: str, scenario: Scenario) -> Iterator[LeftNote]:
    """Hold a note about a run on a server, which outlives the run if that is killed.

    Raises UsageError without a place for it.
    """
    killed = KilledRun(
        run=run,
        address=address,
        layout=scenario.layout,
        duplicate_check=scenario.duplicate_check,
        queues=list(scenario.queues),
    )
    note = LeftNote(address)
    path = folders.root() / f"{_PREFIX}{run_text(run)}"
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | _FLAGS, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, msgspec.json.encode(killed))
        yield note
    finally:
        if note.is_clean:
            path.unlink(missing_ok=True)
        os.close(descriptor)


@contextlib.contextmanager
def _abandoned(path: Path) -> Iterator[KilledRun | None]:
    """Yields a note whose run is gone, locked meanwhile; None for any other file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | _FLAGS)
    except OSError:
        yield None
        return
    try:
        killed = None
        with contextlib.suppress(OSError, msgspec.MsgspecError, UnicodeDecodeError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            killed = msgspec.json.decode(os.read(descriptor, _MOST_BYTES), type=KilledRun)
        yield killed
    finally:
        os.close(descriptor)
