"""A task as asynq keeps it: one protobuf message in one field of the task's hash.

The codec is protobuf's own; this says which of the message's fields are which of ours.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bench.wire.task import Task, decode

if TYPE_CHECKING:
    from bench.layouts.asynq.protobuf.task_message_pb2 import TaskMessage

TIMEOUT_S = 1800
"""What asynq's client writes where nobody says how long a task may take."""


@functools.cache
def _codec() -> type[TaskMessage]:
    """The message's class, loaded when it is first needed: producers and workers of the other
    layout do without the library's memory."""
    from bench.layouts.asynq.protobuf.task_message_pb2 import TaskMessage  # noqa: PLC0415

    return TaskMessage


def encode(task: Task) -> bytes:
    """The message that asynq's client would write for this task."""
    return _codec()(
        type=task.type,
        payload=task.payload,
        id=task.id,
        queue=task.queue,
        retry=task.max_retry,
        retried=task.retry,
        timeout=TIMEOUT_S,
    ).SerializeToString(deterministic=True)


def read(task_id: str, fields: Mapping[bytes, bytes]) -> Task:
    """The task from its hash: from ``msg``, or from the seed's five plain fields in its place,
    as today's runqy workers accept them too.

    Raises ValueError when neither is there or ``msg`` is no such message.
    """
    text = fields.get(b"msg")
    if text is None:
        if b"payload" not in fields:
            raise ValueError(f"task {task_id} has neither a field 'msg' nor the plain fields")
        return decode(task_id, fields)
    message = parse(task_id, text)
    return Task(
        id=message.id,
        queue=message.queue,
        payload=message.payload,
        type=message.type,
        retry=message.retried,
        max_retry=message.retry,
    )


def parse(task_id: str, text: bytes) -> TaskMessage:
    """The message itself. Raises ValueError."""
    from google.protobuf.message import DecodeError  # noqa: PLC0415 - as above

    try:
        return _codec().FromString(text)
    except DecodeError:
        raise ValueError(f"task {task_id}: field 'msg' is not a TaskMessage") from None


def failed(task_id: str, text: bytes, error: str, now_s: int, *, retried: bool) -> bytes:
    """A task's message after an attempt that failed; ``retried`` where another one follows."""
    message = _codec().FromString(text)
    message.id = task_id  # one made of plain fields has none
    message.retried += retried
    message.error_msg = error
    message.last_failed_at = now_s
    return message.SerializeToString(deterministic=True)
