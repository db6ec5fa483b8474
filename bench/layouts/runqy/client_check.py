"""How ``bench clients`` checks a task of the runqy layout: a hash of five plain fields."""

from bench.layouts.client_check import Fields, require, require_no_others, require_number
from bench.layouts.plain_fields import NAMES


def check(queue: str, fields: Fields, *, is_stamped: bool) -> int:
    """Compares every field as text, except the payload, which is compared as JSON.

    Returns the task's number. Raises UnexpectedTask.
    """
    plain = {"type": b"task", "retry": b"0", "max_retry": b"3", "queue": queue.encode()}
    require(plain, fields)
    require_no_others(NAMES, fields)
    return require_number(fields.get(b"payload"), is_stamped=is_stamped)
