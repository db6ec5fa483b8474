"""A worker that stands for a long time: whatever the server does meanwhile, it goes on."""

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from bench.layouts import registry
from bench.wire.layout_contract import Layout
from bench.wire.task import Task
from bench.worker import standalone
from bench.worker.process import settings_of
from bench.worker.stop_requests import StopRequests
from bench.workload.resolve import resolve
from tests.redisio.private_server import PrivateServer, private_server

pytestmark = pytest.mark.slow

GRACE_S = 20.0
"""Long enough for a machine that is busy with other things."""


class Standing:
    """A worker on a server of its own."""

    def __init__(self, server: PrivateServer, layout: str, prefetch: int) -> None:
        self.server = server
        self.layout: Layout = registry.get(layout).layout
        self.queue = f"inference{self.layout.separator}default"
        self.client = server.client()
        self.told: list[str] = []
        self.requests = StopRequests()
        scenario = resolve(
            {
                "queues": {self.queue: 1},
                "layout": layout,
                "rate": "max",
                "tasks": 1,
                "prefetch": prefetch,
                "concurrency": 4,
                "service_time": "2ms",
                "store_results": True,
            }
        )
        self._numbers = itertools.count()
        self.error: BaseException | None = None

        def serve() -> None:
            try:
                standalone.serve(
                    *(server.url, "inference", settings_of(scenario)),
                    *(self.requests, self.told.append),
                )
            except BaseException as error:
                self.error = error

        self._thread = threading.Thread(target=serve)
        self._thread.start()

    def enqueue(self, count: int) -> list[str]:
        """Enqueue tasks; returns their ids."""
        names = [f"task-{next(self._numbers)}" for _ in range(count)]
        with self.client.pipeline(transaction=False) as pipeline:
            for name in names:
                for command in self.layout.enqueue(Task(name, self.queue, b'{"input": 1}')):
                    pipeline.execute_command(*command)
            pipeline.execute()
        return names

    def require_served(self, names: list[str]) -> None:
        """Wait until all these tasks have results."""
        self.wait_until(lambda: all(map(self._has_result, names)))

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition, which counts as not met while the server does not answer."""
        deadline = time.monotonic() + GRACE_S
        is_met = False
        while not is_met:
            assert self.error is None
            assert time.monotonic() < deadline, f"it never happened; told: {self.told}"
            with contextlib.suppress(redis.exceptions.RedisError):
                is_met = condition()

    def _has_result(self, name: str) -> bool:
        return bool(self.client.execute_command(*self.layout.has_result(self.queue, name)))

    @contextlib.contextmanager
    def meeting(self, code: str) -> Iterator[None]:
        """Wait, after what is done meanwhile, until the server has refused a command of the
        worker's with that error, and the worker has told it."""
        before = self._refused(code)
        yield
        self.wait_until(lambda: self._refused(code) > before)
        self.wait_until(lambda: any(f"now: {code}" in line for line in self.told))

    def _refused(self, code: str) -> int:
        """How often the server has answered with that error."""
        found = self.client.info("errorstats").get(f"errorstat_{code}", {"count": 0})
        return int(found["count"])

    def has_held_back(self) -> bool:
        """Whether the server holds back a command of the worker's, other than a blocking pop."""
        return any(
            "b" in each["flags"] and each["cmd"] not in ("brpop", "blpop", "blmpop")
            for each in self.client.client_list()
        )

    def state(self, name: bytes) -> bytes | None:
        """The state of a task with any id."""
        key = self.layout.task(self.queue, name.decode(errors="surrogateescape"))
        found: bytes | None = self.client.hget(key.encode(errors="surrogateescape"), "state")
        return found

    def stop(self) -> None:
        self.requests.add()
        self._thread.join()
        self.requests.close()
        self.client.close()


@pytest.fixture(
    scope="module", params=itertools.product(("runqy", "asynq", "runqy-server"), (1, 16)), ids=str
)
def standing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Standing]:
    folder: Path = tmp_path_factory.mktemp("standing")
    with private_server(folder, "--dbfilename", "data.rdb") as server:
        made = Standing(server, *request.param)
        made.require_served(made.enqueue(5))
        yield made
        made.stop()
        assert made.error is None


def pause(standing: Standing) -> None:
    """Writes are held back, those of the worker too."""
    standing.client.client_pause(60_000, all=False)
    standing.wait_until(standing.has_held_back)
    standing.client.client_unpause()


