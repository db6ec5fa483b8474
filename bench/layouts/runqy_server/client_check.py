"""How ``bench clients`` checks a task of the runqy-server layout: asynq's fields and four more."""

from bench.layouts.asynq.client_check import check_of_type
from bench.layouts.client_check import Fields, require
from bench.layouts.runqy_server.layout import LIFECYCLE


def check(queue: str, fields: Fields, *, is_stamped: bool) -> int:
    """Compares the fields that runqy's server adds with its defaults, and all others as asynq's.

    Returns the task's number. Raises UnexpectedTask.
    """
    require({name: value.encode() for name, value in LIFECYCLE.items()}, fields)
    others = {
        name: value
        for name, value in fields.items()
        if name.decode(errors="replace") not in LIFECYCLE
    }
    return check_of_type(queue.encode(), queue, others, is_stamped=is_stamped)
