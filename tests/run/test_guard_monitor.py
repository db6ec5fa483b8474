"""Which guards a run has, on a real server, and what ends it."""

import pytest
import redis

from bench.errors import RunAborted, UsageError
from bench.ipc.messages import Stop
from bench.run.guard_monitor import choose
from bench.run.server_sampler import ServerSample
from bench.workload.resolve import resolve
from bench.workload.scenario import Scenario
from tests.run.scripted import Scene, kinds, producer, worker


def guarded(*guards: str) -> Scenario:
    return resolve({"queues": {"q_a": 1}, "rate": "100/s", "duration": "20s", "abort": guards})


@pytest.fixture
def client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, protocol=2)


def test_a_server_of_others_has_a_guard_of_its_memory_and_ones_own_has_none(
    client: redis.Redis,
) -> None:
    assert choose(client, guarded(), owns_server=False).expressions == ("redis.memory > 80%",)
    assert choose(client, guarded(), owns_server=True).expressions == ()


@pytest.mark.parametrize(
    ("written", "watched"),
    [
        (("backlog > 5",), ("redis.memory > 80%", "backlog > 5")),
        (("none",), ()),
        (("none", "backlog > 5"), ("backlog > 5",)),
        (("redis.memory > 99%",), ("redis.memory > 99%",)),
        (("redis.memory > 99GiB",), ("redis.memory > 99GiB",)),
    ],
)
def test_what_is_written_of_the_memory_replaces_the_default(
    client: redis.Redis, written: tuple[str, ...], watched: tuple[str, ...]
) -> None:
    assert choose(client, guarded(*written), owns_server=False).expressions == watched


def test_a_guard_that_holds_before_the_run_refuses_it(client: redis.Redis) -> None:
    with pytest.raises(RunAborted) as raised:
        choose(client, guarded("redis.memory > 1KiB"), owns_server=True)
    message = str(raised.value)
    assert message.startswith("nothing was sent, as the guard 'redis.memory > 1KiB' holds before")
    assert choose(client, guarded("redis.memory > 1KiB for 2s"), owns_server=True).guards


class Hiding:
    """A server that hides some of its figures, as managed ones do."""

    def __init__(self, info: dict[str, object]) -> None:
        self._info = info

    def info(self, _: str) -> dict[str, object]:
        return self._info


@pytest.mark.parametrize(
    ("guard", "info", "missing"),
    [
        ("redis.memory > 80%", {"used_memory": 5}, "a limit of its memory"),
        ("redis.memory > 80%", {"maxmemory": 5}, "its memory"),
        ("redis.memory > 80MiB", {}, "its memory"),
        ("redis.cpu > 80%", {}, "its CPU time"),
    ],
)
def test_a_guard_on_what_the_server_hides_is_refused(
    guard: str, info: dict[str, object], missing: str
) -> None:
    with pytest.raises(UsageError) as raised:
        choose(Hiding(info), guarded(guard), owns_server=False)  # type: ignore[arg-type]
    assert f"abort: '{guard}': the server does not tell this user {missing}: " in str(raised.value)


def test_where_the_server_hides_its_memory_the_missing_default_is_told() -> None:
    chosen = choose(Hiding({}), guarded(), owns_server=False)  # type: ignore[arg-type]
    assert not chosen.guards
    assert chosen.note == (
        "the server does not tell this user its memory, so no guard watches it: give the user the "
        "right to read INFO, or watch the server"
    )


def test_a_run_ends_with_its_guard_and_is_not_drained() -> None:
    sender, server = producer(enqueued=10), worker()
    scene = Scene(guarded("backlog > 5"), producers=[sender], workers=[server])
    scene.after(2_000_000, lambda: back_up(scene, 6))
    scene.supervisor.watch()
    state = scene.supervisor.state
    assert state.aborted is not None
    assert (state.aborted.guard, state.aborted.value) == ("backlog > 5", 6)
    assert kinds(sender) == [Stop]
    scene.supervisor.drain()
    assert state.drain_started_s is None
    assert not state.interruptions


def test_a_guard_ends_a_drain() -> None:
    scene = Scene(guarded("backlog > 5"), producers=[producer()], workers=[worker()])
    scene.draining.over_from_us = 10**12
    scene.fleet.producers[0].is_done = True
    scene.supervisor.watch()
    scene.after(2_000_000, lambda: back_up(scene, 7))
    scene.supervisor.drain()
    assert scene.supervisor.state.aborted is not None
    assert not scene.supervisor.state.drain_waited_for
    assert scene.elapsed_s < scene.scenario.drain_timeout_s


def back_up(scene: Scene, tasks: int) -> None:
    """Let the server's next sample show so many pending tasks."""
    scene.sampler.backlog = (tasks,)
    scene.sampler.samples.append(ServerSample(0, (tasks,), None, None))
