"""Tasks as bytes, ready to be sent but for the time of sending.

There are two kinds of frames. A ``TaskFrame`` holds its tasks one after the other, in the order of
their due times: it can be rendered before its tasks are due, and sent in parts. A ``CommandFrame``
holds, for each queue, first the commands that write all its tasks, then those that make them
visible: a server executes many commands of the same kind in a row about 4% faster.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bench.arrays import Bytes, Integers
from bench.wire import stamps

Bodies = Bytes | Sequence[bytes]
"""What follows the stamps in each payload: an array (n, length), or n texts of any length."""


@dataclass(frozen=True, slots=True)
class Tasks:
    """Tasks (n,) of one producer, in the order in which the server answers them."""

    sequence: Integers
    """Sequence numbers (n,)."""
    due_us: Integers
    """Due times (n,) in µs on the run's clock."""
    queue: Integers
    """Indices (n,) into the renderer's queues."""

    def __len__(self) -> int:
        return len(self.sequence)

    def part(self, start: int, stop: int) -> "Tasks":
        """Returns the tasks from ``start`` to ``stop`` (half-open)."""
        chosen = slice(start, stop)
        return Tasks(self.sequence[chosen], self.due_us[chosen], self.queue[chosen])


@dataclass(frozen=True)
class Batch:
    """Tasks (n,) of one producer that are rendered together.

    Sequence numbers and due times ascend.
    """

    sequence: Integers
    """Sequence numbers (n,)."""
    due_us: Integers
    """Due times (n,) in µs on the run's clock."""
    queue: Integers
    """Indices (n,) into the renderer's queues."""
    bodies: Bodies

    def __len__(self) -> int:
        return len(self.sequence)

    @property
    def tasks(self) -> Tasks:
        """The tasks without their payloads."""
        return Tasks(self.sequence, self.due_us, self.queue)

    def part(self, start: int, stop: int) -> "Batch":
        """Returns the tasks from ``start`` to ``stop`` (half-open)."""
        chosen = slice(start, stop)
        return Batch(
            self.sequence[chosen], self.due_us[chosen], self.queue[chosen], self.bodies[chosen]
        )


class Frame(Protocol):
    """Tasks as bytes that lack only the time of sending."""

    @property
    def tasks(self) -> Tasks:
        """The tasks, in the order in which the server answers them."""
        ...

    @property
    def queue_sizes(self) -> Sequence[int] | None:
        """How many of the tasks lie together by command, for each queue; None if none do."""
        ...

    def stamped(self, sent_us: int, start: int = 0, stop: int | None = None) -> memoryview:
        """Returns the bytes of the tasks from ``start`` to ``stop`` (half-open; all by default), to
        be sent now, with the time of sending in every payload.

        Raises ValueError if ``sent_us`` does not have sixteen digits, and where only the whole
        frame can be sent.
        """
        ...


@dataclass(frozen=True)
class TaskFrame:
    """Tasks (n,) as bytes, each by itself, in the order of the batch."""

    tasks: Tasks
    _texts: Sequence[memoryview]
    """The bytes of each task (n,)."""
    _sent_at: Sequence[Sequence[int]]
    """Offsets (n,) of the sending time in each task, for each place where a task has it."""

    queue_sizes = None

    def stamped(self, sent_us: int, start: int = 0, stop: int | None = None) -> memoryview:
        """Returns the bytes of the tasks from ``start`` to ``stop`` (half-open; all by default), to
        be sent now, with the time of sending in every payload.

        Raises ValueError if ``sent_us`` does not have sixteen digits.
        """
        digits = _digits_of(sent_us)
        texts = self._texts[start:stop]
        for places in self._sent_at:
            for text, at in zip(texts, places[start:stop], strict=True):
                text[at : at + stamps.DIGITS] = digits
        return texts[0] if len(texts) == 1 else memoryview(b"".join(texts))


@dataclass(frozen=True)
class Rows:
    """Tasks (n,) of one shape, with the sending times as views (n, digits) of the bytes."""

    text: Bytes
    sent: Sequence[Bytes]

    def stamped(self, digits: bytes) -> memoryview:
        """Returns the bytes, with these digits as the time of sending."""
        for columns in self.sent:
            columns[:] = np.frombuffer(digits, np.uint8)
        return self.text.data


@dataclass(frozen=True)
class Texts:
    """Tasks of any shapes, with the offsets of the sending times."""

    text: bytearray
    sent_at: Sequence[int]

    def stamped(self, digits: bytes) -> memoryview:
        """Returns the bytes, with these digits as the time of sending."""
        for at in self.sent_at:
            self.text[at : at + stamps.DIGITS] = digits
        return memoryview(self.text)


@dataclass(frozen=True)
class CommandFrame:
    """Tasks (n,) as bytes, by queue and then by command; within a queue they keep their order."""

    tasks: Tasks
    queue_sizes: Sequence[int]
    """How many of the tasks lie together by command, for each queue."""
    _pieces: Sequence[Rows | Texts]

    def stamped(self, sent_us: int, start: int = 0, stop: int | None = None) -> memoryview:
        """Returns the bytes to send, with the time of sending in every payload.

        Raises ValueError if ``sent_us`` does not have sixteen digits, and for less than all tasks,
        as the commands of a task lie apart.
        """
        if start != 0 or stop not in (None, len(self.tasks)):
            raise ValueError("a frame that is ordered by command can only be sent as a whole")
        digits = _digits_of(sent_us)
        parts = [piece.stamped(digits) for piece in self._pieces]
        return parts[0] if len(parts) == 1 else memoryview(b"".join(parts))


def _digits_of(sent_us: int) -> bytes:
    stamps.require_digits(sent_us)
    return b"%d" % sent_us
