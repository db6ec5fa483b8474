"""A worker against a real server: the commands it sends, and what it leaves."""

import functools
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from bench.clock import RunClock
from bench.layouts.runqy.layout import RUNQY
from bench.measure.recorder import Interval
from bench.measure.summary import latencies
from bench.measure.window import time_line
from bench.redisio.connection import RawConnection, open_client
from bench.wire import ids, stamps
from bench.wire.task import Task
from bench.worker.batch import WorkerSettings
from bench.worker.difficulties import Difficulties
from bench.worker.loop import HEARTBEAT_EXPIRES_S, WorkerLoop
from bench.worker.process import OneRun, settings_of
from bench.worker.recorder import WorkerRecorder
from bench.worker.stop_requests import StopRequests
from bench.worker.worker import Worker
from bench.workload.resolve import resolve
from tests.integration.proxy import proxy
from tests.redisio.private_server import private_server
from tests.waiting import await_that

RUN = 77
HIGH, DEFAULT, LOW = "inference_high", "inference_default", "inference_low"
WORKER = "w1"


def enqueue(client: Any, queue: str, count: int, first: int = 0) -> list[str]:
    names = []
    for sequence in range(first, first + count):
        name = ids.format_id(ids.TaskId(RUN, 0, sequence))
        now_us = time.time_ns() // 1000
        payload = stamps.head(now_us, now_us) + b"}"
        for command in RUNQY.enqueue(Task(name, queue, payload)):
            client.execute_command(*command)
        names.append(name)
    return names


