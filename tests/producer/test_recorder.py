"""A producer's records against a model that counts each task at once, by itself."""

import itertools
from collections import defaultdict, deque
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure.bits import Bits
from bench.measure.histogram import Histogram
from bench.measure.recorder import Interval, LatencySeries, RateSeries
from bench.measure.window import TimeLine
from bench.producer.recorder import ProducerRecorder
from bench.wire.frames import Tasks

START_US = 1_700_000_000_000_000
EDGES_US = (500_000, 1_000_000)
LINE = TimeLine(START_US, EDGES_US)
QUEUES, CONNECTIONS = 3, 3


@dataclass
class Model:
    """What a recorder should hold, made one task after the other."""

    is_closed_loop: bool
    histograms: dict[tuple[int, Interval, int], Histogram] = field(
        default_factory=lambda: defaultdict(Histogram)
    )
    offered: RateSeries = field(default_factory=RateSeries)
    enqueued: RateSeries = field(default_factory=RateSeries)
    latencies: LatencySeries = field(default_factory=lambda: LatencySeries([], []))
    waiting: dict[int, deque[tuple[int, int, int, int]]] = field(
        default_factory=lambda: defaultdict(deque)
    )
    """(sequence, due, queue, sent) by connection."""
    answered: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)
    unconfirmed: set[int] = field(default_factory=set)

    def record(self, interval: Interval, due_us: int, queue: int, value_us: int) -> None:
        number = sum(due_us - START_US >= edge_us for edge_us in EDGES_US)
        self.histograms[number, interval, queue].record(value_us)

    def sent(self, tasks: Tasks, sent_us: int, connection: int) -> None:
        rows = zip(
            tasks.sequence.tolist(), tasks.due_us.tolist(), tasks.queue.tolist(), strict=True
        )
        for sequence, due_us, queue in rows:
            self.offered.add(due_us - START_US, 1)
            if not self.is_closed_loop:
                self.record(Interval.SCHEDULE_LAG, due_us, queue, sent_us - due_us)
            self.waiting[connection].append((sequence, due_us, queue, sent_us))

    def reply(self, count: int, acked_us: int, refused: list[int], connection: int) -> None:
        for index in range(count):
            sequence, due_us, queue, sent_us = self.waiting[connection].popleft()
            self.answered.add(sequence)
            if index in refused:
                self.refused.add(sequence)
                self.unconfirmed.add(sequence)
                continue
            self.enqueued.add(acked_us - START_US, 1)
            self.record(Interval.ENQUEUE, due_us, queue, acked_us - sent_us)
            self.latencies.add_sum(due_us - START_US, acked_us - sent_us, 1)

    def lost(self, connection: int) -> None:
        self.unconfirmed |= {each[0] for each in self.waiting.pop(connection, ())}

    @property
    def answered_before(self) -> int | None:
        """The first task that awaits its reply; None if none does."""
        return min((each[0] for sent in self.waiting.values() for each in sent), default=None)


def bits(numbers: set[int]) -> bytes:
    found = Bits()
    found.add(np.array(sorted(numbers), np.int64))
    return found.pack()


