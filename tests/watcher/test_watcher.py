"""The process that watches the machine sees stops, costs little, and never keeps a run waiting."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator

import pytest

from bench.measure.hiccups import HiccupReport
from bench.measure.histogram import merged, unpack
from bench.measure.window import TimeLine
from bench.run.subprocesses import SubprocessFleet
from bench.watcher.control import MachineWatcher
from bench.watcher.pieces import timed
from bench.watcher.sleeper import MOST_INTERVAL_MS, Sleeper

pytestmark = pytest.mark.slow

MOST_OFF_S = 0.005


@contextlib.contextmanager
def watching() -> Iterator[MachineWatcher]:
    with SubprocessFleet(forks=True) as fleet:
        started = fleet.start_watcher()
        assert started.canary(0.0) is not None  # it is ready
        yield started


@pytest.fixture
def watcher() -> Iterator[MachineWatcher]:
    with watching() as started:
        yield started


def begin(watcher: MachineWatcher, edges_us: tuple[int, ...] = ()) -> int:
    """Begin a trace now, on a clock that is shifted; returns when, on the monotonic clock."""
    offset_us = 5_000_000
    start_us = time.monotonic_ns() // 1_000
    watcher.begin(TimeLine(start_us + offset_us, edges_us), offset_us)
    return start_us


def stopped(watcher: MachineWatcher, seconds: float) -> tuple[float, float]:
    """Stop the process for a time; returns when that began, and how long it took."""
    began_s = time.monotonic()
    watcher._process.signal_group(signal.SIGSTOP)
    time.sleep(seconds)
    watcher._process.signal_group(signal.SIGCONT)
    return began_s, time.monotonic() - began_s


def test_it_sees_a_stop_of_50_ms_to_within_5_ms(watcher: MachineWatcher) -> None:
    """A stop is never reported as shorter by more than that; a busy machine may make it longer, so
    that one of several must be right on both sides."""
    start_us = begin(watcher, edges_us=tuple(range(20_000, 3_000_000, 20_000)))
    planted = []
    for _ in range(5):
        time.sleep(0.1)
        planted.append(stopped(watcher, 0.05))
    report = watcher.end()
    assert report is not None
    hiccups = [each for part in report.slices for each in part.longest]
    off_by = []
    for began_s, took_s in planted:
        from_s = began_s - start_us / 1e6 - 0.001
        until_s = from_s + took_s + MOST_INTERVAL_MS / 1e3
        found = [  # one that waited for a core as it was stopped had been due before
            each.late_s
            for each in hiccups
            if each.at_s <= until_s and each.at_s + each.late_s >= from_s + took_s / 2
        ]
        assert found, (planted, hiccups)
        off_by.append(max(found) - took_s)
    assert min(off_by) >= -MOST_OFF_S
    assert min(map(abs, off_by)) <= MOST_OFF_S
    counted = merged(unpack(each.lateness) for each in report.slices)
    assert counted.count_above(25_000) >= 5 * 20 / MOST_INTERVAL_MS


def traced() -> HiccupReport:
    """The trace of a second and a half."""
    with watching() as watcher:
        begin(watcher)
        time.sleep(1.5)
        report = watcher.end()
    assert report is not None
    return report


def sleep_cpu_s(interval_s: float) -> float:
    """CPU time of one bare sleep at the moment."""
    before_s = time.thread_time()
    for _ in range(100):
        time.sleep(interval_s)
    return (time.thread_time() - before_s) / 100


def test_it_costs_hardly_more_than_its_sleeps() -> None:
    """What a sleep costs, the machine decides, and who else uses it: a few hundredths of a
    millisecond. One of several traces shows what the trace adds."""
    for _ in range(6):
        report = traced()
        interval_s = report.interval_us / 1e6
        bare_s = sleep_cpu_s(interval_s) * report.elapsed_s / interval_s
        if report.cpu_s < 2 * bare_s:
            break
    assert report.elapsed_s > 1.4
    assert 0 < report.cpu_s < 2 * bare_s
    histogram = unpack(report.slices[0].lateness)
    assert histogram.negative == 0
    assert histogram.count * report.interval_us / 1e6 == pytest.approx(report.elapsed_s, rel=0.4)


def test_a_wake_up_is_counted_in_the_slice_in_which_it_was_due(watcher: MachineWatcher) -> None:
    start_us = begin(watcher, edges_us=(100_000, 200_000))
    while time.monotonic_ns() // 1_000 < start_us + 250_000:
        time.sleep(0.01)
    report = watcher.end()
    assert report is not None
    counts = [unpack(each.lateness).count for each in report.slices]
    assert len(counts) == 3
    assert min(counts) >= 1
    assert all(
        bounds[0] <= hiccup.at_s * 1e6 < bounds[1]
        for bounds, each in zip(
            ((0, 100_000), (100_000, 200_000), (200_000, 10**12)), report.slices, strict=True
        )
        for hiccup in each.longest
    )


def test_a_trace_that_ends_at_once_and_one_that_never_began_keep_nobody_waiting(
    watcher: MachineWatcher,
) -> None:
    assert watcher.end() is None
    begin(watcher)
    report = watcher.end()
    assert report is not None
    assert report.elapsed_s < 5
    assert watcher.canary(0.0) is not None
    assert not watcher.problem


def test_one_that_is_killed_is_missed_and_named(watcher: MachineWatcher) -> None:
    begin(watcher)
    watcher._process.signal_group(signal.SIGKILL)
    assert watcher.end() is None
    assert watcher.problem == "it ended"
    assert watcher.canary(0.1) is None


def test_a_canary_takes_about_as_long_as_was_asked_and_times_everything() -> None:
    canary = timed(0.1)
    assert canary.rounds >= 3
    assert canary.took_s >= 0.1
    for timing in (canary.spin, canary.memory, canary.loopback):
        assert 0 < timing.min_s <= timing.median_s
    assert timed(0.0).rounds == 3


def test_the_interval_is_the_shortest_that_is_cheap_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """What 32 wake-ups cost decides: 7 µs each allow a millisecond, 20 µs three, and more four."""
    source, target = os.pipe()
    try:
        for each_us, expected_ms in ((7, 1), (8, 2), (20, 3), (25, 4), (500, 4)):
            times = iter((0, 32 * each_us * 1_000))
            monkeypatch.setattr(time, "process_time_ns", lambda times=times: next(times))
            assert Sleeper(source).fitting() == Sleeper(source, expected_ms)
    finally:
        os.close(source)
        os.close(target)
