"""What asynq's layout promises about a task: a message, a state, and a lease while it is active."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.layouts import plain_fields, rules
from bench.layouts.asynq import codec
from bench.layouts.inspected import HASH, InspectedTask
from bench.layouts.rules import Check, Rule, Ruleset

if TYPE_CHECKING:
    from bench.layouts.asynq.protobuf.task_message_pb2 import TaskMessage


def message_of(task: InspectedTask) -> TaskMessage | None:
    """Returns the message, or None if there is none or it cannot be decoded."""
    text = task.fields.get("msg")
    try:
        return None if text is None else codec.parse("", text)
    except ValueError:
        return None


def is_plain(task: InspectedTask) -> bool:
    """Whether a task has plain fields instead of a message."""
    return "msg" not in task.fields and "payload" in task.fields


def missing_message(task: InspectedTask) -> str | None:
    """A task with neither a message nor plain fields."""
    return None if is_plain(task) else rules.missing_from(task, ("msg",))


def broken_message(task: InspectedTask) -> str | None:
    """A message that cannot be decoded."""
    return "" if "msg" in task.fields and message_of(task) is None else None


def missing_plain_field(task: InspectedTask) -> str | None:
    """Any of the five plain fields that is missing, if the task has plain fields."""
    return plain_fields.missing_field(task) if is_plain(task) else None


def plain_not_a_number(task: InspectedTask) -> str | None:
    """A plain ``retry`` or ``max_retry`` that is not a whole number."""
    return plain_fields.not_a_number(task) if is_plain(task) else None


def has_plain_fields(task: InspectedTask) -> str | None:
    """A task with plain fields instead of a message."""
    return "" if is_plain(task) else None


def other_id(task: InspectedTask) -> str | None:
    """A message whose id is not that of the task's key."""
    message = message_of(task)
    return "" if message is not None and message.id.encode() != task.id else None


def other_queue(task: InspectedTask) -> str | None:
    """A message, or a plain field, that names another queue."""
    if is_plain(task):
        return plain_fields.other_queue(task)
    message = message_of(task)
    return "" if message is not None and message.queue not in ("", task.queue) else None


def empty_queue(task: InspectedTask) -> str | None:
    """A message, or a plain field, that names no queue."""
    if is_plain(task):
        return plain_fields.empty_queue(task)
    message = message_of(task)
    return "" if message is not None and not message.queue else None


def wrong_state(task: InspectedTask) -> str | None:
    """A state that is not called like the key that holds the id.

    Plain fields may lack a state while the task is pending.
    """
    if task.kind != HASH:
        return None
    waits = ("",) if is_plain(task) and task.under == "pending" else ()
    return rules.wrong_state(task, (task.under, *waits))


def no_pending_since(task: InspectedTask) -> str | None:
    """A pending message that does not say since when it has been pending."""
    waits = task.under == "pending" and "msg" in task.fields
    return "" if waits and "pending_since" not in task.fields else None


def still_pending_since(task: InspectedTask) -> str | None:
    """An active task that says since when it has been pending."""
    return "" if task.under == "active" and "pending_since" in task.fields else None


def no_lease(task: InspectedTask) -> str | None:
    """An active task without a lease."""
    return "" if task.under == "active" and not task.has_lease else None


def expired_lease(task: InspectedTask) -> str | None:
    """An active task whose lease has expired."""
    is_late = task.has_lease and task.lease_left_s < 0
    return "" if task.under == "active" and is_late else None


def too_many_retries(task: InspectedTask) -> str | None:
    """More retries than the message, or the plain fields, allow."""
    if is_plain(task):
        return plain_fields.too_many_retries(task)
    message = message_of(task)
    return "" if message is not None and message.retried > message.retry else None


RULESET = Ruleset(
    fields=("msg", "state", "pending_since", *plain_fields.NAMES),
    large=("msg", "payload"),
    steps=(
        *rules.EVERYWHERE,
        (
            Check(rules.MISSING_FIELD, missing_message),
            Check(
                Rule(
                    code="message",
                    severity="error",
                    title="task whose msg cannot be decoded",
                    cause="Workers cannot read the task and do not run it",
                    cure="Write a protobuf TaskMessage, as asynq's client does",
                ),
                broken_message,
            ),
        ),
        (
            Check(rules.MISSING_FIELD, missing_plain_field),
            Check(rules.NOT_A_NUMBER, plain_not_a_number),
            Check(
                Rule(
                    code="plain-fields",
                    severity="warning",
                    title="task with plain fields instead of msg",
                    cause="Today's runqy workers read the task, but asynq's own server does not",
                    cure="Write msg as well if asynq's server is to run the task",
                ),
                has_plain_fields,
            ),
            Check(
                Rule(
                    code="other-id",
                    severity="error",
                    title="task whose msg has a different id from its key",
                    cause="Its worker removes that other id from the active list, and this one "
                    "stays there",
                    cure="Write the same id into the message, the key and the list",
                ),
                other_id,
            ),
            Check(rules.EMPTY_QUEUE_FIELD, empty_queue),
            Check(rules.OTHER_QUEUE, other_queue),
            Check(rules.STATE, wrong_state),
            Check(
                Rule(
                    code="no-pending-since",
                    severity="warning",
                    title="pending task without pending_since",
                    cause="asynq cannot report how far the queue lags; a worker that returns a "
                    "task while it shuts down also leaves it like this",
                    cure="Write pending_since, in Unix nanoseconds, together with the state",
                    is_transient=True,
                    is_about_key=True,
                ),
                no_pending_since,
            ),
            Check(
                Rule(
                    code="pending-since-on-active",
                    severity="warning",
                    title="active task that still has pending_since",
                    cause="The task is shown as having been pending since then",
                    cure="Delete the field (HDEL) when a worker takes the task",
                    is_transient=True,
                    is_about_key=True,
                ),
                still_pending_since,
            ),
            Check(
                Rule(
                    code="no-lease",
                    severity="error",
                    title="active task without a lease",
                    cause="If its worker dies, no other worker takes the task over",
                    cure="Add the id to the set :lease (ZADD) in the step that makes the task "
                    "active",
                    is_transient=True,
                    is_about_key=True,
                ),
                no_lease,
            ),
            Check(
                Rule(
                    code="expired-lease",
                    severity="warning",
                    title="active task whose lease has expired",
                    cause="Its worker is gone or stuck, and no other worker has taken the task "
                    "over",
                    cure="Find out why the worker is silent, and start a server that recovers its "
                    "tasks",
                    is_transient=True,
                    is_about_key=True,
                ),
                expired_lease,
            ),
            Check(rules.TOO_MANY_RETRIES, too_many_retries),
        ),
    ),
)
