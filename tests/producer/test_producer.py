"""Pacing, with a clock that moves only when the producer waits: no socket, no sleep."""

import random
from dataclasses import dataclass, field

import pytest

from bench.clock import FakeClock
from bench.errors import ServerUnreachable
from bench.ipc.messages import StartProducer
from bench.measure.recorder import Interval
from bench.measure.reports import ProducerReport
from bench.measure.summary import latencies
from bench.measure.window import time_line
from bench.producer.producer import Producer
from bench.producer.recorder import ProducerRecorder
from bench.redisio.backlog import BacklogReader
from bench.redisio.connection import ConnectionLost
from bench.wire.frames import Batch
from bench.workload.resolve import resolve
from bench.workload.tick import FAST_PER_S, FAST_TICK_US, TICK_US
from tests.seconds import in_seconds

START_US = 1_700_000_000_000_000


@dataclass
class Memory:
    """A sink that keeps what it is given, in time that passes only here."""

    clock: FakeClock
    wake_late_us: int = 0
    stall: range = range(0)
    """Times, from the start, in which nothing is taken: the socket is full."""
    lose_at: int | None = None
    """The batch at which the connection is lost."""
    gone_for_good: bool = False
    stop_us: int | None = None
    """When the run tells the producer to stop, from the start."""
    last_list_length: int | None = None
    sent: list[tuple[int, int, int]] = field(default_factory=list)
    """(sequence, due, sent) of each task, from the start."""
    batches: list[int] = field(default_factory=list)
    reconnects: int = 0

    @property
    def is_congested(self) -> bool:
        return self.clock.now_us() - START_US in self.stall

    @property
    def has_stopped(self) -> bool:
        return self.stop_us is not None and self.clock.now_us() >= START_US + self.stop_us

    def prepare(self, batch: Batch) -> Batch:
        return batch

    def send(self, prepared: Batch, start: int, stop: int, recorder: ProducerRecorder) -> None:
        now_us = self.clock.now_us()
        batch = prepared.part(start, stop)
        self.batches.append(len(batch))
        recorder.sent(prepared.tasks, start, stop, now_us)
        if self.lose_at == len(self.batches):
            raise ConnectionLost("cut")
        for sequence, due_us in zip(batch.sequence.tolist(), batch.due_us.tolist(), strict=True):
            self.sent.append((sequence, due_us - START_US, now_us - START_US))

    def wait(self, until_us: int, recorder: ProducerRecorder, control: int) -> bool:
        if recorder.in_flight:
            self.clock.advance(20)
            recorder.answered(recorder.in_flight, self.clock.now_us())
            return False
        if self.is_congested:  # a real socket wakes its sender when it has room
            until_us = min(until_us, self.clock.now_us() + 10)
        self.clock.time_us = max(self.clock.now_us(), until_us) + self.wake_late_us
        return self.has_stopped

    def reconnect(self) -> None:
        if self.gone_for_good:
            raise ServerUnreachable("no server")
        self.reconnects += 1

    def close(self) -> None:
        pass


@dataclass
class Quiet:
    """A run that says nothing, but for when to stop."""

    sink: Memory
    heard: list[ProducerReport]
    """What the producer says."""
    stopped: bool = False

    def fileno(self) -> int:
        return -1

    def read(self) -> None:
        self.stopped = self.sink.has_stopped

    def wait(self, seconds: float) -> None:
        self.sink.clock.advance(int(seconds * 1e6))

    def send(self, message: ProducerReport) -> None:
        self.heard.append(message)


def produce(
    fields: dict[str, object],
    sink: Memory,
    number: int = 0,
    heard: list[ProducerReport] | None = None,
) -> ProducerReport:
    scenario = resolve({"queues": {"inference_default": 1}, **in_seconds(fields)})
    task = StartProducer("redis://nowhere", scenario, 1, number, 0)
    line = time_line(START_US, 0, 0)
    control = Quiet(sink, [] if heard is None else heard)
    return Producer(task, sink, line, sink.clock, control).run()  # type: ignore[arg-type]


