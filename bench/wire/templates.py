"""The bytes that enqueue a task, laid out once, with the offsets of what varies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter

import numpy as np

from bench.arrays import Bytes
from bench.wire import ids, resp, stamps
from bench.wire.layout_contract import Command, Layout
from bench.wire.task import Task

_MARK_SEQUENCE = ids.MAX_SEQUENCE - 1
_MARK_DUE = stamps.MAX_US
_MARK_SENT = stamps.MAX_US - 1


@dataclass(frozen=True)
class PayloadSlot:
    """Offsets of a payload's parts within a template."""

    due_at: int
    body_at: int
    body_length: int


@dataclass(frozen=True)
class CommandTemplate:
    """Consecutive commands of one task, and the offsets at which their varying digits begin."""

    row: Bytes
    sequence_at: Sequence[int]
    sent_at: Sequence[int]
    """Offsets of the sending time: in the payload, and wherever else the layout stores it."""
    payload: PayloadSlot | None
    """None if these commands carry no payload."""

    @cached_property
    def template(self) -> tuple[bytes, Callable[[tuple[object, ...]], tuple[object, ...]]]:
        """The row as a ``%`` template, and a function that puts (sequence, due, sent, body) into
        the template's order."""
        slots = [(at, ids.SEQUENCE_DIGITS, b"%012x", 0) for at in self.sequence_at]
        slots += [(at, stamps.DIGITS, b"%d", 2) for at in self.sent_at]
        if self.payload is not None:
            slots.append((self.payload.due_at, stamps.DIGITS, b"%d", 1))
            slots.append((self.payload.body_at, self.payload.body_length, b"%b", 3))
        text, end, order = b"", 0, []
        row = self.row.tobytes()
        for at, length, placeholder, argument in sorted(slots):
            text += row[end:at].replace(b"%", b"%%") + placeholder
            end = at + length
            order.append(argument)
        # A slice keeps the result a tuple if there is only one slot to fill.
        in_order = (
            itemgetter(*order) if len(order) > 1 else itemgetter(slice(order[0], order[0] + 1))
        )
        return text + row[end:].replace(b"%", b"%%"), in_order


def make_templates(
    layout: Layout,
    queue: str,
    max_retry: int,
    body_length: int,
    id_of: Callable[[int], str],
    by_command: bool,
) -> Sequence[CommandTemplate]:
    """Returns the templates of one task's commands: one for all, or with ``by_command`` one each.

    ``id_of`` makes a task id from a sequence number.
    """
    marked_id = id_of(_MARK_SEQUENCE)
    payload = stamps.head(_MARK_DUE, _MARK_SENT) + bytes(body_length)
    task = Task(marked_id, queue, payload, max_retry=max_retry, sent_us=_MARK_SENT)
    commands = layout.enqueue(task)
    split = [[command] for command in commands] if by_command else [commands]
    return [_template(each, marked_id.encode(), payload, body_length) for each in split]


def _template(
    commands: Sequence[Command], marked_id: bytes, payload: bytes, body_length: int
) -> CommandTemplate:
    row = resp.encode(commands)
    at = row.find(payload)
    return CommandTemplate(
        row=np.frombuffer(row, np.uint8),
        sequence_at=[at + ids.SEQUENCE_START for at in _occurrences(row, marked_id)],
        sent_at=_occurrences(row, b"%d" % _MARK_SENT),
        payload=PayloadSlot(
            due_at=at + stamps.DUE_START,
            body_at=at + stamps.HEAD_LENGTH,
            body_length=body_length,
        )
        if at >= 0
        else None,
    )


def _occurrences(text: bytes, part: bytes) -> list[int]:
    found, at = [], text.find(part)
    while at >= 0:
        found.append(at)
        at = text.find(part, at + len(part))
    return found
