"""The registry entry of the third layout."""

from bench.layouts.client_check import (
    Fields,
    UnexpectedTask,
    quoted,
    require,
    require_no_others,
    require_number,
)
from bench.layouts.entry import LayoutEntry
from tests.layouts.third.layout import THIRD, parse
from tests.layouts.third.rules import RULESET


def check(queue: str, fields: Fields, *, is_stamped: bool) -> int:
    require({"state": b"pending"}, fields)
    require_no_others(("job", "state"), fields)
    text = fields.get(b"job")
    try:
        job = parse(text or b"")
    except ValueError:
        raise UnexpectedTask(f"field 'job': expected a job, found {quoted(text)}") from None
    if (job.queue, job.attempts, job.limit) != (queue, 0, 3):
        raise UnexpectedTask(f"field 'job': expected a new job of {queue}, found {quoted(text)}")
    return require_number(bytes(job.payload), is_stamped=is_stamped)


ENTRY = LayoutEntry(layout=THIRD, ruleset=RULESET, client_check=check)
