"""What an observer does at which moment, and what its reports say: on a clock that moves only
when told, with queries that the test answers."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
import redis

from bench.errors import ServerUnreachable
from bench.ipc.child import Control
from bench.layouts.runqy.layout import RUNQY
from bench.measure.reports import WorkerReport
from bench.observer.counting import QUIET_FOR_US, QueueCounter
from bench.observer.leases import LeaseWatch
from bench.observer.observer import (
    COUNT_EVERY_US,
    MAX_QUERIES_PER_S,
    RECONNECT_US,
    REQUERY_EVERY_US,
    ROUND_US,
    Observer,
    ObserverParts,
)
from bench.observer.reconcile import Reconciler
from bench.observer.registered import RegisteredWorkers
from bench.observer.tracer import Tracer
from bench.wire.layout_contract import KeyRole
from tests.observer.scripted import COMPLETED, START_US, Scene, start, task_id


@dataclass
class Sent:
    """A run that only listens."""

    stopped: bool = False
    reports: list[WorkerReport] = field(default_factory=list)

    def send(self, report: WorkerReport) -> None:
        self.reports.append(report)


class Observed:
    """An observer of a run whose tasks are due one each millisecond."""

    def __init__(self, folder: Path, traced: float = 1) -> None:
        self.scene = Scene(folder)
        self.pending = self.active = 0
        self.server_is_gone = False
        self.lengths_read: list[int] = []
        """When, in µs after the start."""
        message, scene = start(traced=traced), self.scene
        nobody = cast(redis.Redis, None)  # the layout has neither counters nor leases
        counter = QueueCounter(self._lengths, scene.board, scene.recorder)
        self.parts = ObserverParts(
            queries=scene.queries,
            recorder=scene.recorder,
            counter=counter,
            tracer=Tracer(
                message,
                START_US,
                scene.clock,
                scene.board,
                scene.queries,
                scene.recorder,
                None,
            ),
            reconciler=Reconciler(message, scene.board, scene.queries, scene.recorder),
            commands_per_count=2,
            registered=RegisteredWorkers(nobody, RUNQY, []),
            leases=LeaseWatch(nobody, RUNQY, [], message.run),
        )
        self.control = Sent()
        self.observer = self.make()

    def make(self) -> Observer:
        return Observer("observer", self.scene.clock, cast(Control, self.control), self.parts)

    def _lengths(self) -> dict[KeyRole, int]:
        self.lengths_read.append(self.scene.clock.now_us() - START_US)
        if self.server_is_gone:
            raise redis.exceptions.ConnectionError("gone")
        return {KeyRole.PENDING: self.pending, KeyRole.ACTIVE: self.active}

    def turns(self, until_us: int, step_us: int = 1000) -> None:
        """A turn each millisecond, from now until then (µs after the start)."""
        while self.scene.clock.now_us() - START_US <= until_us:
            self.observer.turn(self.scene.clock.now_us())
            self.scene.clock.advance(step_us)

    def report(self) -> WorkerReport:
        return self.observer.report(full=False)


@pytest.fixture
def observed(tmp_path: Path) -> Observed:
    return Observed(tmp_path)


def test_lengths_are_read_a_hundred_times_a_second(observed: Observed) -> None:
    observed.turns(100_000)
    assert observed.lengths_read == list(range(0, 100_001, COUNT_EVERY_US))


def test_a_server_that_does_not_answer_is_asked_again(observed: Observed) -> None:
    observed.server_is_gone = True
    observed.turns(50_000)
    observed.server_is_gone = False
    observed.scene.enqueue(3)
    observed.turns(60_000)
    assert observed.report().completed == 3


def test_queries_keep_within_their_budget(observed: Observed) -> None:
    observed.scene.enqueue(3000)
    observed.scene.end(dict.fromkeys(range(3000), (0, COMPLETED)))
    observed.pending = 1
    observed.scene.at(10_000_000)
    observed.turns(10_100_000, step_us=100)
    assert observed.scene.queries.queried == pytest.approx(MAX_QUERIES_PER_S / 10, rel=0.1)


def test_a_round_takes_a_millisecond_at_least(observed: Observed) -> None:
    observed.scene.enqueue(1)
    observed.pending = 1
    observed.turns(20_000, step_us=10)
    assert observed.scene.queries.queried <= 20_000 / ROUND_US + 1


def test_a_lost_connection_is_replaced_with_a_pause_after_each_failure(observed: Observed) -> None:
    scene = observed.scene
    attempts: list[int] = []

    def refuse() -> None:
        attempts.append(scene.clock.now_us() - START_US)
        if len(attempts) < 4:
            raise ServerUnreachable("no server")

    scene.queries.reconnect = refuse  # type: ignore[method-assign]
    scene.queries.losses = 1
    scene.enqueue(1)
    scene.end({0: (0, COMPLETED)})
    observed.turns(1_000_000)
    assert attempts == [attempts[0] + RECONNECT_US * number for number in range(4)]
    assert scene.latency().count == 1


def test_no_task_is_reconciled_before_the_queues_have_been_quiet(tmp_path: Path) -> None:
    observed = Observed(tmp_path, traced=1e-9)
    scene = observed.scene
    scene.enqueue(3)
    scene.end(dict.fromkeys(range(3), (0, COMPLETED)))
    observed.active = 1
    observed.turns(2 * QUIET_FOR_US)
    observed.active = 0
    empty_us = scene.clock.now_us() - START_US
    observed.turns(empty_us + QUIET_FOR_US - COUNT_EVERY_US)
    assert scene.queries.queried == 0
    observed.turns(empty_us + QUIET_FOR_US + 2 * COUNT_EVERY_US)
    assert scene.queries.asked == [task_id(number) for number in range(3)]


def test_what_had_not_ended_is_queried_again_ten_times_a_second(tmp_path: Path) -> None:
    observed = Observed(tmp_path, traced=1e-9)
    observed.scene.enqueue(1)
    observed.turns(QUIET_FOR_US + COUNT_EVERY_US)
    first = observed.scene.queries.queried
    observed.turns(QUIET_FOR_US + COUNT_EVERY_US + 10 * REQUERY_EVERY_US)
    assert observed.scene.queries.queried - first == pytest.approx(10, abs=1)


@pytest.mark.parametrize(
    ("enqueued", "queued", "ends", "until_us", "in_flight"),
    [
        (5, 3, 0, 0, 3),
        (5, 0, 5, 0, 1),  # perhaps a worker has popped one and has not put it anywhere
        (5, 0, 5, 2 * QUIET_FOR_US, 0),
        (5, 0, 2, 2 * QUIET_FOR_US, 3),  # they wait, on no list, for their next attempt
        (0, 0, 0, 2 * QUIET_FOR_US, 0),
    ],
)
def test_tasks_in_flight_are_those_that_may_still_end(
    observed: Observed, enqueued: int, queued: int, ends: int, until_us: int, in_flight: int
) -> None:
    observed.scene.enqueue(enqueued)
    observed.pending = queued
    observed.scene.end(dict.fromkeys(range(ends), (0, COMPLETED)))
    observed.turns(until_us)
    assert observed.report().in_flight == in_flight


def test_while_tasks_were_sent_that_are_not_acknowledged_one_is_in_flight(
    observed: Observed,
) -> None:
    observed.scene.board.note(0, 5, 3, 3)
    observed.scene.end(dict.fromkeys(range(5), (0, COMPLETED)))
    observed.turns(2 * QUIET_FOR_US)
    assert observed.report().in_flight == 1


def test_the_final_report_rests_on_every_task(observed: Observed) -> None:
    scene = observed.scene
    scene.enqueue(4)
    scene.end(dict.fromkeys(range(3), (0, COMPLETED)))
    scene.queries.state_of = {task_id(3): "active"}
    observed.active = 1
    observed.turns(20_000)
    scene.enqueue(5)
    scene.end({4: (0, COMPLETED)})
    report = observed.observer.finish()
    assert report.final
    assert report.full
    assert (report.started, report.completed, report.failed) == (5, 4, 0)
    assert report.observed is not None
    assert report.observed.are_outcomes_known
    assert report.observed.unfinished == {"active": 1}
    assert report.observed.traced == 5


@pytest.mark.parametrize("lost", [True, False])
def test_a_server_that_is_gone_at_the_end_leaves_what_became_of_the_tasks_unknown(
    observed: Observed, lost: bool
) -> None:
    observed.scene.enqueue(4)
    observed.turns(20_000)
    observed.scene.queries.losses = 100 if lost else 0
    observed.server_is_gone = not lost
    report = observed.observer.finish()
    assert report.final
    assert report.observed is not None
    assert not report.observed.are_outcomes_known


def test_reports_number_themselves_and_say_what_looking_has_cost(observed: Observed) -> None:
    observed.scene.enqueue(1)
    observed.pending = 1
    observed.turns(10_000)
    first, second = observed.report(), observed.report()
    assert (first.revision, second.revision) == (1, 2)
    assert (first.name, first.made_us) == ("observer", observed.scene.clock.now_us())
    assert first.observed is not None
    queried = observed.scene.queries.queried
    assert first.observed.commands == queried + 2 * len(observed.lengths_read)
