"""runqy's plain fields of a task, and the checks of layouts that accept them."""

from bench.layouts import rules
from bench.layouts.inspected import InspectedTask

NAMES = ("type", "payload", "retry", "max_retry", "queue")
"""The five fields; ``bench.wire.task`` writes and reads them."""
_NUMBERS = ("retry", "max_retry")


def missing_field(task: InspectedTask) -> str | None:
    """Any of the five fields that is missing."""
    return rules.missing_from(task, NAMES)


def not_a_number(task: InspectedTask) -> str | None:
    """A ``retry`` or ``max_retry`` that is not a whole number."""
    wrong = [name for name in _NUMBERS if not task.fields.get(name, b"0").isdigit()]
    return " and ".join(wrong) if wrong else None


def other_queue(task: InspectedTask) -> str | None:
    """A ``queue`` that names another queue."""
    return "" if task.fields.get("queue") not in (None, b"", task.queue.encode()) else None


def empty_queue(task: InspectedTask) -> str | None:
    """A ``queue`` that is empty."""
    return "" if task.fields.get("queue") == b"" else None


def too_many_retries(task: InspectedTask) -> str | None:
    """A ``retry`` above ``max_retry``, if both are numbers."""
    if any(name not in task.fields for name in _NUMBERS) or not_a_number(task) is not None:
        return None
    return "" if int(task.fields["retry"]) > int(task.fields["max_retry"]) else None
