"""Queries about tasks on a connection that the test answers."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bench.errors import MeasurementError
from bench.layouts.runqy.layout import RUNQY
from bench.observer import task_queries
from bench.observer.task_queries import TaskQueries
from bench.redisio.connection import ConnectionLost
from bench.wire.layout_contract import TaskOutcome
from bench.workload.scenario_fields import CompletionSignal
from tests.observer.scripted import task_id
from tests.redisio.stream import PairedStream

HIGH, LOW = "inference_high", "inference_low"
ONE = {HIGH: [task_id(0)]}


class Answering(PairedStream):
    """A server with an answer to each request."""

    def __init__(self, answers: list[bytes]) -> None:
        super().__init__()
        self._answers = answers

    def send(self, data: memoryview | bytes) -> None:
        super().send(data)
        if self._answers:
            self.reply(self._answers.pop(0))


class Asked:
    """Queries, and the answers to come."""

    def __init__(self, seen_by: CompletionSignal) -> None:
        self.streams: list[PairedStream] = []
        self._answers: list[bytes] = []
        self.queries = TaskQueries(self._connect, RUNQY, [HIGH, LOW], seen_by)

    def _connect(self) -> PairedStream:
        self.streams.append(Answering(self._answers))
        return self.streams[-1]

    def answer(self, *answers: bytes) -> None:
        self._answers += answers

    def requested(self) -> bytes:
        return self.streams[-1].requested()


@pytest.fixture
def asked() -> Iterator[Callable[..., Asked]]:
    made: list[Asked] = []

    def make(seen_by: CompletionSignal = "state") -> Asked:
        made.append(Asked(seen_by))
        return made[-1]

    yield make
    for each in made:
        each.queries.close()
        for stream in each.streams:
            stream.close()
            stream.peer.close()


def state(text: str | None) -> bytes:
    """The reply about a task in that state; None for a task that is gone."""
    if text is None:
        return b"*2\r\n$-1\r\n$-1\r\n"
    return f"*2\r\n${len(text)}\r\n{text}\r\n$4\r\nwork\r\n".encode()


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (state("completed"), TaskOutcome.COMPLETED),
        (state("archived"), TaskOutcome.ARCHIVED),
        (state("active"), None),
        (state("retry"), None),
        (b"*2\r\n$-1\r\n$4\r\nwork\r\n", None),  # it is there, and no worker has written a state
        (state(None), TaskOutcome.GONE),
    ],
)
def test_the_state_says_how_a_task_ended(
    asked: Any, reply: bytes, outcome: TaskOutcome | None
) -> None:
    made: Asked = asked()
    made.answer(reply, reply)
    assert made.queries.outcomes(ONE) == [outcome]
    assert made.queries.settled(ONE) == [outcome]


@pytest.mark.parametrize(
    ("reply", "outcome"), [(b":1\r\n", TaskOutcome.COMPLETED), (b":0\r\n", None)]
)
def test_where_results_show_the_end_a_stored_result_does(
    asked: Any, reply: bytes, outcome: TaskOutcome | None
) -> None:
    made: Asked = asked("result")
    made.answer(reply)
    assert made.queries.outcomes(ONE) == [outcome]
    assert b"EXISTS" in made.requested()


@pytest.mark.parametrize(
    ("states", "result", "outcome"),
    [
        ("active", b":1\r\n", TaskOutcome.COMPLETED),
        ("active", b":0\r\n", None),
        ("completed", b":0\r\n", TaskOutcome.COMPLETED),
        ("archived", b":1\r\n", TaskOutcome.ARCHIVED),
        ("archived", b":0\r\n", TaskOutcome.ARCHIVED),
        (None, b":1\r\n", TaskOutcome.COMPLETED),
        (None, b":0\r\n", TaskOutcome.GONE),
    ],
)
def test_at_the_end_the_state_counts_as_well_as_the_result(
    asked: Any, states: str | None, result: bytes, outcome: TaskOutcome | None
) -> None:
    made: Asked = asked("result")
    made.answer(state(states), result)
    assert made.queries.settled(ONE) == [outcome]


def test_answers_come_in_the_order_of_the_queues_and_tasks(asked: Any) -> None:
    made: Asked = asked()
    made.answer(state("completed") + state("active") + state("archived"))
    outcomes = made.queries.outcomes({LOW: [task_id(7), task_id(3)], HIGH: [task_id(5)]})
    assert outcomes == [TaskOutcome.COMPLETED, None, TaskOutcome.ARCHIVED]
    sent = made.requested()
    assert sent.index(task_id(7)) < sent.index(task_id(3)) < sent.index(task_id(5))
    assert made.queries.queried == 3


def test_states_are_told_as_they_stand_in_the_hash(asked: Any) -> None:
    made: Asked = asked()
    made.answer(state("active") + state(None))
    assert made.queries.states({HIGH: [task_id(0), task_id(1)]}) == ["active", "no hash"]


def test_hashes_come_whole_and_empty_where_the_task_is_gone(asked: Any) -> None:
    made: Asked = asked()
    made.answer(b"*2\r\n$1\r\na\r\n$1\r\n1\r\n*0\r\n")
    assert made.queries.hashes({HIGH: [task_id(0), task_id(1)]}) == [[b"a", b"1"], []]


def test_a_server_that_refuses_is_an_error_with_its_words(asked: Any) -> None:
    made: Asked = asked()
    made.answer(b"-NOPERM no permissions\r\n")
    with pytest.raises(MeasurementError, match="refuses an observer's query: NOPERM"):
        made.queries.outcomes(ONE)


def test_a_connection_that_is_cut_is_lost_and_a_new_one_goes_on(asked: Any) -> None:
    made: Asked = asked()
    made.streams[0].reply(state("completed")[:9])
    made.streams[0].end_replies()
    with pytest.raises(ConnectionLost):
        made.queries.outcomes(ONE)
    made.queries.reconnect()
    assert made.streams[0].closed
    made.answer(state("archived"))
    assert made.queries.outcomes(ONE) == [TaskOutcome.ARCHIVED]


def test_a_server_that_does_not_answer_counts_as_lost(
    asked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_queries, "_ANSWER_TIMEOUT_S", 0.01)
    made: Asked = asked()
    with pytest.raises(ConnectionLost, match="does not answer"):
        made.queries.outcomes(ONE)
