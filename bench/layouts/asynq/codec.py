"""A task as asynq stores it: one protobuf message in one field of the task's hash.

The protobuf library encodes and decodes; this module maps the fields of a ``Task``.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bench.wire.task import Task, decode

if TYPE_CHECKING:
    from bench.layouts.asynq.protobuf.task_message_pb2 import TaskMessage

TIMEOUT_S = 1800
"""The time-out in seconds that asynq's client writes if none is given."""


@functools.cache
def _codec() -> type[TaskMessage]:
    """Returns the message's class, loaded when it is first needed: the processes of other layouts
    do without the library's memory."""
    from bench.layouts.asynq.protobuf.task_message_pb2 import TaskMessage  # noqa: PLC0415

    return TaskMessage


def encode(task: Task, *, timeout_s: int = TIMEOUT_S, retention_s: int = 0) -> bytes:
    """Returns the message that asynq's client would write for this task.

    ``timeout_s`` and ``retention_s`` are its options of these names; with 0 it writes neither.
    """
    return _codec()(
        type=task.type,
        payload=task.payload,
        id=task.id,
        queue=task.queue,
        retry=task.max_retry,
        retried=task.retry,
        timeout=timeout_s,
        retention=retention_s,
    ).SerializeToString(deterministic=True)


def read(task_id: str, fields: Mapping[bytes, bytes]) -> Task:
    """Returns the task of a hash: from ``msg``, or from the seed's five plain fields, which today's
    runqy workers accept as well.

    Raises ValueError if neither exists or ``msg`` is not such a message.
    """
    text = fields.get(b"msg")
    if text is None:
        if b"payload" not in fields:
            raise ValueError(f"task {task_id} has neither a field 'msg' nor the plain fields")
        return decode(task_id, fields)
    message = parse(task_id, text)
    if message.retried < 0:
        raise ValueError(f"task {task_id}: its message counts {message.retried} retries")
    return Task(
        id=message.id,
        queue=message.queue,
        payload=message.payload,
        type=message.type,
        retry=message.retried,
        max_retry=message.retry,
    )


def parse(task_id: str, text: bytes) -> TaskMessage:
    """Returns the decoded message. Raises ValueError if it is not a TaskMessage."""
    from google.protobuf.message import DecodeError  # noqa: PLC0415 - see _codec

    try:
        return _codec().FromString(text)
    except DecodeError:
        raise ValueError(f"task {task_id}: field 'msg' is not a TaskMessage") from None


def failed(task_id: str, text: bytes, error: str, now_s: int, *, retried: bool) -> bytes:
    """Returns a task's message after a failed attempt; ``retried`` if another one follows.

    Raises ValueError if it is not a TaskMessage.
    """
    message = parse(task_id, text)
    if is_text(task_id):
        message.id = task_id  # a message made of plain fields has none
    message.retried += retried
    message.error_msg = error
    message.last_failed_at = now_s
    return message.SerializeToString(deterministic=True)


def is_text(task_id: str) -> bool:
    """Whether a message can hold this id: one that was read from bytes need not be text."""
    return task_id.isascii() or not any("\ud800" <= each <= "\udfff" for each in task_id)


def completion(now_s: int) -> bytes:
    """Returns bytes that, put behind a message, make it say that it was completed at that Unix
    time."""
    return _codec()(completed_at=now_s).SerializeToString(deterministic=True)


def map_key(text: str) -> bytes:
    """Returns the bytes by which protobuf writes a text as the key of an entry of a map.

    That is field 1 of the entry, as the type is of a task's message.
    """
    return _codec()(type=text).SerializeToString(deterministic=True)
