"""What the seed's layout promises about a task: five text fields, and a state once a worker has
had it."""

import msgspec

from bench.layouts import rules
from bench.layouts.inspected import InspectedTask
from bench.layouts.rules import Check, Rule, Ruleset
from bench.layouts.runqy.layout import RUNQY
from bench.wire.layout import STATE_ACTIVE, STATE_PENDING

FIELDS = ("type", "payload", "retry", "max_retry", "queue")
"""What every task has."""
NUMBERS = ("retry", "max_retry")
_RIGHT_STATES = {"pending": ("", STATE_PENDING), "active": (STATE_ACTIVE,)}
"""By place. Whoever enqueues writes no state."""


def missing_field(task: InspectedTask) -> str | None:
    """Any of the five."""
    return rules.missing_from(task, FIELDS)


def not_a_number(task: InspectedTask) -> str | None:
    """``retry`` or ``max_retry``."""
    return rules.not_whole(task, NUMBERS)


def payload_not_json(task: InspectedTask) -> str | None:
    """``payload`` is there, and not JSON."""
    payload = task.fields.get("payload")
    if payload is None:
        return None
    try:
        msgspec.json.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return None


def wrong_state(task: InspectedTask) -> str | None:
    """Not what it is while its id is where it was seen."""
    return rules.wrong_state(task, _RIGHT_STATES[task.place])


def too_many_retries(task: InspectedTask) -> str | None:
    """``retry`` over ``max_retry``, where both are numbers."""
    if any(name not in task.fields for name in NUMBERS) or not_a_number(task) is not None:
        return None
    return "" if int(task.fields["retry"]) > int(task.fields["max_retry"]) else None


RULESET = Ruleset(
    layout=RUNQY,
    fields=(*FIELDS, "state"),
    large=("payload",),
    steps=(
        *rules.EVERYWHERE,
        (
            Check(rules.MISSING_FIELD, missing_field),
            Check(rules.NOT_A_NUMBER, not_a_number),
            Check(
                Rule(
                    code="payload",
                    severity="error",
                    title="task whose payload is not JSON",
                    cause="The worker cannot hand it to the task's code",
                    cure="Encode the payload as JSON text in UTF-8",
                ),
                payload_not_json,
            ),
            Check(rules.EMPTY_QUEUE_FIELD, rules.empty_queue),
            Check(rules.OTHER_QUEUE, rules.other_queue),
            Check(rules.STATE, wrong_state),
            Check(rules.TOO_MANY_RETRIES, too_many_retries),
        ),
    ),
)
