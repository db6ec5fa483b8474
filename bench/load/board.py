"""How far each producer has come, for an observer on the same host to look at.

A file of counters that both map into their memory: a producer writes its own row whenever replies
came, and never waits for anybody.
"""

from pathlib import Path

import numpy as np

_COLUMNS = 3
_SENT, _ANSWERED_BEFORE, _ENQUEUED = range(_COLUMNS)


class Board:
    """One row a producer. Each counter only grows."""

    def __init__(self, path: Path, producers: int) -> None:
        """Open it; ``producers`` must be as it was made with."""
        self._rows = np.memmap(path, np.int64, "r+", shape=(producers, _COLUMNS))

    @classmethod
    def make(cls, path: Path, producers: int) -> "Board":
        """A new one, all zero."""
        path.write_bytes(bytes(8 * _COLUMNS * producers))
        return cls(path, producers)

    def note(self, producer: int, sent: int, answered_before: int, enqueued: int) -> None:
        """What a producer has done: tasks sent; the sequence number before which every task was
        answered; tasks that the server acknowledged."""
        self._rows[producer] = (sent, answered_before, enqueued)

    def answered_before(self, producer: int) -> int:
        """Every task with a smaller sequence number is in Redis, or was refused or lost."""
        return int(self._rows[producer, _ANSWERED_BEFORE])

    def sent(self, producer: int) -> int:
        """Tasks that were handed to the socket."""
        return int(self._rows[producer, _SENT])

    @property
    def enqueued(self) -> int:
        """Tasks that the server acknowledged, of all producers."""
        return int(self._rows[:, _ENQUEUED].sum())
