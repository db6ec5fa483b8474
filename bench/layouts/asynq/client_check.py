"""How ``bench clients`` checks a task of the asynq layout: a hash with a message and a state."""

from bench.layouts.asynq import codec
from bench.layouts.client_check import (
    Fields,
    UnexpectedTask,
    quoted,
    require,
    require_no_others,
    require_number,
)
from bench.wire.layout_contract import STATE_PENDING
from bench.wire.task import Task

_NAMES = ("msg", "state", "pending_since")
_MAX_RETRY = 3


def check(queue: str, fields: Fields, *, is_stamped: bool) -> int:
    """Compares the state, and every field of the message that clients set.

    Returns the task's number. Raises UnexpectedTask.
    """
    return check_of_type(b"task", queue, fields, is_stamped=is_stamped)


def check_of_type(task_type: bytes, queue: str, fields: Fields, *, is_stamped: bool) -> int:
    """As ``check``, for a layout whose tasks have another type."""
    require({"state": STATE_PENDING.encode()}, fields)
    require_no_others(_NAMES, fields)
    since = fields.get(b"pending_since")
    if since is None or not since.isdigit():
        raise UnexpectedTask(f"field 'pending_since': expected digits, found {quoted(since)}")
    task = _task(fields)
    plain = {"type": task_type, "retry": b"0", "max_retry": b"%d" % _MAX_RETRY}
    found = {name.encode(): value for name, value in task.fields()}
    require({**plain, "queue": queue.encode()}, found)
    return require_number(task.payload, is_stamped=is_stamped)


def _task(fields: Fields) -> Task:
    message = fields.get(b"msg")
    if not message:
        raise UnexpectedTask(f"field 'msg': expected a message, found {quoted(message)}")
    try:
        return codec.read("", fields)
    except ValueError:
        raise UnexpectedTask(f"field 'msg': expected a message, found {quoted(message)}") from None