class Serving:
    """A worker in a thread."""

    def __init__(self, url: str, **fields: object) -> None:
        queues = {HIGH: 3, DEFAULT: 2, LOW: 1}
        scenario = resolve({"queues": queues, "rate": "max", "tasks": 1, **fields})
        settings: WorkerSettings = settings_of(scenario)
        clock = RunClock(time.time_ns() // 1000 - time.monotonic_ns() // 1000)
        self.recorder = WorkerRecorder(RUN, time_line(clock.now_us(), 0, 0), list(queues))
        self.told: list[str] = []
        difficulties = Difficulties(self.told.append)
        self.worker = Worker(settings, OneRun(self.recorder), clock, difficulties)
        self.requests = StopRequests()
        self.loop = WorkerLoop(
            *(WORKER, "inference", settings.layout, self.worker, clock, open_client(url)),
            functools.partial(RawConnection, url),
            functools.partial(open_client, url),
        )

        def on_turn() -> int:
            return clock.now_us() + 50_000

        self._thread = threading.Thread(
            target=self.loop.run, args=(self.requests.fileno(), self.requests.take, on_turn)
        )
        self._thread.start()

    def stop(self, times: int = 1) -> None:
        for _ in range(times):
            self.requests.add()
        self._thread.join()
        self.requests.close()


def commands_of(client: Any, url: str, action: Callable[[], None], *last: str) -> list[str]:
    """What clients send while something is done, as MONITOR sees it, until all last commands came.

    Coroutines are concurrent: which of them comes last is open.
    """
    missing = set(last)
    seen: list[str] = []
    opened: Any = redis.Redis.from_url(url)
    with opened.monitor() as monitor:
        doing = threading.Thread(target=action)
        doing.start()
        while missing:
            command = monitor.next_command()["command"]
            if command.split()[0] not in (
                *("HELLO", "AUTH", "CLIENT", "SELECT", "PING", "INFO", "COMMAND"),
            ):
                seen.append(command)
                missing.discard(command)
        doing.join()
    return seen


def test_one_task_is_served_command_for_command_as_documented(client: Any, url: str) -> None:
    (task_id,) = enqueue(client, DEFAULT, 1)
    keys = " ".join(RUNQY.pending(queue) for queue in (HIGH, DEFAULT, LOW))
    serving: list[Serving] = []
    task = f"asynq:t:{task_id}"
    last = f"HSET {task} state completed"
    seen = commands_of(client, url, lambda: serving.append(Serving(url, store_results=True)), last)
    serving[0].stop()
    own = [command for command in seen if "asynq:workers:" not in command]
    assert own == [
        f"BRPOP {keys} 2",
        f"HGETALL {task}",
        f"LPUSH asynq:{DEFAULT}:active {task_id}",
        f"HSET {task} state active",
        f'SET asynq:result:{task_id} {{"status":"ok"}}',
        f"LREM asynq:{DEFAULT}:active 1 {task_id}",
        last,
    ]


def test_a_batch_sends_the_same_commands_per_task_in_the_same_order(client: Any, url: str) -> None:
    names = enqueue(client, DEFAULT, 20)
    serving: list[Serving] = []
    last = [f"HSET asynq:t:{name} state completed" for name in names]
    seen = commands_of(client, url, lambda: serving.append(Serving(url, prefetch=60)), *last)
    serving[0].stop()
    for name in names:
        task = f"asynq:t:{name}"
        assert [command for command in seen if name in command] == [
            f"HGETALL {task}",
            f"LPUSH asynq:{DEFAULT}:active {name}",
            f"HSET {task} state active",
            f"LREM asynq:{DEFAULT}:active 1 {name}",
            f"HSET {task} state completed",
        ]


def test_a_heartbeat_is_there_while_the_worker_is(client: Any, url: str) -> None:
    key = f"asynq:workers:{WORKER}"
    serving = Serving(url)
    await_that(lambda: bool(client.exists(key)))
    assert set(client.hgetall(key)) == {b"started", b"healthy", b"queue", b"active_task"}
    assert client.hget(key, "queue") == b"inference"
    await_that(lambda: 0 < client.ttl(key) <= HEARTBEAT_EXPIRES_S)  # should the worker be killed
    serving.stop()
    assert not client.exists(key)


def test_a_user_who_may_not_let_a_heartbeat_expire_writes_none(tmp_path: Path) -> None:
    """A worker that was killed would be there for ever; it serves its tasks all the same."""
    with private_server(tmp_path) as server, server.client() as client:
        client.execute_command(*["ACL", "SETUSER", "w", "on", ">secret", "~*", "+@all", "-expire"])
        names = enqueue(client, DEFAULT, 3)
        serving = Serving(server.url.replace("//", "//w:secret@"))
        await_that(lambda: client.hget(f"asynq:t:{names[-1]}", "state") == b"completed")
        assert not client.exists(f"asynq:workers:{WORKER}")
        serving.stop()
        assert any("writes no heartbeat" in line for line in serving.told)


def test_a_right_that_is_taken_away_takes_the_heartbeat_with_it(tmp_path: Path) -> None:
    key = f"asynq:workers:{WORKER}"
    with private_server(tmp_path) as server, server.client() as client:
        client.execute_command(*["ACL", "SETUSER", "w", "on", ">secret", "~*", "+@all"])
        serving = Serving(server.url.replace("//", "//w:secret@"))
        await_that(lambda: client.ttl(key) > 0)
        client.execute_command(*["ACL", "SETUSER", "w", "-expire"])
        client.delete(key)
        serving.loop._write_heartbeat()
        assert not client.exists(key)
        serving.stop()


@pytest.mark.parametrize("prefetch", [1, 10])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_stop_leaves_no_task_half_done(
    client: Any, url: str, prefetch: int, concurrency: int
) -> None:
    """Each task is either completed or waiting as it was, and those that wait keep their order.

    Of the tasks that coroutines had taken in batches, one coroutine's may come before another's.
    """
    names = enqueue(client, DEFAULT, 40)
    serving = Serving(url, prefetch=prefetch, concurrency=concurrency, service_time="20ms")
    await_that(lambda: client.hget(f"asynq:t:{names[2]}", "state") == b"completed")
    serving.stop()
    states = {name: client.hget(f"asynq:t:{name}", "state") for name in names}
    waiting = [name.decode() for name in reversed(client.lrange(RUNQY.pending(DEFAULT), 0, -1))]
    completed = [name for name in names if states[name] == b"completed"]
    assert client.llen(RUNQY.active(DEFAULT)) == 0
    assert sorted(completed + waiting) == sorted(names)
    taken = 0 if prefetch == 1 else prefetch
    assert sorted(waiting[:taken]) + waiting[taken:] == sorted(waiting)
    assert all(states[name] in (None, b"pending") for name in waiting)


@pytest.mark.parametrize("lacks", [["BLMPOP"], ["BLMPOP", "COMMAND"]])
def test_a_server_without_blmpop_is_served_in_batches_all_the_same(
    tmp_path: Path, lacks: list[str]
) -> None:
    """Servers before Redis 7 do not have it."""
    renamed = [word for name in lacks for word in ("--rename-command", name, "")]
    with private_server(tmp_path, *renamed) as server, server.client() as client:
        names = enqueue(client, DEFAULT, 50)
        serving = Serving(server.url, prefetch=30)
        await_that(lambda: client.hget(f"asynq:t:{names[-1]}", "state") == b"completed")
        serving.stop()
    assert serving.recorder.report(full=False).completed == 50


def test_an_id_without_a_task_is_counted_and_nothing_is_written_for_it(
    client: Any, url: str
) -> None:
    names = enqueue(client, DEFAULT, 3)
    client.delete(f"asynq:t:{names[1]}")
    for prefetch in (1, 10):
        serving = Serving(url, prefetch=prefetch)
        await_that(lambda: client.hget(f"asynq:t:{names[2]}", "state") == b"completed")
        serving.stop()
    assert not client.exists(f"asynq:t:{names[1]}")
    assert client.llen(RUNQY.active(DEFAULT)) == 0


def test_tasks_of_others_are_served_whatever_their_ids_look_like(client: Any, url: str) -> None:
    for prefetch in (1, 10):
        for command in RUNQY.enqueue(Task("my-task-id", DEFAULT, b'{"input": "hello world"}')):
            client.execute_command(*command)
        serving = Serving(url, prefetch=prefetch, service_time="1ms", failure_rate=0.0)
        await_that(lambda: client.hget("asynq:t:my-task-id", "state") == b"completed")
        serving.stop()
        assert serving.recorder.report(full=True).completed == 0
        client.delete("asynq:t:my-task-id")


def test_a_worker_goes_on_when_its_connections_were_cut(client: Any, url: str) -> None:
    serving = Serving(url, prefetch=10)
    await_that(lambda: any(each["cmd"] == "blmpop" for each in client.client_list()))
    for each in client.client_list():
        if each["cmd"] == "blmpop":
            client.client_kill_filter(_id=each["id"])
    names = enqueue(client, DEFAULT, 5)
    await_that(lambda: client.hget(f"asynq:t:{names[-1]}", "state") == b"completed")
    serving.stop()


@pytest.mark.parametrize("prefetch", [1, 16])
def test_no_task_is_served_for_less_than_its_service_time(
    client: Any, url: str, prefetch: int
) -> None:
    """Whatever else happens meanwhile: other tasks fail, wait for a retry, are started and end; and
    the worker is told to stop."""
    names = enqueue(client, DEFAULT, 120)
    serving = Serving(
        url,
        prefetch=prefetch,
        concurrency=8,
        service_time="20ms",
        failure_rate=0.3,
        retry_delay="15ms",
    )
    await_that(lambda: client.hget(f"asynq:t:{names[60]}", "state") == b"completed")
    serving.stop()
    found = latencies([serving.recorder.report(full=True).measured], [HIGH, DEFAULT, LOW], 0)
    service = found[Interval.SERVICE, "all"]
    assert service.count >= 60
    assert service.min_us >= 20_000


@pytest.mark.parametrize("prefetch", [1, 16])
def test_a_worker_that_ends_at_once_puts_its_tasks_back(
    client: Any, url: str, prefetch: int
) -> None:
    names = enqueue(client, DEFAULT, 6)
    serving = Serving(url, prefetch=prefetch, concurrency=2, service_time="60s")
    await_that(lambda: client.hget(f"asynq:t:{names[0]}", "state") == b"active")
    # Tasks whose commands are unanswered are left as they are.
    await_that(lambda: serving.worker.in_flight >= 2 and not serving.worker.unanswered)
    serving.stop(times=2)
    waiting = [name.decode() for name in client.lrange(RUNQY.pending(DEFAULT), 0, -1)]
    assert sorted(waiting) == sorted(names)
    assert client.llen(RUNQY.active(DEFAULT)) == 0
    assert serving.recorder.report(full=True).completed == 0


@pytest.mark.slow
def test_a_second_request_to_stop_over_a_slow_network_leaves_no_task_active(
    client: Any, url: str
) -> None:
    """It comes when the first tasks are on their way back."""
    names = enqueue(client, DEFAULT, 64)
    pending, active = RUNQY.pending(DEFAULT), RUNQY.active(DEFAULT)
    with proxy(int(url.rpartition(":")[2].partition("/")[0]), reply_delay_s=0.06) as slow:
        serving = Serving(slow.url, prefetch=64, service_time="60s")
        await_that(lambda: bool(client.llen(active) == serving.worker.in_flight == len(names)))
        serving.requests.add()
        await_that(lambda: bool(client.llen(pending)))
        serving.stop()
    assert (client.llen(pending), client.llen(active)) == (64, 0)
