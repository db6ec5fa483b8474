"""A worker's heartbeat, reconnections and end, on connections that the test answers."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import pytest
import redis

from bench.clock import FakeClock
from bench.errors import ServerUnreachable
from bench.layouts import registry
from bench.redisio.connection import ConnectionLost
from bench.wire.layout_contract import Command
from bench.worker.difficulties import Difficulties
from bench.worker.event_loop import (
    FOREVER_US,
    Coroutine,
    CoroutineFactory,
    Request,
    Sleep,
    Wait,
)
from bench.worker.loop import (
    HEARTBEAT_EXPIRES_S,
    HEARTBEAT_US,
    RECONNECT_US,
    STOP_US,
    WorkerLoop,
)
from bench.worker.server_calls import REFUSED_FOR_US
from bench.worker.stop_requests import StopRequests
from tests.redisio.stream import PairedStream

START_US = 1_800_000_000_000_000
LAYOUT = registry.get("asynq").variant(duplicate_check=True)
KEY = LAYOUT.worker("w1")
NOTHING = b"*-1\r\n"


class Client:
    """A redis client that keeps what it is asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.fails = False
        self.replies: list[object] = []
        """What it answers to a pipeline."""

    def _call(self, *words: object) -> None:
        self.calls.append(words)
        if self.fails:
            raise redis.exceptions.ConnectionError("gone")

    def hset(self, key: str, mapping: dict[str, str]) -> None:
        self._call("hset", key, mapping["active_task"], mapping["queue"], mapping["healthy"])

    def expire(self, key: str, seconds: int) -> None:
        self._call("expire", key, seconds)

    def pipeline(self, *, transaction: bool) -> "Client":
        return self

    def execute_command(self, *words: bytes) -> None:
        self._call("command", *words)

    def execute(self, *, raise_on_error: bool = True) -> list[object]:
        self._call("execute")
        return self.replies

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def delete(self, key: str) -> None:
        self._call("delete", key)

    def client_unblock(self, client_id: int) -> None:
        self._call("unblock", client_id)

    def script_load(self, text: str) -> None:
        self._call("script_load", text)

    def close(self) -> None:
        self.calls.append(("close",))

    def of(self, *kinds: str) -> list[tuple[object, ...]]:
        return [call for call in self.calls if call[0] in kinds]


class Asking:
    """A worker of one coroutine: it asks until it is told to stop, then goes on as it is told."""

    def __init__(self, when_stopping: Callable[[], Coroutine] | None = None) -> None:
        self.stopping = False
        self.wake_all: Callable[[], None] = lambda: None
        self.difficulties = Difficulties()
        self.in_flight = 3
        self.waiting_retry = 0
        self.unanswered = 0
        self.held: list[Command] = []
        """What the worker returns if it ends at once."""
        self.answers = 0
        self.losses = 0
        self._when_stopping = when_stopping

    def coroutines(self) -> list[CoroutineFactory]:
        return [self._ask]

    def undo(self) -> list[Command]:
        return self.held

    def _ask(self) -> Coroutine:
        while not self.stopping:
            try:
                yield Request(b"BRPOP", 1, may_block=True)
            except ConnectionLost:
                self.losses += 1
            else:
                self.answers += 1
        if self._when_stopping is not None:
            yield from self._when_stopping()


class RunningWorker:
    """A worker's loop, and the test's hand on time, connections and the signal to stop."""

    def __init__(self, worker: Asking) -> None:
        self.clock = FakeClock(START_US)
        self.client = Client()
        self.streams: list[PairedStream] = []
        self.refusals = 0
        """How many attempts to connect fail from now on."""
        self.requests = StopRequests()
        self.turns: list[int] = []
        """When turns took place, in µs after the start."""
        self.loop = WorkerLoop(
            "w1",
            "inference",
            LAYOUT,
            worker,
            self.clock,
            cast(redis.Redis, self.client),
            self._connect,
            self._reopen,
        )

    def _reopen(self) -> redis.Redis:
        if self.client.fails:
            raise ServerUnreachable("no server")
        self.client.calls.append(("reopen",))
        return cast(redis.Redis, self.client)

    def _connect(self) -> PairedStream:
        if self.refusals:
            self.refusals -= 1
            raise ServerUnreachable("no server")
        self.streams.append(PairedStream(client_id=70 + len(self.streams)))
        return self.streams[-1]

    def run(self, on_turn: Callable[[int], object], step_us: int = 10_000) -> None:
        """Run to the end; ``on_turn`` is told the number of each turn, between which time
        passes."""

        def advance() -> int:
            self.turns.append(self.clock.now_us() - START_US)
            on_turn(len(self.turns) - 1)
            self.clock.advance(step_us)
            return self.clock.now_us()

        self.loop.run(self.requests.fileno(), self.requests.take, advance)

    def stop(self) -> None:
        self.requests.add()

    def close(self) -> None:
        for stream in self.streams:
            stream.close()
            stream.peer.close()
        self.requests.close()


