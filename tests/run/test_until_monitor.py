"""When a run looks at its figures, at what of it, and how it ends by that."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from bench.ipc.messages import Stop
from bench.measure.confidence import ConfidenceInterval
from bench.measure.histogram import Histogram
from bench.measure.latency_cells import LatencyCells, LatencySeconds
from bench.measure.progress import Progress, progress_of
from bench.measure.recorder import SecondLatencies
from bench.measure.reports import ProducerReport, WorkerReport
from bench.measure.stopping import UntilLook, UntilResult
from bench.records.run_record import Rates
from bench.run.build_record import build_record
from bench.run.figures.rates import enqueue_end_s
from bench.run.figures.until import widened_latency, widened_rates
from bench.run.until_monitor import UntilMonitor
from bench.workload.scenario import Scenario
from tests.run.scripted import Scene, done, kinds, producer, worker
from tests.run.values import START_US, collected, scenario
from tests.run.values import producer as final_producer

EXACT = "enqueue.rate ±5%"


def chosen(*until: str, **fields: object) -> Scenario:
    return scenario(**{"duration": 300, "warmup": 4, "until": list(until), **fields})


class Watched:
    """A monitor, and the latencies of each second, 100 of 1 ms but for what is changed."""

    def __init__(self, *until: str, **fields: object) -> None:
        self.scenario = chosen(*until, **fields)
        self.kept = LatencySeconds()
        self.asked: list[tuple[int, int]] = []
        rng = np.random.default_rng(5)
        for second in range(300):
            histogram = Histogram()
            histogram.record_many(rng.integers(1000, 2000, 100))
            self.kept.add(second, histogram)
        self.monitor = UntilMonitor(self.scenario, self._latencies)

    def _latencies(self, start: int, stop: int) -> LatencyCells:
        self.asked.append((start, stop))
        return self.kept.window(start, stop)

    def at(self, elapsed_s: float, phase: str = "enqueueing") -> None:
        bins = [10] * int(elapsed_s * 10)
        producers = [ProducerReport(number=0, enqueued_by_bin=bins)]
        workers = [WorkerReport(name="w", finished_by_bin=bins, failed_by_bin=bins[:10])]
        self.monitor.note(self.progress(elapsed_s, phase), producers, workers)

    def progress(self, elapsed_s: float, phase: str) -> Progress:
        return progress_of(phase, elapsed_s, self.scenario, [], [], [0])


def test_looks_are_at_whole_windows_after_the_warmup_once_reports_are_there() -> None:
    watched = Watched("e2e.p50 ±5%")
    for elapsed_s in (4, 64, 65.9):
        watched.at(elapsed_s)
    assert watched.asked == []
    watched.at(66.1)
    watched.at(66.3)
    assert watched.asked == [(4, 64)]
    watched.at(97)
    assert watched.asked == [(4, 64), (4, 94)]
    assert not watched.monitor.is_reached
    watched.at(142)
    assert watched.asked[2:] == [(4, 139)]
    assert watched.monitor.is_reached
    watched.at(250)
    assert len(watched.asked) == 3


@pytest.mark.parametrize("phase", ["draining", "stopping", "cleaning"])
def test_a_run_that_has_enqueued_everything_is_not_looked_at(phase: str) -> None:
    watched = Watched("e2e.p50 ±5%")
    watched.at(70, phase)
    assert watched.asked == []


@pytest.mark.parametrize("name", ["enqueue.rate", "finished.rate", "completed.rate"])
def test_a_rate_is_that_of_the_window(name: str) -> None:
    watched = Watched(f"{name} ±5%")
    watched.at(70)
    look = watched.monitor.newest[0]
    assert (look.value, look.half_width, look.window_s) == (100.0, 0.0, 60)


def test_all_figures_must_be_precise() -> None:
    watched = Watched(EXACT, "e2e.p99.9 ±1%")
    watched.at(70)
    watched.at(100)
    assert [each.is_precise for each in watched.monitor.newest] == [True, False]
    assert not watched.monitor.is_reached
    result = watched.monitor.result("duration")
    assert result is not None
    assert result.asked == [EXACT, "e2e.p99.9 ±1%"]
    assert len(result.analyses) == 4
    assert result.last == list(watched.monitor.newest)


def test_a_run_without_it_has_no_result() -> None:
    assert UntilMonitor(scenario(), lambda *_: pytest.fail("looked")).result("duration") is None


def run_of(until: str, ends_s: float) -> Scene:
    """A run with 100 tasks each second that has been watched until its producer was done."""
    sending, serving = producer(), worker()
    scene = Scene(chosen(until), producers=[sending], workers=[serving])
    seconds = SecondLatencies()
    rng = np.random.default_rng(5)
    latest = [-1]

    def work(after_us: int) -> None:
        second = after_us // 1_000_000
        if second == latest[0]:
            return
        latest[0] = second
        offsets_us = np.full(100, second * 1_000_000)
        seconds.record(offsets_us, rng.integers(1000, 2000, 100))
        bins = [10] * (10 * second)
        sending.report = ProducerReport(number=0, enqueued_by_bin=bins)
        serving.report = WorkerReport(name="worker 0", e2e_by_second=seconds.latest(3))
        if after_us >= ends_s * 1e6:
            done(sending)

    scene.fleet.script = work
    scene.supervisor.watch()
    return scene


def test_a_run_that_is_precise_ends_before_its_duration_and_is_not_interrupted() -> None:
    scene = run_of("e2e.p50 ±10%", 300)
    assert kinds(scene.fleet.producers[0]) == [Stop]
    assert 141 <= scene.elapsed_s < 143
    assert not scene.supervisor.state.is_cut_short
    result = scene.supervisor.until_result
    assert result is not None
    assert result.ended_by == "precision"
    assert [each.window_s for each in result.analyses] == [60, 90, 135]
    assert result.analyses[0].value == pytest.approx(0.0015, rel=0.02)
    assert scene.shown[-1].analyses == tuple(result.analyses[-1:])


def test_a_run_that_is_not_precise_has_its_duration() -> None:
    scene = run_of("e2e.p99.9 ±1us", 150)
    assert kinds(scene.fleet.producers[0]) == []
    result = scene.supervisor.until_result
    assert result is not None
    assert (result.ended_by, len(result.analyses)) == ("duration", 3)


# The record.


def result(ended_by: str, asked: str, half_width: float) -> UntilResult:
    look = UntilLook(
        at_s=70, window_s=60, asked=asked, value=0.001, half_width=half_width, is_precise=True
    )
    return UntilResult(asked=[asked], ended_by=ended_by, analyses=[look])


@pytest.mark.parametrize(
    ("ended_by", "end_s"), [("precision", 97.2), ("duration", 300.0), ("cut short", 300.0)]
)
def test_the_window_of_a_run_that_was_precise_ends_with_its_last_reply(
    ended_by: str, end_s: float
) -> None:
    run = collected(
        chosen("e2e.p50 ±5%"),
        producers=[final_producer(finished_us=START_US + 97_200_000)],
        until=result(ended_by, "e2e.p50 ±5%", 0.0001),
    )
    assert enqueue_end_s(run) == pytest.approx(end_s)


def test_the_record_says_what_ended_the_run() -> None:
    found = result("duration", EXACT, 0.1)
    assert build_record(collected(chosen(EXACT), until=found)).until == found
    assert build_record(collected()).until is None


def test_what_was_asked_for_is_never_surer_than_the_look_that_ended_the_run() -> None:
    record = build_record(collected())
    known = ConfidenceInterval(low=0.0009, high=0.0011)
    summary = msgspec.structs.replace(
        record.latency["e2e"]["all"], confidence={"p50_s": known, "p99_s": known}
    )
    latency = {"e2e": {"all": msgspec.structs.replace(summary, p50_s=0.001, p99_s=0.001)}}
    ended = collected(until=result("precision", "e2e.p50 ±50%", 0.0004))
    found = widened_latency(latency, ended)["e2e"]["all"].confidence
    assert found["p50_s"].low == pytest.approx(0.0006)
    assert found["p50_s"].high == pytest.approx(0.0014)
    assert found["p99_s"] == known
    longer = replace(ended, until=result("duration", "e2e.p50 ±50%", 0.0004))
    assert widened_latency(latency, longer) == latency


def test_a_rate_that_was_asked_for_is_never_surer_either() -> None:
    known = ConfidenceInterval(low=99.0, high=101.0)
    withheld = ConfidenceInterval(withheld="short")
    rates = Rates(100.0, 100.0, 100.0, 100.0, {"enqueued_per_s": known, "finished_per_s": withheld})
    for name, interval in (
        ("enqueue.rate", ConfidenceInterval(low=95.0, high=105.0)),
        ("finished.rate", withheld),
    ):
        ended = collected(until=result("precision", f"{name} ±5%", 5.0))
        field = "enqueued_per_s" if name == "enqueue.rate" else "finished_per_s"
        assert widened_rates(rates, ended).confidence[field] == interval
