"""What runqy's documentation promises about a task: five text fields, and a state once a
worker has taken the task."""

import re

import msgspec

from bench.layouts import plain_fields, rules
from bench.layouts.inspected import InspectedTask
from bench.layouts.rules import Check, NameCheck, Rule, Ruleset
from bench.layouts.runqy.layout import RUNQY
from bench.wire.layout_contract import STATE_ACTIVE, STATE_PENDING, split_queue

_RIGHT_STATES = {"pending": ("", STATE_PENDING), "active": (STATE_ACTIVE,)}
"""The states of a task by the list that holds its id. A producer writes no state."""
_MARKS_OF_OTHER_LAYOUTS = re.compile(r"[{}.:]")


def payload_not_json(task: InspectedTask) -> str | None:
    """A ``payload`` that is not JSON."""
    payload = task.fields.get("payload")
    if payload is None:
        return None
    try:
        msgspec.json.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return None


def wrong_state(task: InspectedTask) -> str | None:
    """A state that does not go with the list that holds the id."""
    return rules.wrong_state(task, _RIGHT_STATES[task.under])


def has_marks_of_other_layouts(name: str) -> bool:
    """Whether a queue's name has characters that other layouts put into keys or names."""
    return _MARKS_OF_OTHER_LAYOUTS.search(name) is not None


def has_no_parent(name: str) -> bool:
    """Whether a queue's name lacks its parent or its sub-queue."""
    return not all(split_queue(name, RUNQY.separator))


RULESET = Ruleset(
    fields=(*plain_fields.NAMES, "state"),
    large=("payload",),
    steps=(
        *rules.EVERYWHERE,
        (
            Check(rules.MISSING_FIELD, plain_fields.missing_field),
            Check(rules.NOT_A_NUMBER, plain_fields.not_a_number),
            Check(
                Rule(
                    code="payload",
                    severity="error",
                    title="task whose payload is not JSON",
                    cause="Workers cannot pass the payload to the task's code",
                    cure="Encode the payload as JSON text in UTF-8",
                ),
                payload_not_json,
            ),
            Check(rules.EMPTY_QUEUE_FIELD, plain_fields.empty_queue),
            Check(rules.OTHER_QUEUE, plain_fields.other_queue),
            Check(rules.STATE, wrong_state),
            Check(rules.TOO_MANY_RETRIES, plain_fields.too_many_retries),
        ),
    ),
    names=(
        NameCheck(
            Rule(
                code="other-separator",
                severity="warning",
                title="queue name in the style of another layout",
                cause="The name suggests the asynq layout, or another version's separator",
                cure="Join parent and sub-queue with an underscore, or verify with --layout asynq",
            ),
            has_marks_of_other_layouts,
        ),
        NameCheck(
            Rule(
                code="no-parent",
                severity="warning",
                title="queue name without a parent",
                cause="Workers register for a parent and find no sub-queue of this name",
                cure="Name the queue PARENT_NAME, for example inference_default",
            ),
            has_no_parent,
        ),
    ),
)
