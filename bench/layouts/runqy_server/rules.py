"""What runqy's server promises about a task: all that asynq does, and how long it may take and is
kept."""

from dataclasses import replace

from bench.layouts import rules
from bench.layouts.asynq import rules as asynq
from bench.layouts.inspected import InspectedTask
from bench.layouts.rules import Check, Rule
from bench.layouts.runqy_server.layout import LIFECYCLE

_NAMES = tuple(LIFECYCLE)


def too_many_retries(task: InspectedTask) -> str | None:
    """More retries than the message allows, by the message itself or by the field ``retried``."""
    message = asynq.message_of(task)
    retried = task.fields.get("retried", b"")
    if message is not None and retried.isdigit() and int(retried) > message.retry:
        return ""
    return asynq.too_many_retries(task)


def missing_lifecycle(task: InspectedTask) -> str | None:
    """Any of the four fields of the server that is missing."""
    return rules.missing_from(task, _NAMES)


def lifecycle_not_a_number(task: InspectedTask) -> str | None:
    """Any of them that is not a whole number."""
    wrong = [name for name in _NAMES if not task.fields.get(name, b"0").isdigit()]
    return " and ".join(wrong) if wrong else None


_CHECKS = (
    Check(rules.TOO_MANY_RETRIES, too_many_retries),
    Check(
        Rule(
            code="no-lifecycle",
            severity="warning",
            title="task without {detail}",
            cause="The worker applies the times of its own configuration instead",
            cure="Enqueue through runqy's server, or write these fields (HSET) before pushing the "
            "id",
        ),
        missing_lifecycle,
    ),
    Check(
        Rule(
            code="lifecycle-not-a-number",
            severity="warning",
            title="task whose {detail} is not a whole number",
            cause="The worker applies the time of its own configuration instead",
            cure="Write seconds as decimal digits, for example 86400, or 0 for no limit",
        ),
        lifecycle_not_a_number,
    ),
)

_ASYNQS = [check for check in asynq.RULESET.steps[-1] if check.rule is not rules.TOO_MANY_RETRIES]
RULESET = replace(
    asynq.RULESET,
    fields=(*asynq.RULESET.fields, "retried", *_NAMES),
    steps=(*asynq.RULESET.steps[:-1], (*_ASYNQS, *_CHECKS)),
)