@given(data=st.data(), is_closed_loop=st.booleans(), in_order=st.booleans())
def test_records_are_those_of_each_task_by_itself(
    data: st.DataObject, is_closed_loop: bool, in_order: bool
) -> None:
    """However tasks are sent together, and whenever the recorder counts what it has noted: with
    several connections, refusals, lost connections, and clocks that are wrong."""
    recorder, model = ProducerRecorder(LINE, is_closed_loop), Model(is_closed_loop)
    sequence, now_us = 0, START_US
    for _ in range(data.draw(st.integers(1, 25))):
        now_us += data.draw(st.integers(0, 150_000))
        connection = data.draw(st.integers(0, CONNECTIONS - 1))
        match data.draw(st.sampled_from(["send", "send", "reply", "reply", "lose", "count"])):
            case "send":
                count = data.draw(st.integers(1, 40))
                lags = data.draw(st.lists(st.integers(-900_000, 5_000_000), min_size=1, max_size=4))
                due_us = sorted(now_us - lags[n % len(lags)] for n in range(count))
                queue = [n * 7 % QUEUES for n in range(count)]
                order = np.arange(count) if in_order else np.argsort(queue, kind="stable")
                tasks = Tasks(
                    np.arange(sequence, sequence + count)[order],
                    np.array(due_us)[order],
                    np.array(queue)[order],
                )
                sequence += count
                model.sent(tasks, now_us, connection)
                cuts = {0, count}
                if in_order:  # others are sent as a whole
                    cuts |= data.draw(st.sets(st.integers(1, count), max_size=3))
                for start, stop in itertools.pairwise(sorted(cuts)):
                    recorder.sent(tasks, start, stop, now_us, connection)
            case "reply" if model.waiting[connection]:
                count = data.draw(st.integers(1, len(model.waiting[connection])))
                refused = sorted(data.draw(st.sets(st.integers(0, count - 1), max_size=3)))
                recorder.answered(count, now_us, refused, connection)
                model.reply(count, now_us, refused, connection)
            case "lose":
                recorder.connection_lost(connection)
                model.lost(connection)
            case "count":
                recorder.count()
        waiting = sum(map(len, model.waiting.values()))
        assert (recorder.sent_count, recorder.in_flight) == (sequence, waiting)
        before = model.answered_before
        assert recorder.answered_before == (sequence if before is None else before)
    assert recorder.offered.counts == model.offered.counts
    assert recorder.enqueued.counts == model.enqueued.counts
    assert recorder.enqueued_count == len(model.answered) - len(model.refused)
    assert recorder.refused_count == len(model.refused)
    measured = recorder.measured()
    found = {(each.slice, each.interval, each.queue): each.histogram for each in measured.parts}
    assert found == {key: histogram.pack() for key, histogram in model.histograms.items()}
    assert measured.series == model.latencies
    for connection in range(CONNECTIONS):
        model.lost(connection)
    ledger = recorder.ledger()
    assert ledger.acknowledged.pack() == bits(model.answered)
    assert ledger.refused.pack() == bits(model.refused)
    assert sorted(recorder.take_unconfirmed()) == sorted(model.unconfirmed)
    assert recorder.take_unconfirmed() == []


def test_what_is_noted_is_counted_before_it_fills_the_memory() -> None:
    recorder = ProducerRecorder(LINE, is_closed_loop=False)
    for number in range(9000):
        one = np.array([number])
        recorder.sent(Tasks(one, one + START_US, one * 0), 0, 1, START_US + number)
        recorder.answered(1, START_US + number + 5)
    assert recorder.uncounted <= 4096
    assert sum(recorder.offered.counts) == sum(recorder.enqueued.counts) == 9000
    assert recorder.uncounted == 0


def test_more_replies_than_tasks_are_refused() -> None:
    recorder = ProducerRecorder(LINE, is_closed_loop=False)
    one = np.array([0])
    recorder.sent(Tasks(one, one + START_US, one), 0, 1, START_US)
    with pytest.raises(ValueError, match="2 replies for 1 tasks"):
        recorder.answered(2, START_US)


def test_redirected_tasks_keep_their_moment_and_what_no_node_took_counts_as_refused() -> None:
    recorder = ProducerRecorder(LINE, is_closed_loop=False)
    sequence = np.arange(6)
    tasks = Tasks(sequence, np.full(6, START_US), np.zeros(6, np.int64))
    recorder.sent(tasks, 0, 6, START_US + 1_000, 0)
    recorder.answered(2, START_US + 2_000, (), 0)
    recorder.redirected(2, 0, 1)
    recorder.redirected(2, 0, -1)
    recorder.answered(2, START_US + 9_000, (), 1)
    assert recorder.answered_before == 4
    recorder.redirected(1, -1, 1)
    assert (recorder.in_flight, recorder.redirected_count) == (2, 4)
    recorder.refuse_held()
    assert (recorder.in_flight, recorder.refused_count) == (1, 1)
    measured = recorder.latency_counts()[Interval.ENQUEUE][0]
    assert (measured.count, measured.failures, measured.max_us) == (5, 1, 8_000)
    ledger = recorder.ledger()
    assert ledger.acknowledged.numbers().tolist() == [0, 1, 2, 3, 5]  # answered
    assert ledger.refused.numbers().tolist() == [5]
    assert recorder.take_unconfirmed() == [5, 4]