@pytest.fixture
def running() -> Iterator[Callable[[Asking], RunningWorker]]:
    made: list[RunningWorker] = []

    def make(worker: Asking) -> RunningWorker:
        made.append(RunningWorker(worker))
        return made[-1]

    yield make
    for each in made:
        each.close()


Actions = Mapping[int, Callable[[], object]]
"""What to do at which turn."""


def at(actions: Actions) -> Callable[[int], object]:
    return lambda turn: actions.get(turn, lambda: None)()


def end(made: RunningWorker, turn: int) -> Actions:
    """Stop the worker, and then answer what it waits for in the server."""
    return {turn: made.stop, turn + 1: lambda: made.streams[-1].reply(NOTHING)}


def test_a_heartbeat_is_written_at_once_and_every_five_seconds_and_deleted_at_the_end(
    running: Any,
) -> None:
    made: RunningWorker = running(Asking())

    made.run(at(end(made, 11)), step_us=HEARTBEAT_US // 5)
    beat = ("hset", KEY, "3", "inference", "1")
    assert made.client.of("hset") == [beat] * 3
    assert made.client.of("expire") == [("expire", KEY, HEARTBEAT_EXPIRES_S)] * 4
    assert made.client.of("hset", "expire")[0][0] == "expire"
    assert made.client.calls[-2:] == [("delete", KEY), ("close",)]


def test_a_server_that_does_not_take_the_heartbeat_does_not_end_the_worker(running: Any) -> None:
    worker = Asking()
    made: RunningWorker = running(worker)
    made.client.fails = True

    made.run(at({1: lambda: made.streams[0].reply(NOTHING), **end(made, 3)}))
    assert worker.answers == 2
    assert made.client.calls[-1] == ("close",)


def test_a_stop_unblocks_what_waits_in_the_server_and_wakes_what_sleeps(running: Any) -> None:
    worker = Asking()
    slept: list[bool] = []

    def sleeper() -> Coroutine:
        yield Wait()
        slept.append(worker.stopping)

    worker.coroutines = lambda: [sleeper, worker._ask]  # type: ignore[method-assign]
    made: RunningWorker = running(worker)

    made.run(at(end(made, 2)))
    assert made.client.of("unblock") == [("unblock", 71)]
    assert slept == [True]
    assert worker.answers == 1


def test_tasks_in_flight_may_end_after_a_stop_but_not_for_ever(running: Any) -> None:
    def never() -> Coroutine:
        yield Sleep(FOREVER_US)

    made: RunningWorker = running(Asking(never))

    made.run(at(end(made, 1)), step_us=STOP_US // 10)
    assert len(made.turns) == pytest.approx(12, abs=1)
    assert made.client.calls[-1] == ("close",)


def test_a_task_in_service_ends_when_its_time_is_over_after_a_stop(running: Any) -> None:
    """A signal to stop, or anything else that happens meanwhile, does not cut a service time."""
    ended_us: list[int] = []
    worker = Asking()

    def serving() -> Coroutine:
        yield Sleep(START_US + 8_000_000)
        ended_us.append(made.clock.now_us() - START_US)

    worker.coroutines = lambda: [serving, worker._ask]  # type: ignore[method-assign]
    made: RunningWorker = running(worker)

    made.run(at(end(made, 2)), step_us=100_000)
    assert ended_us == [pytest.approx(8_000_000, abs=200_000)]
    assert ended_us[0] >= 8_000_000


@pytest.mark.parametrize("signals", [1, 2])
def test_what_is_in_hand_when_the_worker_ends_is_put_back(running: Any, signals: int) -> None:
    """When the tasks take too long, and at once when asked twice."""

    def never() -> Coroutine:
        yield Sleep(FOREVER_US)

    worker = Asking(never)
    worker.held = [("RPUSH", "pending", "id \udcff")]
    made: RunningWorker = running(worker)
    stops = {5 + number: made.stop for number in range(signals)}

    made.run(at({**stops, 9: lambda: made.streams[-1].reply(NOTHING)}), step_us=STOP_US // 10)
    assert made.client.of("command") == [("command", b"RPUSH", b"pending", b"id \xff")]
    assert made.client.calls[-2:] == [("delete", KEY), ("close",)]
    assert len(made.turns) == pytest.approx(7 if signals == 2 else 16, abs=1)


@pytest.mark.parametrize(
    ("replies", "is_reachable", "left"),
    [([1, 1], True, 1), ([1, redis.exceptions.ResponseError("OOM")], True, 3), ([], False, 3)],
)
def test_how_many_tasks_may_stay_on_active_lists_is_told(
    running: Any, replies: list[object], is_reachable: bool, left: int
) -> None:
    """Those with unanswered commands; and any, if the server does not take them all back."""
    worker = Asking()
    worker.held = [("LREM", "active", "1", "id"), ("RPUSH", "pending", "id")]
    worker.unanswered = 1
    made: RunningWorker = running(worker)
    made.client.replies = replies

    def cut() -> None:
        made.client.fails = not is_reachable

    made.run(at({**end(made, 2), 1: cut}))
    assert worker.difficulties.left == left
    assert any(f"up to {left};" in line for line in worker.difficulties.summary())


def test_a_second_request_to_stop_is_seen_while_the_first_is_carried_out(running: Any) -> None:
    """And the first does not keep the loop from waiting."""

    def never() -> Coroutine:
        yield Sleep(FOREVER_US)

    made: RunningWorker = running(Asking(never))
    actions = {1: made.stop, 2: lambda: made.streams[-1].reply(NOTHING), 30: made.stop}

    made.run(at(actions), step_us=STOP_US // 100)
    assert len(made.turns) == 31


def test_a_lost_connection_is_replaced_and_its_coroutine_told(running: Any) -> None:
    worker = Asking()
    made: RunningWorker = running(worker)

    made.run(
        at(
            {
                1: made.streams[0].hang_up,
                4: lambda: made.streams[1].reply(NOTHING),
                **end(made, 8),
            }
        )
    )
    assert len(made.streams) == 2
    assert made.streams[0].closed
    assert (worker.answers, worker.losses) == (2, 1)


def test_a_server_that_stays_away_ends_the_worker_after_a_long_time(running: Any) -> None:
    told: list[str] = []
    worker = Asking()
    worker.difficulties = Difficulties(told.append)
    made: RunningWorker = running(worker)

    def lose() -> None:
        made.streams[0].hang_up()
        made.refusals = 1_000_000

    with pytest.raises(ServerUnreachable, match="no server"):
        made.run(at({1: lose}), step_us=REFUSED_FOR_US // 20)
    assert len(made.turns) >= 20
    assert told == ["the connection was lost: no server; the worker reconnects"]


def test_reconnecting_is_tried_again_and_again_with_a_pause(running: Any) -> None:
    made: RunningWorker = running(Asking())
    attempts: list[int] = []
    connect = made.loop._connect

    def counted() -> Any:
        attempts.append(made.clock.now_us())
        return connect()

    made.loop._connect = counted

    def lose() -> None:
        made.streams[0].hang_up()
        made.refusals = 4

    made.run(at({1: lose, **end(made, 60)}))
    assert len(attempts) == 5
    pauses = [after - before for before, after in itertools.pairwise(attempts)]
    assert min(pauses) >= RECONNECT_US


def test_a_worker_that_is_told_to_stop_without_a_connection_does_not_wait_for_one(
    running: Any,
) -> None:
    worker = Asking()
    worker.in_flight = 0
    made: RunningWorker = running(worker)

    def lose() -> None:
        made.streams[0].hang_up()
        made.refusals = 1_000_000

    made.run(at({1: lose, 9: made.stop}))
    assert len(made.turns) <= 11
    assert made.client.calls[-1] == ("close",)


def test_a_worker_with_tasks_in_hand_waits_for_a_connection_when_it_is_told_to_stop(
    running: Any,
) -> None:
    def finishing() -> Coroutine:
        yield Request(b"LREM", 1)
        worker.in_flight = 0

    worker = Asking(finishing)
    made: RunningWorker = running(worker)

    def lose() -> None:
        made.streams[0].hang_up()
        made.refusals = 7

    made.run(
        at({1: lose, 2: made.stop, 40: lambda: made.streams[1].reply(b":1\r\n")}), step_us=60_000
    )
    assert worker.in_flight == 0
    assert len(made.streams) == 2


def test_a_server_that_cannot_be_reached_at_first_is_an_error(running: Any) -> None:
    made: RunningWorker = running(Asking())
    made.refusals = 1
    with pytest.raises(ServerUnreachable):
        WorkerLoop(
            "w2",
            "inference",
            LAYOUT,
            Asking(),
            made.clock,
            cast(redis.Redis, made.client),
            made._connect,
            made._reopen,
        )
