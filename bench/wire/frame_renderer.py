"""Renders many tasks into one buffer of RESP bytes, without a Python step per task.

The bytes that enqueue a task have a fixed shape: two tasks of one queue whose payloads have the
same length differ only in the digits of their ids and stamps and in the text of their payloads. So
the plain encoder lays out the shape once, with marks where those digits go. The shape is then
repeated into a two-dimensional array of bytes, and vector operations write the digits into their
columns.

Batches of a few tasks, and payloads whose lengths differ from task to task, are filled in one by
one, from the same shape as a ``%`` template: below some two dozen tasks this is faster.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.arrays import Bytes, Integers
from bench.wire import ids, stamps
from bench.wire.answers import Answers
from bench.wire.frames import (
    Batch,
    Bodies,
    CommandFrame,
    Frame,
    Rows,
    TaskFrame,
    Tasks,
    Texts,
)
from bench.wire.layout_contract import Layout
from bench.wire.task import Task
from bench.wire.templates import CommandTemplate, make_templates

_VECTOR_FROM = 24
"""Number of tasks of one queue from which vectors are faster than templates."""

_VECTOR_FROM_BY_TASK = 96
"""Likewise where the tasks are cut apart afterwards, which vectors do not do."""

_SHAPES_KEPT = 4096
"""Most shapes that are kept at a time."""

_DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)
_FOUR_DECIMALS = _DIGITS[np.arange(10**4)[:, None] // (1000, 100, 10, 1) % 10]
_FOUR_HEX = _DIGITS[np.arange(1 << 16)[:, None] >> (12, 8, 4, 0) & 15]


@dataclass(frozen=True)
class _QueueBatch:
    """The tasks of a batch that go to one queue."""

    queue: int
    members: Integers
    """Their indices (n,) in the batch."""
    batch: Batch

    def __len__(self) -> int:
        return len(self.members)

    @property
    def bodies_as_rows(self) -> Bytes | None:
        """The bodies (n, length) where vectors are the fastest way to fill them in, or None."""
        bodies = self.batch.bodies
        return bodies if isinstance(bodies, np.ndarray) and len(self) >= _VECTOR_FROM else None

    @property
    def bodies_as_texts(self) -> Sequence[bytes]:
        """The bodies (n,), each as bytes."""
        bodies = self.batch.bodies
        return [row.tobytes() for row in bodies] if isinstance(bodies, np.ndarray) else bodies


class FrameRenderer:
    """Renders the tasks of one producer of one run, ordered task by task or ``by_command``."""

    def __init__(
        self,
        layout: Layout,
        queues: Sequence[str],
        run: int,
        producer: int,
        max_retry: int,
        by_command: bool = False,
    ) -> None:
        self.layout = layout
        self._queues = list(queues)
        self._run = run
        self._producer = producer
        self._max_retry = max_retry
        self._by_command = by_command
        self._shapes: dict[tuple[int, int], Sequence[CommandTemplate]] = {}
        self.replies_per_task = len(layout.enqueue(Task(self._id(0), self._queues[0], b"{}")))

    def answers(self) -> Answers:
        """Returns what assigns the replies of one connection to the tasks of its frames."""
        return Answers(self.replies_per_task, self._by_command)

    def render(self, batch: Batch) -> Frame:
        """Returns the batch as bytes that lack only the time of sending.

        Raises ValueError if a due time does not have sixteen digits, or a sequence number does not
        fit into 48 bits.
        """
        if len(batch):
            stamps.require_digits(int(batch.due_us[0]))
            stamps.require_digits(int(batch.due_us[-1]))
            if not 0 <= batch.sequence[-1] < ids.MAX_SEQUENCE:
                raise ValueError(f"sequence {batch.sequence[-1]} does not fit into 48 bits")
        if self._by_command:
            return self._command_frame(batch.tasks, self._by_queue(batch))
        if len(batch) < _VECTOR_FROM_BY_TASK:
            return self._small_task_frame(batch)
        return self._task_frame(batch.tasks, self._by_queue(batch))

    def _by_queue(self, batch: Batch) -> list[_QueueBatch]:
        """Returns the batch by queue, in the order of the queues."""
        queues = batch.queue
        present = np.flatnonzero(np.bincount(queues, minlength=len(self._queues))).tolist()
        if len(present) == 1:
            return [_QueueBatch(present[0], np.arange(len(batch)), batch)]
        parts = []
        for queue in present:
            members = np.flatnonzero(queues == queue)
            bodies = batch.bodies
            chosen: Bodies
            if isinstance(bodies, np.ndarray):
                chosen = bodies[members]
            else:
                chosen = [bodies[member] for member in members.tolist()]
            part = Batch(batch.sequence[members], batch.due_us[members], queues[members], chosen)
            parts.append(_QueueBatch(queue, members, part))
        return parts

    def _command_frame(self, tasks: Tasks, parts: Sequence[_QueueBatch]) -> CommandFrame:
        if len(parts) > 1:
            order = np.concatenate([part.members for part in parts])
            tasks = Tasks(tasks.sequence[order], tasks.due_us[order], tasks.queue[order])
        pieces: list[Rows | Texts] = []
        for part in parts:
            bodies = part.bodies_as_rows
            pieces.append(self._rows(part, bodies) if bodies is not None else self._texts(part))
        return CommandFrame(tasks, [len(part) for part in parts], pieces)

    def _small_task_frame(self, batch: Batch) -> TaskFrame:
        bodies: Iterable[bytes] = batch.bodies
        if isinstance(batch.bodies, np.ndarray):
            text, length = batch.bodies.tobytes(), batch.bodies.shape[1]
            bodies = [text[at * length : (at + 1) * length] for at in range(len(batch))]
        columns = batch.sequence.tolist(), batch.due_us.tolist(), batch.queue.tolist()
        texts: list[memoryview] = []
        places: list[Sequence[int]] = []
        for sequence, due_us, queue, body in zip(*columns, bodies, strict=True):
            (command,) = self._shape(queue, len(body))
            template, in_order = command.template
            filled = template % in_order((sequence, due_us, stamps.MIN_US, body))
            texts.append(memoryview(bytearray(filled)))
            places.append(command.sent_at)
        return TaskFrame(batch.tasks, texts, [*zip(*places, strict=True)])

    def _task_frame(self, tasks: Tasks, parts: Sequence[_QueueBatch]) -> TaskFrame:
        texts: list[memoryview] = []
        places: list[Sequence[int]] = []
        for part in parts:
            bodies = part.bodies_as_rows
            if bodies is None:
                for text, sent_at in self._filled(part, 0):
                    texts.append(memoryview(bytearray(text)))
                    places.append(sent_at)
                continue
            (shape,) = self._shape(part.queue, bodies.shape[1])
            rows, length = self._rows(part, bodies).text.data, len(shape.row)
            texts += [rows[at : at + length] for at in range(0, len(rows), length)]
            places += [shape.sent_at] * len(part)
        if len(parts) > 1:
            order = np.argsort(np.concatenate([part.members for part in parts])).tolist()
            texts = [texts[index] for index in order]
            places = [places[index] for index in order]
        return TaskFrame(tasks, texts, [*zip(*places, strict=True)])

    def _rows(self, part: _QueueBatch, bodies: Bytes) -> Rows:
        batch, count = part.batch, len(part)
        shape = self._shape(part.queue, bodies.shape[1])
        text = np.empty(count * sum(len(each.row) for each in shape), np.uint8)
        sequence_digits = _hex_digits(batch.sequence)
        begin, sent = 0, []
        for each in shape:
            end = begin + count * len(each.row)
            rows = text[begin:end].reshape(count, len(each.row))
            begin = end
            rows[:] = each.row
            for at in each.sequence_at:
                rows[:, at : at + ids.SEQUENCE_DIGITS] = sequence_digits
            sent += [rows[:, at : at + stamps.DIGITS] for at in each.sent_at]
            slot = each.payload
            if slot is not None:
                rows[:, slot.due_at : slot.due_at + stamps.DIGITS] = _decimal_digits(batch.due_us)
                rows[:, slot.body_at : slot.body_at + slot.body_length] = bodies
        return Rows(text, sent)

    def _texts(self, part: _QueueBatch) -> Texts:
        commands = len(self._shape(part.queue, len(part.bodies_as_texts[0])))
        filled: list[bytes] = []
        sent_at: list[int] = []
        length = 0
        for number in range(commands):
            for text, places in self._filled(part, number):
                filled.append(text)
                sent_at += [length + at for at in places]
                length += len(text)
        return Texts(bytearray().join(filled), sent_at)

    def _filled(self, part: _QueueBatch, number: int) -> Iterator[tuple[bytes, Sequence[int]]]:
        """Yields the ``number``-th template of each task, filled in, with the offsets of its
        sending time."""
        texts = part.bodies_as_texts
        numbers, dues = part.batch.sequence.tolist(), part.batch.due_us.tolist()
        for sequence, due_us, text in zip(numbers, dues, texts, strict=True):
            command = self._shape(part.queue, len(text))[number]
            template, in_order = command.template
            filled = template % in_order((sequence, due_us, stamps.MIN_US, text))
            yield filled, command.sent_at

    def _shape(self, queue: int, body_length: int) -> Sequence[CommandTemplate]:
        shape = self._shapes.get((queue, body_length))
        if shape is None:
            if len(self._shapes) >= _SHAPES_KEPT:
                self._shapes.clear()
            shape = make_templates(
                self.layout,
                self._queues[queue],
                self._max_retry,
                body_length,
                self._id,
                self._by_command,
            )
            self._shapes[queue, body_length] = shape
        return shape

    def _id(self, sequence: int) -> str:
        return ids.format_id(ids.TaskId(self._run, self._producer, sequence))


def _decimal_digits(values: Integers) -> Bytes:
    """Returns ascending integers (n,) below 10^16 as ASCII digits (n, 16)."""
    digits = np.empty((len(values), 4, 4), np.uint8)
    first, last = int(values[0]), int(values[-1])
    if first == last:
        digits[:] = np.frombuffer(b"%016d" % first, np.uint8).reshape(4, 4)
        return digits.reshape(len(digits), 16)
    high = first // 10**8
    low: npt.NDArray[np.signedinteger] = values
    columns = range(3, -1, -1)
    if high == last // 10**8:  # true for a hundred seconds at a time, and less to divide
        digits[:, :2] = np.frombuffer(b"%08d" % high, np.uint8).reshape(2, 4)
        low = (values - high * 10**8).astype(np.int32)
        columns = range(3, 1, -1)
    for column in columns:
        low, remainder = np.divmod(low, low.dtype.type(10**4))
        digits[:, column] = _FOUR_DECIMALS[remainder]
    return digits.reshape(len(digits), 16)


def _hex_digits(values: Integers) -> Bytes:
    """Returns ascending integers (n,) below 2^48 as ASCII hexadecimal digits (n, 12)."""
    digits = np.empty((len(values), 3, 4), np.uint8)
    high = int(values[0]) >> 16
    digits[:, 2] = _FOUR_HEX[values & 0xFFFF]
    if high == int(values[-1]) >> 16:
        digits[:, :2] = np.frombuffer(b"%08x" % high, np.uint8).reshape(2, 4)
    else:
        digits[:, 0] = _FOUR_HEX[values >> 32]
        digits[:, 1] = _FOUR_HEX[(values >> 16) & 0xFFFF]
    return digits.reshape(len(digits), 12)
