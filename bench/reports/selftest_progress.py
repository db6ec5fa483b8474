"""The progress of a self-test: a bar on a terminal, a line for each step elsewhere."""

import contextlib
from collections.abc import Callable, Iterator, Sequence

from rich.console import Group
from rich.text import Text

from bench import units
from bench.analysis.selftest import checks_made, disagreements
from bench.records.selftest_record import SelftestRecord
from bench.reports.figures import counted
from bench.reports.job_view import JobTexts, job_view, progress_bar


@contextlib.contextmanager
def selftest_view(
    steps: Sequence[str], estimate_s: float, *, is_quiet: bool
) -> Iterator[Callable[[SelftestRecord, str | None], None]]:
    """Yields a function that shows each new state on standard error; it may be called at any rate.

    ``steps`` are the names of all steps, which take ``estimate_s`` on an idle machine. With
    ``is_quiet`` it does nothing.
    """

    def line(record: SelftestRecord, step: str | None) -> str:
        return plain_line(steps, record, step)

    def drawn(record: SelftestRecord, step: str | None, elapsed_s: float) -> Group:
        return panel(steps, estimate_s, record, step, elapsed_s)

    texts = JobTexts(lambda record: len(record.steps), line, drawn)
    with job_view(texts, is_quiet=is_quiet) as note:
        yield note


def plain_line(steps: Sequence[str], record: SelftestRecord, step: str | None) -> str:
    """Returns the state as one line: the step, and what the checks so far say."""
    made, wrong = checks_made(record), disagreements(record)
    so_far = f" · {counted(made, 'check')} made, {wrong} failed" if made or wrong else ""
    return f"{_now(steps, record, step)}{so_far}"


def panel(
    steps: Sequence[str],
    estimate_s: float,
    record: SelftestRecord,
    step: str | None,
    elapsed_s: float,
) -> Group:
    """Returns the state for a terminal, ``elapsed_s`` after its step began."""
    spent_s = record.took_s + elapsed_s
    share = spent_s / estimate_s if spent_s < estimate_s else len(record.steps) / len(steps)
    bar = progress_bar(share, 1.0)
    left_s = max(estimate_s - spent_s, 0.0)
    left = f"about {units.format_duration(left_s)} left" if left_s else "longer than on an idle one"
    return Group(
        Text(plain_line(steps, record, step), style="bold"),
        bar,
        Text(f"{units.format_duration(spent_s)} so far, {left}"),
    )


def _now(steps: Sequence[str], record: SelftestRecord, step: str | None) -> str:
    if step is None:
        return "all steps are done" if record.ended == "finished" else f"{record.ended}"
    return f"step {len(record.steps) + 1} of {len(steps)}: {step}"
