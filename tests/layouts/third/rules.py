"""What the third layout promises about a task."""

from bench.layouts import rules
from bench.layouts.inspected import InspectedTask
from bench.layouts.rules import Check, Rule, Ruleset
from tests.layouts.third.layout import Job, parse

_STATES = {"pending": "pending", "active": "active", "delayed": "retry", "dead": "archived"}


def _job(task: InspectedTask) -> Job | None:
    try:
        return parse(task.fields.get("job", b""))
    except ValueError:
        return None


def missing_field(task: InspectedTask) -> str | None:
    return rules.missing_from(task, ("job", "state"))


def broken_job(task: InspectedTask) -> str | None:
    return "" if "job" in task.fields and _job(task) is None else None


def other_queue(task: InspectedTask) -> str | None:
    job = _job(task)
    return "" if job is not None and job.queue != task.queue else None


def wrong_state(task: InspectedTask) -> str | None:
    return rules.wrong_state(task, (_STATES[task.under],))


def too_many_retries(task: InspectedTask) -> str | None:
    job = _job(task)
    return "" if job is not None and job.attempts > job.limit else None


RULESET = Ruleset(
    fields=("job", "state"),
    large=("job",),
    steps=(
        *rules.EVERYWHERE,
        (Check(rules.MISSING_FIELD, missing_field),),
        (
            Check(
                Rule(
                    code="job",
                    severity="error",
                    title="task whose job is not JSON of the right form",
                    cause="Workers cannot read the task",
                    cure="Write the fields queue, attempts, limit and payload",
                ),
                broken_job,
            ),
            Check(rules.OTHER_QUEUE, other_queue),
            Check(rules.STATE, wrong_state),
            Check(rules.TOO_MANY_RETRIES, too_many_retries),
        ),
    ),
)
