"""What asynq's layout promises about a task: one message, a state, and a lease while it runs."""

from bench.layouts import rules
from bench.layouts.asynq import codec
from bench.layouts.asynq.layout import ASYNQ
from bench.layouts.asynq.protobuf.task_message_pb2 import TaskMessage
from bench.layouts.inspected import HASH, InspectedTask
from bench.layouts.rules import Check, Rule, Ruleset
from bench.layouts.runqy import rules as runqy_rules


def message_of(task: InspectedTask) -> TaskMessage | None:
    """The message, or None where there is none or it cannot be decoded."""
    text = task.fields.get("msg")
    try:
        return None if text is None else codec.parse("", text)
    except ValueError:
        return None


def is_plain(task: InspectedTask) -> bool:
    """Whether it has plain fields in place of a message."""
    return "msg" not in task.fields and "payload" in task.fields


def missing_message(task: InspectedTask) -> str | None:
    """Neither a message nor plain fields."""
    return None if is_plain(task) else rules.missing_from(task, ("msg",))


def broken_message(task: InspectedTask) -> str | None:
    """A message that cannot be decoded."""
    return "" if "msg" in task.fields and message_of(task) is None else None


def missing_plain_field(task: InspectedTask) -> str | None:
    """One of the five, where there are plain fields."""
    return rules.missing_from(task, runqy_rules.FIELDS) if is_plain(task) else None


def plain_not_a_number(task: InspectedTask) -> str | None:
    """``retry`` or ``max_retry``, where there are plain fields."""
    return runqy_rules.not_a_number(task) if is_plain(task) else None


def plain_fields(task: InspectedTask) -> str | None:
    """Plain fields in place of the message."""
    return "" if is_plain(task) else None


def other_id(task: InspectedTask) -> str | None:
    """The message has another id than its key."""
    message = message_of(task)
    return "" if message is not None and message.id.encode() != task.id else None


def other_queue(task: InspectedTask) -> str | None:
    """The message, or the plain field, names another queue."""
    if is_plain(task):
        return rules.other_queue(task)
    message = message_of(task)
    return "" if message is not None and message.queue not in ("", task.queue) else None


def empty_queue(task: InspectedTask) -> str | None:
    """The message, or the plain field, names no queue."""
    if is_plain(task):
        return rules.empty_queue(task)
    message = message_of(task)
    return "" if message is not None and not message.queue else None


def wrong_state(task: InspectedTask) -> str | None:
    """Each place has a state of its own name; plain fields may come without one while they wait."""
    if task.kind != HASH:
        return None
    waits = ("",) if is_plain(task) and task.place == "pending" else ()
    return rules.wrong_state(task, (task.place, *waits))


def no_pending_since(task: InspectedTask) -> str | None:
    """A message that waits without saying since when."""
    waits = task.place == "pending" and "msg" in task.fields
    return "" if waits and "pending_since" not in task.fields else None


def still_pending_since(task: InspectedTask) -> str | None:
    """A task that is worked on, and says since when it waits."""
    return "" if task.place == "active" and "pending_since" in task.fields else None


def no_lease(task: InspectedTask) -> str | None:
    """Worked on without a lease."""
    return "" if task.place == "active" and not task.has_lease else None


def expired_lease(task: InspectedTask) -> str | None:
    """Worked on, as its place says, by a worker that has been silent for too long."""
    is_late = task.has_lease and task.lease_left_s < 0
    return "" if task.place == "active" and is_late else None


def too_many_retries(task: InspectedTask) -> str | None:
    """More attempts after the first than the message, or the plain fields, allow."""
    if is_plain(task):
        return runqy_rules.too_many_retries(task)
    message = message_of(task)
    return "" if message is not None and message.retried > message.retry else None


RULESET = Ruleset(
    layout=ASYNQ,
    fields=("msg", "state", "pending_since", *runqy_rules.FIELDS),
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
                    cause="Workers give it up without running it",
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
                    title="task with plain fields in place of msg",
                    cause="Today's runqy workers read it; asynq's own server does not",
                    cure="Write msg as well, where asynq's server is to run it",
                ),
                plain_fields,
            ),
            Check(
                Rule(
                    code="other-id",
                    severity="error",
                    title="task whose msg has another id than its key",
                    cause="Its worker takes another id off the active list, and this one stays",
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
                    cause="asynq cannot tell how long the queue lags; a worker that gave the task "
                    "back at its end leaves it so as well",
                    cure="Write pending_since, in unix ns, with the state",
                    in_passing=True,
                    by_place=True,
                ),
                no_pending_since,
            ),
            Check(
                Rule(
                    code="pending-since-on-active",
                    severity="warning",
                    title="active task that still has pending_since",
                    cause="It is shown as waiting since then",
                    cure="Delete the field (HDEL) as the task is taken",
                    in_passing=True,
                    by_place=True,
                ),
                still_pending_since,
            ),
            Check(
                Rule(
                    code="no-lease",
                    severity="error",
                    title="active task without a lease",
                    cause="If its worker dies nobody takes the task over",
                    cure="Add it to the set :lease (ZADD) in the step that makes it active",
                    in_passing=True,
                    by_place=True,
                ),
                no_lease,
            ),
            Check(
                Rule(
                    code="expired-lease",
                    severity="warning",
                    title="active task whose lease has expired",
                    cause="Its worker is gone or stuck, and no other has taken the task over",
                    cure="See why it is silent, and start a server that recovers its tasks",
                    in_passing=True,
                    by_place=True,
                ),
                expired_lease,
            ),
            Check(rules.TOO_MANY_RETRIES, too_many_retries),
        ),
    ),
)
