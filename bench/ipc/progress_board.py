"""The progress of each producer, for the run and an observer on the same host.

It is a file of counters that all of them map into their memory. A producer writes its own row
before it sends and whenever replies have arrived, and never waits. The file outlives a producer
that is killed: no task that it sent is unaccounted for.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

_COLUMNS = 4
_SENT, _ANSWERED_BEFORE, _ENQUEUED, _EXCLUDED = range(_COLUMNS)


class ProgressBoard:
    """A row of counters for each producer. Each counter only grows."""

    def __init__(self, path: Path, producers: int) -> None:
        """Open a board that ``make`` has made for the same number of producers."""
        self._path = path
        self._rows = np.memmap(path, np.int64, "r+", shape=(producers, _COLUMNS))

    @classmethod
    def make(cls, path: Path, producers: int) -> "ProgressBoard":
        """Make a board whose counters are zero."""
        path.write_bytes(bytes(8 * _COLUMNS * producers))
        return cls(path, producers)

    def will_send(self, producer: int, count: int) -> None:
        """Write that so many more tasks may have been sent, before the socket gets them."""
        self._rows[producer, _SENT] += count

    def note(self, producer: int, sent: int, answered_before: int, enqueued: int) -> None:
        """Write a producer's row.

        ``sent`` is its number of tasks sent, ``answered_before`` the sequence number before which
        every task has been answered, ``enqueued`` its number of acknowledged tasks.
        """
        self._rows[producer, :_EXCLUDED] = (sent, answered_before, enqueued)

    def exclude(self, producer: int, sequences: Sequence[int]) -> None:
        """Exclude tasks that may never have been in Redis: refused, or without a reply.

        Must be called before the ``note`` that counts them as answered.
        """
        with self._file(producer).open("ab") as file:
            file.write(np.array(sequences, np.int64).tobytes())
        self._rows[producer, _EXCLUDED] += len(sequences)

    def excluded_count(self, producer: int) -> int:
        """Number of a producer's excluded tasks so far."""
        return int(self._rows[producer, _EXCLUDED])

    def excluded(self, producer: int) -> set[int]:
        """Sequence numbers of a producer's excluded tasks."""
        count = self.excluded_count(producer)
        return set(np.fromfile(self._file(producer), np.int64, count).tolist()) if count else set()

    def _file(self, producer: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{producer}")

    def answered_before(self, producer: int) -> int:
        """Sequence number before which every task is in Redis, refused or lost."""
        return int(self._rows[producer, _ANSWERED_BEFORE])

    def sent(self, producer: int) -> int:
        """Number of a producer's tasks that were given to the socket, or are about to be."""
        return int(self._rows[producer, _SENT])

    @property
    def enqueued(self) -> int:
        """Number of acknowledged tasks of all producers."""
        return int(self._rows[:, _ENQUEUED].sum())
