"""The window of a run, and the rates in it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.measure import summary
from bench.measure.ledger import Counts
from bench.records.run_record import Rates
from bench.run.collected import CollectedRun

_LATE_REPLIES_S = 0.1
"""By how much the last reply must be later than planned for the window to end with it."""


@dataclass(frozen=True)
class Window:
    """The steady part of a run, in seconds after the run's start."""

    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        """The length in seconds; zero where the run ended within its warm-up."""
        return max(self.end_s - self.start_s, 0.0)

    def includes(self, offset_us: int) -> bool:
        """Whether a moment, in µs after the run's start, is in the window."""
        return self.start_s <= offset_us / 1e6 <= self.end_s


def enqueue_end_s(run: CollectedRun) -> float:
    """When enqueueing ended, in seconds after the start: as planned, or with the last reply.

    A run that was cut short, was precise enough or is bounded by a number of tasks ends with its
    last reply; so does a run whose last reply came more than a tenth of a second after its planned
    end.
    """
    last_s = summary.last_reply_s(run.producers, run.line)
    planned_s = run.scenario.planned_duration_s
    ends_as_precise = run.until is not None and run.until.ended_by == "precision"
    is_shorter = run.is_cut_short or ends_as_precise
    if planned_s is None or is_shorter or run.scenario.tasks is not None:
        return last_s
    return planned_s if last_s <= planned_s + _LATE_REPLIES_S else last_s


def rates_in(run: CollectedRun, window: Window, counts: Counts) -> Rates:
    """Offered, enqueued, finished and completed tasks a second in the window.

    ``counts`` are those of the whole run: from outside it is not seen when tasks failed, so their
    share of all that ended is taken for their share of those that finished in the window.
    """
    finished = [report.finished_by_bin for report in run.workers]
    failed = [report.failed_by_bin for report in run.workers]
    finished_per_s = _ends_per_s(run, window, summary.add_bins(finished))
    if run.observed is None:
        succeeded = summary.subtract_bins(summary.add_bins(finished), summary.add_bins(failed))
        completed_per_s = _ends_per_s(run, window, succeeded)
    else:
        completed_per_s = _share_of(finished_per_s, counts.completed, counts.ended)
    return Rates(
        asked_per_s=run.scenario.asked_per_s,
        enqueued_per_s=enqueued_per_s(run, window),
        completed_per_s=completed_per_s,
        finished_per_s=finished_per_s,
    )


def enqueued_per_s(run: CollectedRun, window: Window) -> float | None:
    """The rate at which tasks were enqueued in the window; None where it has no length."""
    enqueued = summary.add_bins([report.enqueued_by_bin for report in run.producers])
    per_s = summary.rate_between(enqueued, window.start_s, window.end_s)
    # A whole run may be shorter than a bin. Of a window after a warm-up that is, nothing is known:
    # the count of its bin has tasks of the warm-up.
    if per_s is None and window.length_s and not window.start_s:
        # The schedule goes on until the next task would be due: one task an hour is no higher a
        # rate for being sent in a millisecond.
        is_whole = run.scenario.tasks is not None and not run.is_cut_short
        planned_s = run.scenario.planned_duration_s if is_whole else None
        return sum(enqueued) / max(window.length_s, planned_s or 0.0)
    return per_s


def _ends_per_s(run: CollectedRun, window: Window, ends: Sequence[int]) -> float | None:
    """Rate of the tasks that ended in each bin (n,); of a drain, over the bins in which any did."""
    if not run.workers:
        return None
    if run.scenario.worker_start == "after-fill" and run.drain_started_s is not None:
        window = drain_window([report.finished_by_bin for report in run.workers])
    return summary.rate_between(ends, window.start_s, window.end_s)


def _share_of(rate: float | None, part: int, whole: int) -> float | None:
    return rate if rate is None or not whole else rate * part / whole


def drain_window(finished: Sequence[Sequence[int]]) -> Window:
    """The whole bins between the first and the last in which any task was finished.

    ``finished`` has the finished tasks in each bin, for each worker.
    """
    busy = np.flatnonzero(summary.add_bins(finished))
    if not len(busy):
        return Window(0.0, 0.0)
    per_s = summary.BINS_PER_SECOND
    return Window((int(busy[0]) + 1) / per_s, int(busy[-1]) / per_s)
