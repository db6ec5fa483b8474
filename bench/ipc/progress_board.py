"""How far each producer has come, for an observer on the same host to look at.

A file of counters that both map into their memory: a producer writes its own row whenever replies
came, and never waits for anybody.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

_COLUMNS = 4
_SENT, _ANSWERED_BEFORE, _ENQUEUED, _EXCLUDED = range(_COLUMNS)


class ProgressBoard:
    """One row a producer. Each counter only grows."""

    def __init__(self, path: Path, producers: int) -> None:
        """Open it; ``producers`` must be as it was made with."""
        self._path = path
        self._rows = np.memmap(path, np.int64, "r+", shape=(producers, _COLUMNS))

    @classmethod
    def make(cls, path: Path, producers: int) -> "ProgressBoard":
        """A new one, all zero."""
        path.write_bytes(bytes(8 * _COLUMNS * producers))
        return cls(path, producers)

    def note(self, producer: int, sent: int, answered_before: int, enqueued: int) -> None:
        """What a producer has done: tasks sent; the sequence number before which every task was
        answered; tasks that the server acknowledged."""
        self._rows[producer, :_EXCLUDED] = (sent, answered_before, enqueued)

    def exclude(self, producer: int, sequences: Sequence[int]) -> None:
        """These tasks may never have been in Redis: the server refused them, or did not answer.

        To be called before the note that says they were answered.
        """
        with self._file(producer).open("ab") as file:
            file.write(np.array(sequences, np.int64).tobytes())
        self._rows[producer, _EXCLUDED] += len(sequences)

    def excluded_count(self, producer: int) -> int:
        """How many there are by now."""
        return int(self._rows[producer, _EXCLUDED])

    def excluded(self, producer: int) -> set[int]:
        """Their sequence numbers."""
        count = self.excluded_count(producer)
        return set(np.fromfile(self._file(producer), np.int64, count).tolist()) if count else set()

    def _file(self, producer: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{producer}")

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
