"""What is known of processes that died, from their progress and from what Redis holds."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest

from bench.ipc.progress_board import ProgressBoard
from bench.measure.bits import Bits
from bench.measure.ledger import Counts
from bench.measure.reports import ProducerReport
from bench.observer.sampling import id_of
from bench.run.reconcile import Died, known_sets, look_up, restored
from bench.wire.layout_contract import STATE_ACTIVE, STATE_PENDING, STATE_RETRY, TaskOutcome
from bench.workload.scenario import Scenario
from tests.observer.scripted import ARCHIVED, COMPLETED, GONE, Scene
from tests.run.values import START_US, bits, producer, scenario, worker

RUN = 77
PENDING: TaskOutcome | None = None


def numbers(packed: bytes) -> list[int]:
    return list(map(int, Bits(packed).numbers()))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


# What a producer's final report would have said.


def test_a_producer_s_progress_on_the_board_is_newer_than_its_last_report(scene: Scene) -> None:
    scene.board.exclude(0, [2, 5])
    scene.board.note(0, 20, 12, 10)
    scene.board.will_send(0, 8)
    last = ProducerReport(number=0, due=9, sent=9, enqueued=7, enqueued_by_bin=[3, 4])
    report = restored(Died(0, last, scene.board, -1), scenario(), 400_000, START_US)
    assert (report.sent, report.enqueued) == (28, 10)
    assert numbers(report.acknowledged) == [0, 1, 3, 4, 6, 7, 8, 9, 10, 11]
    assert report.due == 41  # one each 10 ms, from the start on
    assert report.finished_us == START_US + 200_000


def test_a_closed_loop_has_nothing_due_that_was_not_sent(scene: Scene) -> None:
    scene.board.note(0, 20, 20, 20)
    chosen = scenario(rate="max", tasks=500)
    assert restored(Died(0, None, scene.board, -1), chosen, 10**7, START_US).due == 20


def test_without_a_board_what_is_found_in_redis_was_sent() -> None:
    last = ProducerReport(number=3, due=9, sent=9, enqueued=7)
    report = restored(Died(3, last, None, 14), scenario(rate="max", tasks=500), 0, START_US)
    assert (report.number, report.sent, report.due) == (3, 15, 15)
    assert numbers(report.acknowledged) == []


def test_the_board_says_what_may_have_been_sent_before_it_is(tmp_path: Path) -> None:
    board = ProgressBoard.make(tmp_path / "board", 2)
    board.will_send(1, 5)
    assert (board.sent(0), board.sent(1)) == (0, 5)
    board.note(1, 5, 0, 0)
    assert board.sent(1) == 5


# What Redis holds.

DELETING = scenario(layout="asynq", queues={"inference.default": 1})
"""Its workers delete what they have completed."""


def found(
    scene: Scene,
    ends: Mapping[int, TaskOutcome | None],
    acknowledged: Iterable[int],
    known: Iterable[int] = (),
    states: dict[int, str] | None = None,
    chosen: Scenario | None = None,
) -> tuple[Counts, dict[str, list[int]]]:
    """The counts, and the sequence numbers by how they were found to have ended."""
    for number, outcome in ends.items():
        name = id_of(RUN, 0, number)
        if outcome is not None:
            scene.queries.ends[name] = (0, outcome)
        scene.queries.state_of[name] = (states or {}).get(number, STATE_PENDING)
    made = Bits()
    made.add(np.array(sorted(acknowledged), np.int64))
    report = producer(len(ends), acknowledged=made.pack())
    seen = {0: bits(*known)} if known else {}
    result = look_up(scene.queries, chosen or scenario(), RUN, [report], [seen], lambda: None)
    sets = {"completed": result.ledger.completed, "archived": result.ledger.archived}
    sets |= {"gone": result.ledger.gone, "waiting": result.waiting}
    return result.counts, {
        name: by_producer[0].numbers().tolist()
        for name, by_producer in sets.items()
        if 0 in by_producer and len(by_producer[0])
    }


def test_each_task_is_what_redis_says_it_is(scene: Scene) -> None:
    ends = {0: COMPLETED, 1: ARCHIVED, 2: GONE, 3: PENDING, 4: COMPLETED}
    counts, sets = found(scene, ends, acknowledged=range(5), chosen=DELETING)
    assert sets == {"completed": [0, 4], "archived": [1], "gone": [2]}
    assert counts == Counts(completed=2, failed=1, outcome_unknown=1)


def test_what_was_never_acknowledged_and_is_not_there_has_not_ended(scene: Scene) -> None:
    ends = {0: GONE, 1: GONE, 2: COMPLETED}
    _, sets = found(scene, ends, acknowledged=[0], chosen=DELETING)
    assert sets == {"gone": [0], "completed": [2]}


@pytest.mark.parametrize(
    "chosen",
    [
        scenario(),
        scenario(layout="asynq", queues={"inference.default": 1}, store_results=True),
    ],
    ids=["runqy", "asynq"],
)
def test_what_is_gone_has_not_ended_where_our_workers_keep_what_they_complete(
    scene: Scene, chosen: Scenario
) -> None:
    """A server that was emptied has lost it."""
    ends = {0: GONE, 1: COMPLETED}
    counts, sets = found(scene, ends, acknowledged=range(2), chosen=chosen)
    assert sets == {"completed": [1]}
    assert counts == Counts(completed=1)


def test_what_left_the_active_list_unmarked_has_ended_in_a_way_that_is_not_known(
    scene: Scene,
) -> None:
    states = {0: STATE_ACTIVE, 1: STATE_PENDING}
    _, sets = found(scene, {0: PENDING, 1: PENDING}, acknowledged=range(2), states=states)
    assert sets == {"gone": [0]}


def test_what_waits_for_its_next_attempt_on_no_list_is_waiting(scene: Scene) -> None:
    _, sets = found(scene, {0: PENDING}, acknowledged=[0], states={0: STATE_RETRY})
    assert sets == {"waiting": [0]}


def test_a_worker_that_goes_on_may_still_have_what_it_marked_as_active(scene: Scene) -> None:
    states, chosen = {0: STATE_ACTIVE}, scenario(worker="external")
    _, sets = found(scene, {0: PENDING}, acknowledged=[0], states=states, chosen=chosen)
    assert sets == {"waiting": [0]}


def test_what_is_known_already_is_not_looked_up(scene: Scene) -> None:
    ends = dict.fromkeys(range(6), COMPLETED)
    _, sets = found(scene, ends, acknowledged=range(6), known=[1, 2, 5])
    assert sets == {"completed": [0, 3, 4]}
    assert scene.queries.asked == [id_of(RUN, 0, number) for number in (0, 3, 4)]


def test_known_is_what_workers_reported_and_what_lists_hold() -> None:
    reports = [worker({0: [1]}), worker({0: [2], 1: [7]})]
    sets = known_sets(reports, {0: bits(3)}, {0: bits(4)})
    merged = Bits()
    for by_producer in sets:
        merged.merge(by_producer.get(0, Bits()))
    assert merged.numbers().tolist() == [1, 2, 3, 4]
