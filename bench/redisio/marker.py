"""A key that a run writes before its tasks, to know at its end whether its database kept its data.

    bench:{run}:marker    string    expires; the run removes it

The server's own counters cannot tell: they are those of all databases together, and they may be
reset at any time.
"""

import contextlib
from dataclasses import dataclass, field

import redis

from bench.wire.ids import run_text

EXPIRE_S = 3600
"""After this the keys are gone that a run which was killed has written for itself."""
_RENEW_EVERY_US = EXPIRE_S * 1_000_000 // 6


def marker_key(run: int) -> str:
    """``bench:{run}:marker``."""
    return f"bench:{run_text(run)}:marker"


@dataclass
class Marker:
    """The marker of one run. One that the server does not let the run write can tell nothing."""

    client: redis.Redis
    run: int
    commands: int = 0
    """Commands sent so far that the server's statistics would take for a task's."""
    _kept: list[str] = field(default_factory=list)
    """Keys that are to live as long as the run."""
    _is_set: bool = False
    _next_renewal_us: int = 0

    def set(self, now_us: int) -> None:
        """Write the marker. Raises redis-py's errors, but none for a user without the right."""
        with contextlib.suppress(redis.exceptions.NoPermissionError):
            self.client.set(marker_key(self.run), b"1", ex=EXPIRE_S)
            self._is_set = True
            self.keep(marker_key(self.run))
        self._next_renewal_us = now_us + _RENEW_EVERY_US

    def keep(self, key: str) -> None:
        """Renew another key of the run as well, which was written to expire after ``EXPIRE_S``."""
        self._kept.append(key)

    def renew(self, now_us: int) -> None:
        """Let the keys live on that are still there; most calls do nothing. Raises redis-py's
        errors."""
        if now_us >= self._next_renewal_us:
            for key in self._kept:
                self.commands += 1
                self.client.expire(key, EXPIRE_S)
            self._next_renewal_us = now_us + _RENEW_EVERY_US

    def is_there(self) -> bool | None:
        """Whether the database still holds the marker; None where the run could not write it.

        Raises redis-py's errors.
        """
        if not self._is_set:
            return None
        self.commands += 1
        return bool(self.client.exists(marker_key(self.run)))
