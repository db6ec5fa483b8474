"""What a run would do (``bench run --dry-run``), as a terminal report: the answer first."""

from collections.abc import Iterable, Sequence

from rich.console import RenderableType
from rich.text import Text

from bench import units
from bench.reports.console import note_line, print_parts
from bench.reports.tables import plain_table
from bench.run.dry_run import DryRun

_MOST_KEYS = 6
"""Keys of one kind that are listed."""


def print_dry_run(planned: DryRun) -> None:
    """Print the report to standard output."""
    print_parts(lambda _: render(planned))


def render(planned: DryRun) -> Iterable[RenderableType]:
    """Returns the parts of the report, top to bottom."""
    yield _answer(planned)
    for note in planned.notes:
        yield note_line(note)
    yield ""
    table = plain_table("what", "the run would have", text_columns=2)
    for name, value in _rows(planned):
        table.add_row(name, value)
    yield table


def _answer(planned: DryRun) -> Text:
    place = f"on {planned.server}" if planned.server else "on a server of its own"
    if planned.problem:
        return Text.assemble(
            ("COULD NOT BEGIN", "bold red"),
            f"  {planned.scenario}, {place}; nothing was written (exit code {planned.exit_code})",
        )
    return Text.assemble(
        ("COULD BEGIN", "bold green"), f"  {planned.scenario}, {place}; nothing was written"
    )


def _rows(planned: DryRun) -> Iterable[tuple[str, str]]:
    tasks = planned.tasks
    yield "tasks", "as many as the server takes" if tasks is None else units.format_count(tasks)
    yield "sent", _sizes(planned.sent_bytes_per_task, tasks)
    yield (
        "memory",
        f"{_sizes(planned.memory_bytes_per_task, tasks)}, if nothing is served meanwhile "
        f"(measured on {planned.measured_on})",
    )
    if planned.used_memory_bytes is not None:
        yield "in use now", _in_use(planned)
    yield "keys of tasks", _listed(planned.task_keys)
    yield "keys of queues", _listed(planned.queue_keys)
    yield "other keys", _listed(planned.other_keys)
    yield "guards", "; ".join(planned.guards) or "none"
    yield "faults", "; ".join(planned.faults) or "none"
    yield "rights", "'bench acl' prints those that a user needs"


def _sizes(per_task: float, tasks: int | None) -> str:
    each = f"{units.format_bytes(per_task)} per task"
    return each if tasks is None else f"{each}, {units.format_bytes(per_task * tasks)} in all"


def _in_use(planned: DryRun) -> str:
    used = units.format_bytes(planned.used_memory_bytes)
    limit = planned.memory_limit_bytes
    if limit is None or planned.used_memory_bytes is None:
        return f"{used}; the server tells no limit"
    text = f"{used} of {units.format_bytes(limit)} ({planned.memory_limit_of})"
    if planned.memory_bytes is None:
        return text
    share = (planned.used_memory_bytes + planned.memory_bytes) / limit
    return f"{text}; {share:.1%} with all tasks"


def _listed(keys: Sequence[str]) -> str:
    more = len(keys) - _MOST_KEYS
    return ", ".join(keys[:_MOST_KEYS]) + (f" and {more} more" if more > 0 else "") or "none"
