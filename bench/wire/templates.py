"""The bytes that enqueue a task, laid out once, with the places of what varies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter

import numpy as np

from bench.arrays import Bytes
from bench.wire import ids, resp, stamps
from bench.wire.layout import Command, Layout
from bench.wire.task import Task

_MARK_SEQUENCE = ids.MAX_SEQUENCE - 1
_MARK_DUE = stamps.MAX_US
_MARK_SENT = stamps.MAX_US - 1


@dataclass(frozen=True)
class PayloadSlot:
    """Where a payload stands in a part."""

    due_at: int
    body_at: int
    body_length: int


@dataclass(frozen=True)
class CommandTemplate:
    """Commands of one task that follow on each other, and where their varying digits begin."""

    row: Bytes
    sequence_at: Sequence[int]
    sent_at: Sequence[int]
    """Where the moment of sending stands: in the payload, and wherever else the layout notes it."""
    payload: PayloadSlot | None
    """None where these commands carry no payload."""

    @cached_property
    def template(self) -> tuple[bytes, Callable[[tuple[object, ...]], tuple[object, ...]]]:
        """The row as a ``%`` template, and a function that puts (sequence, due, sent, body) into
        the template's own order."""
        places = [(at, ids.SEQUENCE_DIGITS, b"%012x", 0) for at in self.sequence_at]
        places += [(at, stamps.DIGITS, b"%d", 2) for at in self.sent_at]
        if self.payload is not None:
            places.append((self.payload.due_at, stamps.DIGITS, b"%d", 1))
            places.append((self.payload.body_at, self.payload.body_length, b"%b", 3))
        text, end, order = b"", 0, []
        row = self.row.tobytes()
        for at, length, placeholder, argument in sorted(places):
            text += row[end:at].replace(b"%", b"%%") + placeholder
            end = at + length
            order.append(argument)
        # A slice keeps it a tuple where there is only one place to fill.
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
    """One task's commands: in one part, or with ``by_command`` in a part each.

    ``id_of`` makes a task id from a sequence number.
    """
    marked_id = id_of(_MARK_SEQUENCE)
    payload = stamps.head(_MARK_DUE, _MARK_SENT) + bytes(body_length)
    task = Task(marked_id, queue, payload, max_retry=max_retry, sent_us=_MARK_SENT)
    commands = layout.enqueue(task)
    split = [[command] for command in commands] if by_command else [commands]
    return [_part(each, marked_id.encode(), payload, body_length) for each in split]


def _part(
    commands: Sequence[Command], marked_id: bytes, payload: bytes, body_length: int
) -> CommandTemplate:
    row = resp.encode(commands)
    at = row.find(payload)
    return CommandTemplate(
        row=np.frombuffer(row, np.uint8),
        sequence_at=[place + ids.SEQUENCE_START for place in _occurrences(row, marked_id)],
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
    places, at = [], text.find(part)
    while at >= 0:
        places.append(at)
        at = text.find(part, at + len(part))
    return places
