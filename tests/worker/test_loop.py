"""A worker's heartbeat, reconnections and end, on connections that the test answers."""

import itertools
import os
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
import redis

from bench.clock import FakeClock
from bench.errors import ServerUnreachable
from bench.layouts import registry
from bench.worker.event_loop import FOREVER_US, Coroutine, CoroutineFactory, Request, Sleep
from bench.worker.loop import HEARTBEAT_US, RECONNECT_US, STOP_US, WorkerLoop
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

    def _call(self, *words: object) -> None:
        self.calls.append(words)
        if self.fails:
            raise redis.exceptions.ConnectionError("gone")

    def hset(self, key: str, mapping: dict[str, str]) -> None:
        self._call("hset", key, mapping["active_task"], mapping["queue"], mapping["healthy"])

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
        self.in_flight = 3
        self.answers = 0
        self._when_stopping = when_stopping

    def coroutines(self) -> list[CoroutineFactory]:
        return [self._ask]

    def _ask(self) -> Coroutine:
        while not self.stopping:
            yield Request(b"BRPOP", 1, may_block=True)
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
        self.read, self.write = os.pipe()
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
        )

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

        self.loop.run(self.read, lambda: bool(os.read(self.read, 1)), advance)

    def stop(self) -> None:
        os.write(self.write, b"x")

    def close(self) -> None:
        for stream in self.streams:
            stream.close()
            stream.peer.close()
        os.close(self.read)
        os.close(self.write)


@pytest.fixture
def running() -> Iterator[Callable[[Asking], RunningWorker]]:
    made: list[RunningWorker] = []

    def make(worker: Asking) -> RunningWorker:
        made.append(RunningWorker(worker))
        return made[-1]

    yield make
    for each in made:
        each.close()


Actions = dict[int, Callable[[], object]]
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
        yield Sleep(FOREVER_US)
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


def test_a_lost_connection_is_replaced_and_its_coroutine_begins_again(running: Any) -> None:
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
    assert worker.answers == 2
    assert made.client.of("script_load") == [("script_load", text) for text in LAYOUT.scripts]


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
    made: RunningWorker = running(Asking())

    def lose() -> None:
        made.streams[0].hang_up()
        made.refusals = 1_000_000

    made.run(at({1: lose, 9: made.stop}))
    assert len(made.turns) <= 11
    assert made.client.calls[-1] == ("close",)


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
        )