def forget_scripts(standing: Standing) -> None:
    if not standing.layout.scripts:
        pytest.skip("the layout has no scripts")
    with standing.meeting("NOSCRIPT"):
        standing.client.script_flush()


def be_busy(standing: Standing) -> None:
    """Other clients are refused while a script runs for longer than the threshold."""
    client = standing.client
    client.config_set("busy-reply-threshold", 20)
    text = "local till = redis.call('TIME')[1] + 2 while redis.call('TIME')[1] + 0 < till do end"
    with standing.meeting("BUSY"):
        client.eval(text, 0)


def be_read_only(standing: Standing) -> None:
    with standing.meeting("READONLY"):
        standing.client.replicaof("127.0.0.1", "1")
    standing.client.replicaof("NO", "ONE")


def be_out_of_memory(standing: Standing) -> None:
    with standing.meeting("OOM"):
        standing.client.config_set("maxmemory", "1mb")
    standing.client.config_set("maxmemory", 0)


def restart_with_data(standing: Standing) -> None:
    """The server ends with commands in flight, none of which it has carried out, and comes back
    with all its data. What it carries out without an answer is lost, by BRPOP's nature."""
    standing.client.client_pause(60_000, all=False)  # writes
    standing.client.save()
    standing.server.stop()
    standing.server.start()


DIFFICULTIES: list[Callable[[Standing], None]] = [
    *(pause, forget_scripts, be_busy, be_read_only, be_out_of_memory, restart_with_data),
]


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_every_task_is_served_whatever_the_server_does_meanwhile(
    standing: Standing, difficulty: Callable[[Standing], None]
) -> None:
    names = standing.enqueue(60)
    difficulty(standing)
    standing.require_served([*names, *standing.enqueue(10)])


@pytest.mark.parametrize("is_restart", [True, False])
def test_a_server_that_has_lost_its_data_is_served_all_the_same(
    standing: Standing, is_restart: bool
) -> None:
    standing.enqueue(40)
    if is_restart:
        standing.server.stop()
        (standing.server.folder / "data.rdb").unlink(missing_ok=True)
        standing.server.start()
    else:
        standing.client.flushall()  # the test's own server
    standing.require_served(standing.enqueue(10))


def test_what_is_no_task_is_put_aside_and_the_tasks_behind_it_are_served(
    standing: Standing,
) -> None:
    client, layout, queue = standing.client, standing.layout, standing.queue
    pending, active = layout.pending(queue), layout.active(queue)

    def put(name: bytes, fields: dict[str, bytes]) -> None:
        key = layout.task(queue, name.decode(errors="surrogateescape"))
        client.hset(key.encode(errors="surrogateescape"), mapping=fields)
        client.lpush(pending, name)

    fields = dict(Task("x", queue, b"{}").fields())
    put(b"\xff\xfe", fields)  # an id may be any bytes
    put(b"large", {**fields, "payload": b"x" * 5_000_000})
    put(b"empty", {**fields, "payload": b""})
    put(b"broken", {**fields, "retry": b"many"})
    put(b"huge-number", {**fields, "max_retry": b"9" * 5000})
    for other in ("string", "list"):
        client.set(layout.task(queue, other), "x")
        client.lpush(pending, other)
    for name in (b"no hash", b"", b"\x1b[31m", b"%s{}", b"y" * 100_000):
        client.lpush(pending, name)
    standing.require_served(standing.enqueue(20))
    states = {
        b"completed": (b"\xff\xfe", b"large", b"empty"),
        b"archived": (b"broken", b"huge-number"),
    }
    for state, ids in states.items():
        standing.wait_until(lambda: {standing.state(each) for each in ids} == {state})  # noqa: B023
    standing.wait_until(lambda: sorted(client.lrange(active, 0, -1)) == [b"list", b"string"])
    assert any("cannot be served" in line for line in standing.told)
    client.delete(active)


@pytest.mark.parametrize("role", ["pending", "active"])
def test_a_list_that_is_replaced_by_something_else_is_waited_for(
    standing: Standing, role: str
) -> None:
    client = standing.client
    key = getattr(standing.layout, role)(standing.queue)
    client.delete(key)
    names = []
    with standing.meeting("WRONGTYPE"):
        client.set(key, "no list")
        names += standing.enqueue(20) if role == "active" else []
    client.delete(key)
    standing.require_served([*names, *standing.enqueue(10)])
    active = standing.layout.active(standing.queue)
    standing.wait_until(lambda: client.llen(active) == 0)
