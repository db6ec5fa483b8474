"""What is recorded of completions that were seen from outside."""

import numpy as np
import pytest

from bench.measure.bits import Bits
from bench.measure.histogram import unpack
from bench.measure.ledger import Counts
from bench.measure.observation import describe
from bench.measure.recorder import Interval
from bench.measure.reports import ObserverReport, WorkerReport
from bench.measure.window import time_line
from bench.observer.recorder import Completion, CompletionRecorder
from bench.observer.sampling import NO_DUE
from tests.observer.scripted import ARCHIVED, COMPLETED, GONE

START_US = 1_800_000_000_000_000


def recorder() -> CompletionRecorder:
    return CompletionRecorder(time_line(START_US, 0, 0), "polling")


def histogram_of(report: WorkerReport, interval: Interval) -> list[int]:
    (part,) = [each for each in report.measured.parts if each.interval is interval]
    histogram = unpack(part.histogram)
    return [histogram.count, int(histogram.min_us or 0), int(histogram.max_us or 0)]


def observed_in(report: WorkerReport) -> ObserverReport:
    assert report.observed is not None
    return report.observed


def test_both_ends_of_the_interval_are_kept_and_the_later_one_is_e2e() -> None:
    seen = recorder()
    seen.traced(3)
    due_us = START_US + 1000
    seen.add_completions(
        [
            Completion(0, due_us, due_us, due_us + 900),
            Completion(0, due_us, due_us + 300, due_us + 500),
            Completion(0, NO_DUE, NO_DUE, due_us + 100),
        ]
    )
    report = seen.report(full=True)
    assert histogram_of(report, Interval.E2E) == [2, 500, 900]
    assert histogram_of(report, Interval.E2E_EARLIEST) == [2, 0, 300]
    told = describe(observed_in(report), Counts(enqueued=6), {}, None)
    assert (told.traced, told.traced_share, told.unseen, told.unended) == (3, 0.5, 1, 0)
    assert told.resolution_max_s == pytest.approx(900e-6, rel=0.01)


def test_counts_never_shrink_and_what_is_settled_replaces_them() -> None:
    seen = recorder()
    seen.counted(5, 3, START_US + 50_000)
    seen.counted(4, 2, START_US + 150_000)
    seen.counted(9, 8, START_US + 250_000)
    report = seen.report(full=False)
    assert (report.started, report.completed) == (9, 8)
    assert report.finished_by_bin == [3, 0, 5]
    ends = {COMPLETED: np.array([0, 2]), ARCHIVED: np.array([1]), GONE: np.array([3, 5])}
    seen.settle("inference_high", 0, ends)
    assert seen.report(full=False).completed == 8  # as long as not every task was asked
    seen.are_outcomes_known = True
    report = seen.report(full=True)
    assert (report.completed, report.failed, report.gone, report.ended) == (2, 1, 2, 5)
    assert Bits(report.completed_sets[0]).flags(0, 3).tolist() == [True, False, True]
    assert Bits(report.archived_sets[0]).flags(0, 3).tolist() == [False, True, False]
    assert Bits(report.gone_sets[0]).flags(3, 6).tolist() == [True, False, True]


def test_what_ended_after_its_lease_had_ended_was_run_again() -> None:
    seen = recorder()
    seen.settle("inference_high", 0, {COMPLETED: np.array([0]), GONE: np.array([3])})
    expired = Bits()
    expired.add(np.array([0, 2, 3]))
    seen.set_expired({"inference_high": {0: expired}})
    told = describe(observed_in(seen.report(full=True)), Counts(), {}, None)
    assert (told.leases_expired, told.ended_after_lease) == (3, 2)


def test_nothing_seen_has_no_resolution() -> None:
    unended = recorder()
    unended.traced(4)
    told = describe(observed_in(unended.report(full=True)), Counts(), {}, None)
    assert told.unended == 4
    assert (told.traced_share, told.resolution_p50_s, told.resolution_max_s) == (0.0, None, None)