def fresh(**options: object) -> Memory:
    return Memory(FakeClock(START_US - 1000), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("rate", [100, 1000, 10_000, 50_000])
def test_every_task_leaves_within_a_tick_of_its_due_time_and_never_before(rate: int) -> None:
    sink = fresh(wake_late_us=60)
    produce({"rate": rate, "duration": 1}, sink)
    assert [sequence for sequence, _, _ in sink.sent] == list(range(rate))
    lags = [sent - due for _, due, sent in sink.sent]
    tick_us = FAST_TICK_US if rate > FAST_PER_S else TICK_US
    assert min(lags) >= 0
    assert max(lags) <= tick_us + 60 + 20


@pytest.mark.parametrize("stop_us", range(500_000, 504_000, 250))
def test_a_run_that_ends_early_has_sent_what_was_due_until_then_and_asks_for_no_more(
    stop_us: int,
) -> None:
    sink = fresh(wake_late_us=3000, stop_us=stop_us)
    produced = produce({"rate": 1000, "duration": 1}, sink)
    assert produced.due == produced.sent == len(sink.sent)
    assert stop_us - 1000 <= max(due for _, due, _ in sink.sent) <= stop_us + 4000


def test_a_server_that_takes_nothing_at_an_early_end_leaves_what_was_due_by_then_unsent() -> None:
    """And nothing of what would have become due while the last replies are awaited."""
    sink = fresh(stall=range(200_000, 10_000_000), stop_us=500_000)
    produced = produce({"rate": 1000, "duration": 1}, sink)
    assert len(sink.sent) == pytest.approx(200, abs=5)
    assert produced.due == pytest.approx(500, abs=5)


def test_what_is_due_in_a_tick_goes_out_in_one_buffer() -> None:
    sink = fresh()
    produce({"rate": 100_000, "duration": 0.1, "pipeline": 1000}, sink)
    blocks = 10_000 / 256  # tasks are prepared in batches, and a buffer ends where one does
    assert len(sink.batches) <= 0.1e6 / FAST_TICK_US + 1 + blocks


def test_a_stall_makes_tasks_late_and_skips_none() -> None:
    sink = fresh(stall=range(200_000, 700_000))
    produce({"rate": 1000, "duration": 1}, sink)
    assert [sequence for sequence, _, _ in sink.sent] == list(range(1000))
    assert [due for _, due, _ in sink.sent] == [1000 * number for number in range(1000)]
    late = [sent - due for _, due, sent in sink.sent if due in range(200_000, 700_000)]
    assert max(late) >= 499_000
    after = [sent - due for _, due, sent in sink.sent if due >= 701_000]
    assert max(after) <= TICK_US + 20


def test_what_is_late_at_the_end_is_given_up_after_the_overrun_and_counted() -> None:
    sink = fresh(stall=range(500_000, 60_000_000))
    report = produce({"rate": 1000, "duration": 1, "overrun": 2}, sink)
    sent = len(sink.sent)
    assert 500 <= sent <= 501
    assert (report.due, report.sent, report.given_up) == (1000, sent, 1000 - sent)
    assert report.behind_us == pytest.approx(2_500_000, abs=2_000)
    assert sink.clock.now_us() - START_US == pytest.approx(3_000_000, abs=2_000)


def test_a_stall_that_ends_within_the_overrun_skips_nothing() -> None:
    sink = fresh(stall=range(500_000, 2_900_000))
    report = produce({"rate": 1000, "duration": 1, "overrun": 2}, sink)
    assert [due for _, due, _ in sink.sent] == [1000 * number for number in range(1000)]
    assert (report.due, report.sent, report.given_up, report.behind_us) == (1000, 1000, 0, 0)


def test_without_an_overrun_a_producer_that_keeps_up_sends_everything() -> None:
    sink = fresh(wake_late_us=200)
    report = produce({"rate": 50_000, "duration": 0.2, "overrun": 0}, sink)
    assert (report.due, report.sent, report.given_up) == (10_000, 10_000, 0)


def test_reports_say_how_late_the_next_task_is() -> None:
    sink = fresh(stall=range(500_000, 1_500_000))
    heard: list[ProducerReport] = []
    produce({"rate": 1000, "duration": 2}, sink, heard=heard)
    assert max(report.behind_us for report in heard) in range(700_000, 1_000_001)
    assert (heard[0].behind_us, heard[-1].behind_us) == (0, 0)


def test_producers_share_a_schedule_without_gap_or_overlap() -> None:
    seen: list[int] = []
    for number in range(3):
        sink = fresh()
        produce({"rate": 999, "duration": 1, "producers": 3}, sink, number)
        seen += [due for _, due, _ in sink.sent]
    alone = fresh()
    produce({"rate": 999, "duration": 1}, alone)
    assert sorted(seen) == [due for _, due, _ in alone.sent]


def test_schedule_lag_is_counted_for_every_task() -> None:
    sink = fresh(wake_late_us=100)
    report = produce({"rate": 500, "duration": 1}, sink)
    lag = latencies([report.measured], ["inference_default"], 0)[Interval.SCHEDULE_LAG, "all"]
    assert lag.count == 500
    assert lag.sum_us == sum(sent - due for _, due, sent in sink.sent)


def test_a_closed_loop_keeps_the_given_number_of_batches_on_the_way() -> None:
    sink = fresh()
    report = produce({"rate": "max", "tasks": 1000, "pipeline": 100, "in_flight": 3}, sink)
    assert sink.batches == [100] * 10
    assert report.enqueued == 1000
    assert all(due == sent for _, due, sent in sink.sent)


def test_a_lost_connection_leaves_its_tasks_unknown_and_never_sends_them_again() -> None:
    sink = fresh(lose_at=5)
    report = produce({"rate": 1000, "duration": 0.1}, sink)
    sequences = [sequence for sequence, _, _ in sink.sent]
    lost = sink.batches[4]
    assert len(sequences) == len(set(sequences)) == 100 - lost
    assert (report.sent, report.enqueued, report.reconnects) == (100, 100 - lost, 1)
    assert len(report.ledger().acknowledged) == 100 - lost


def test_a_server_that_is_gone_for_good_ends_the_run_with_what_was_due_counted() -> None:
    sink = fresh(lose_at=50, gone_for_good=True)
    report = produce({"rate": 1000, "duration": 60}, sink)
    assert report.error == "no server"
    assert report.final
    # Reconnecting was tried for ten seconds, in which tasks went on to be due.
    assert report.due >= 10_000 > report.sent


def test_the_same_seed_gives_the_same_workload() -> None:
    one, other, different = fresh(), fresh(wake_late_us=random.randrange(200)), fresh()
    fields: dict[str, object] = {"rate": 2000, "duration": 0.5, "arrivals": "poisson"}
    produce(fields, one)
    produce(fields, other)
    produce({**fields, "seed": 2}, different)
    assert [due for _, due, _ in one.sent] == [due for _, due, _ in other.sent]
    assert [due for _, due, _ in one.sent] != [due for _, due, _ in different.sent]


def test_a_backlog_that_cannot_be_read_for_a_while_is_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection that is lost beside those that send neither ends the producer nor its run."""
    answers: list[int | None] = [None, None, 900, None, 10]
    monkeypatch.setattr(BacklogReader, "longest", lambda _: answers.pop(0))
    sink = fresh(last_list_length=2000)
    fields: dict[str, object] = {"rate": "max", "tasks": 100, "pipeline": 100, "max_backlog": 500}
    report = produce(fields, sink)
    assert (answers, report.enqueued, report.error) == ([], 100, "")
