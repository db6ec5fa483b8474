"""Many tasks at once into one buffer of RESP bytes, without a Python step per task.

The bytes that enqueue a task have a fixed shape: two tasks of one queue, with payloads of one
length, differ only in the digits of their ids and stamps and in the letters of their payload. So
the shape is laid out once, by the plain encoder, with marks where those digits go; it is then
repeated into a two-dimensional array of bytes, and the digits are written into their columns by
vector operations.

Batches of a few tasks, and payloads whose lengths differ from task to task, are filled in one by
one from the same shape as a ``%`` template: below some two dozen tasks that is the faster way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from bench.wire import ids, resp, stamps
from bench.wire.layout import Layout
from bench.wire.task import Task

Bytes = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]
Bodies = Bytes | Sequence[bytes]
"""What follows the stamps in each payload: an (n, length) array, or n texts of any lengths."""

_VECTOR_FROM = 24
"""Tasks of one queue from which on vectors beat templates (tests/benchmarks/frames.py)."""

_SHAPES_KEPT = 4096

_MARK_SEQUENCE = ids.MAX_SEQUENCE - 1
_MARK_DUE = stamps.MAX_US
_MARK_SENT = stamps.MAX_US - 1

_FOUR_DECIMALS = np.frombuffer(
    "".join(f"{number:04d}" for number in range(10**4)).encode(), np.uint8
).reshape(10**4, 4)
_FOUR_HEX = np.frombuffer(
    "".join(f"{number:04x}" for number in range(1 << 16)).encode(), np.uint8
).reshape(1 << 16, 4)


@dataclass(frozen=True)
class Batch:
    """Tasks of one producer that go out together: sequence numbers and due times ascend.

    ``sequence``, ``due_us`` and ``queue`` (an index into the renderer's queues) have one entry a
    task, and so has ``bodies``.
    """

    sequence: Integers
    due_us: Integers
    queue: Integers
    bodies: Bodies

    def __len__(self) -> int:
        return len(self.sequence)


@dataclass(frozen=True)
class Group:
    """A run of tasks of one queue within a frame."""

    queue: int
    due_us: Integers
    sequence: Integers

    def __len__(self) -> int:
        return len(self.due_us)


@dataclass(frozen=True)
class _Rows:
    """Tasks of one shape: an (n, length) array, with the stamp in one column."""

    rows: Bytes
    sent_at: int

    def stamped(self, digits: bytes) -> memoryview:
        self.rows[:, self.sent_at : self.sent_at + stamps.DIGITS] = np.frombuffer(digits, np.uint8)
        return self.rows.reshape(-1).data


@dataclass(frozen=True)
class _Texts:
    """Tasks of any shapes, one after the other, with the stamp's place in each."""

    text: bytearray
    sent_at: Sequence[int]

    def stamped(self, digits: bytes) -> memoryview:
        for at in self.sent_at:
            self.text[at : at + stamps.DIGITS] = digits
        return memoryview(self.text)


@dataclass(frozen=True)
class Frame:
    """A batch as bytes. Tasks stand grouped by queue; within a queue they keep their order."""

    groups: Sequence[Group]
    _pieces: Sequence[_Rows | _Texts]

    def stamped(self, sent_us: int) -> memoryview:
        """The bytes to send, with the moment of sending in every payload.

        Raises ValueError when ``sent_us`` has not sixteen digits.
        """
        _require_digits(sent_us)
        digits = b"%d" % sent_us
        parts = [piece.stamped(digits) for piece in self._pieces]
        return parts[0] if len(parts) == 1 else memoryview(b"".join(parts))


@dataclass(frozen=True)
class _Shape:
    """The bytes of one task, and where its varying parts begin."""

    row: Bytes
    sequence_at: Sequence[int]
    due_at: int
    sent_at: int
    body_at: int
    body_length: int

    @cached_property
    def template(self) -> tuple[bytes, Callable[[tuple[object, ...]], tuple[object, ...]]]:
        """The row as a ``%`` template, and a function that puts (sequence, due, sent, body) into
        the template's own order."""
        parts = [(at, ids.SEQUENCE_DIGITS, b"%012x", 0) for at in self.sequence_at]
        parts.append((self.due_at, stamps.DIGITS, b"%d", 1))
        parts.append((self.sent_at, stamps.DIGITS, b"%d", 2))
        parts.append((self.body_at, self.body_length, b"%b", 3))
        text, end, order = b"", 0, []
        row = self.row.tobytes()
        for at, length, placeholder, argument in sorted(parts):
            text += row[end:at].replace(b"%", b"%%") + placeholder
            end = at + length
            order.append(argument)
        return text + row[end:].replace(b"%", b"%%"), itemgetter(*order)


class FrameRenderer:
    """Renders the tasks of one producer of one run."""

    def __init__(
        self, layout: Layout, queues: Sequence[str], run: int, producer: int, max_retry: int
    ) -> None:
        self._layout = layout
        self._queues = list(queues)
        self._run = run
        self._producer = producer
        self._max_retry = max_retry
        self._shapes: dict[tuple[int, int], _Shape] = {}
        mark = Task(self._id(_MARK_SEQUENCE), self._queues[0], b"{}")
        self.replies_per_task = len(layout.enqueue(mark))

    def render(self, batch: Batch) -> Frame:
        """The batch, laid out and waiting for its moment of sending.

        Raises ValueError when a due time has not sixteen digits, or a sequence not 48 bits.
        """
        if len(batch):
            _require_digits(int(batch.due_us[0]))
            _require_digits(int(batch.due_us[-1]))
            if not 0 <= batch.sequence[-1] < ids.MAX_SEQUENCE:
                raise ValueError(f"sequence {batch.sequence[-1]} does not fit its 48 bits")
        groups: list[Group] = []
        pieces: list[_Rows | _Texts] = []
        for group, bodies in self._split(batch):
            groups.append(group)
            if isinstance(bodies, np.ndarray) and len(group) >= _VECTOR_FROM:
                pieces.append(self._fill_vectors(group, bodies))
            else:
                pieces.append(self._fill_templates(group, bodies))
        return Frame(groups, pieces)

    def _split(self, batch: Batch) -> list[tuple[Group, Bodies]]:
        """The batch by queue, in the order of the queues."""
        present = np.flatnonzero(np.bincount(batch.queue, minlength=len(self._queues)))
        if len(present) == 1:
            return [(Group(int(present[0]), batch.due_us, batch.sequence), batch.bodies)]
        parts: list[tuple[Group, Bodies]] = []
        for queue in present:
            members = np.flatnonzero(batch.queue == queue)
            bodies = batch.bodies
            chosen: Bodies
            if isinstance(bodies, np.ndarray):
                chosen = bodies[members]
            else:
                chosen = [bodies[member] for member in members.tolist()]
            group = Group(int(queue), batch.due_us[members], batch.sequence[members])
            parts.append((group, chosen))
        return parts

    def _fill_vectors(self, group: Group, bodies: Bytes) -> _Rows:
        shape = self._shape(group.queue, bodies.shape[1])
        rows = np.empty((len(group), len(shape.row)), np.uint8)
        rows[:] = shape.row
        sequence_digits = _hex_digits(group.sequence)
        for at in shape.sequence_at:
            rows[:, at : at + ids.SEQUENCE_DIGITS] = sequence_digits
        rows[:, shape.due_at : shape.due_at + stamps.DIGITS] = _decimal_digits(group.due_us)
        rows[:, shape.body_at : shape.body_at + shape.body_length] = bodies
        return _Rows(rows, shape.sent_at)

    def _fill_templates(self, group: Group, bodies: Bodies) -> _Texts:
        texts = [row.tobytes() for row in bodies] if isinstance(bodies, np.ndarray) else bodies
        filled: list[bytes] = []
        sent_at: list[int] = []
        length = 0
        sequences, dues = group.sequence.tolist(), group.due_us.tolist()
        for sequence, due_us, body in zip(sequences, dues, texts, strict=True):
            shape = self._shape(group.queue, len(body))
            template, in_order = shape.template
            filled.append(template % in_order((sequence, due_us, stamps.MIN_US, body)))
            sent_at.append(length + shape.sent_at)
            length += len(shape.row)
        return _Texts(bytearray().join(filled), sent_at)

    def _shape(self, queue: int, body_length: int) -> _Shape:
        shape = self._shapes.get((queue, body_length))
        if shape is None:
            if len(self._shapes) >= _SHAPES_KEPT:
                self._shapes.clear()
            shape = self._lay_out(queue, body_length)
            self._shapes[queue, body_length] = shape
        return shape

    def _lay_out(self, queue: int, body_length: int) -> _Shape:
        marked_id = self._id(_MARK_SEQUENCE)
        head = stamps.head(_MARK_DUE, _MARK_SENT)
        payload = head + bytes(body_length)
        task = Task(marked_id, self._queues[queue], payload, max_retry=self._max_retry)
        row = resp.encode(self._layout.enqueue(task))
        payload_at = row.index(payload)
        return _Shape(
            row=np.frombuffer(row, np.uint8),
            sequence_at=[at + ids.SEQUENCE_START for at in _occurrences(row, marked_id.encode())],
            due_at=payload_at + stamps.DUE_START,
            sent_at=payload_at + stamps.SENT_START,
            body_at=payload_at + stamps.HEAD_LENGTH,
            body_length=body_length,
        )

    def _id(self, sequence: int) -> str:
        return ids.format_id(ids.TaskId(self._run, self._producer, sequence))


def _occurrences(text: bytes, part: bytes) -> list[int]:
    places, at = [], text.find(part)
    while at >= 0:
        places.append(at)
        at = text.find(part, at + len(part))
    return places


def _require_digits(stamp_us: int) -> None:
    if not stamps.MIN_US <= stamp_us <= stamps.MAX_US:
        raise ValueError(f"stamp {stamp_us} has not {stamps.DIGITS} digits: is the clock set?")


def _decimal_digits(values: Integers) -> Bytes:
    """(n,) ascending integers below 10^16 to (n, 16) ASCII digits."""
    digits = np.empty((len(values), 4, 4), np.uint8)
    first, last = int(values[0]), int(values[-1])
    if first == last:
        digits[:] = np.frombuffer(b"%016d" % first, np.uint8).reshape(4, 4)
        return digits.reshape(len(digits), 16)
    high = first // 10**8
    low: npt.NDArray[np.signedinteger] = values
    places = range(3, -1, -1)
    if high == last // 10**8:  # for a hundred seconds in a row: less to divide
        digits[:, :2] = np.frombuffer(b"%08d" % high, np.uint8).reshape(2, 4)
        low = (values - high * 10**8).astype(np.int32)
        places = range(3, 1, -1)
    for place in places:
        low, remainder = np.divmod(low, low.dtype.type(10**4))
        digits[:, place] = _FOUR_DECIMALS[remainder]
    return digits.reshape(len(digits), 16)


def _hex_digits(values: Integers) -> Bytes:
    """(n,) ascending integers below 2^48 to (n, 12) ASCII hexadecimal digits."""
    digits = np.empty((len(values), 3, 4), np.uint8)
    high = int(values[0]) >> 16
    digits[:, 2] = _FOUR_HEX[values & 0xFFFF]
    if high == int(values[-1]) >> 16:
        digits[:, :2] = np.frombuffer(b"%08x" % high, np.uint8).reshape(2, 4)
    else:
        digits[:, 0] = _FOUR_HEX[values >> 32]
        digits[:, 1] = _FOUR_HEX[(values >> 16) & 0xFFFF]
    return digits.reshape(len(digits), 12)
