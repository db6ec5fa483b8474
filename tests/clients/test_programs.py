"""Every client's program for real, where its tools are here: what it prints, and what it leaves."""

import contextlib
import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from bench.clients import build, processes
from bench.clients.catalogue import BY_NAME, CLIENTS, Client
from bench.clients.result import ClientResult
from bench.errors import MeasurementError
from bench.layouts import registry
from bench.redisio import client_tasks, embedded
from bench.redisio.client_tasks import CheckedQueue, ExpectedTasks
from bench.redisio.embedded import EmbeddedServer
from tests.clients.conftest import require

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("built")]

QUEUE = "guide_default"
TASKS = 250
"""Two batches and a half."""


@pytest.fixture(params=CLIENTS, ids=lambda client: client.name)
def each(request: pytest.FixtureRequest) -> Client:
    """Every client in turn."""
    client: Client = request.param
    require(client)
    return client


def run(client: Client, url: str) -> ClientResult:
    program = build.prepare(client, lambda _: None)
    return processes.run(client, program, url, TASKS, QUEUE, lambda: False)


def test_a_client_writes_what_the_guide_says_and_prints_its_line(
    each: Client, embedded: EmbeddedServer
) -> None:
    line = run(each, embedded.url)
    assert (line.client, line.tasks) == (each.name, TASKS)
    assert line.cpu_s > 0
    if each.is_ordered:  # one batch after the other, and all of a batch takes as long
        assert len(line.latency_us) <= (-(-TASKS // each.batch) if each.batch else 1)
    # In a closed loop one thing comes after the other, so no latency is longer than the whole.
    assert line.histogram().max_us / 1e6 <= line.elapsed_s * 1.01 + 1e-3
    checked = CheckedQueue(registry.get(each.layout), QUEUE)
    expected = ExpectedTasks(TASKS, each.is_ordered, each.is_stamped)
    with redis.Redis.from_url(embedded.url) as client:
        found = client_tasks.inspect(client, checked, expected, owns_server=True)
    assert found.fault == ""
    assert len(found.own) == TASKS


@contextlib.contextmanager
def held(url: str) -> Iterator[None]:
    """The server holds the first write that comes for ten milliseconds."""
    is_over = threading.Event()

    def hold() -> None:
        with redis.Redis.from_url(url) as client:
            while not is_over.wait(0.002) and not client.info("clients")["blocked_clients"]:
                pass
            is_over.wait(0.01)
            client.client_unpause()

    with redis.Redis.from_url(url) as client:
        client.client_pause(60_000, all=False)
    thread = threading.Thread(target=hold)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def test_long_latencies_are_in_the_lines_own_buckets(
    each: Client, embedded: EmbeddedServer
) -> None:
    if each.name in ("bench-asynq", "bench-runqy-server"):
        pytest.skip("it makes the queue known first, and sits the pause out with that")
    with held(embedded.url):
        line = run(each, embedded.url)
    assert line.histogram().max_us > 10_000


@pytest.fixture
def socket_path(tmp_path: Path) -> Iterator[Path]:
    """The unix socket of a server that asks for the password ``open sesame``."""
    path = tmp_path / "socket"
    words = ["--port", "0", "--unixsocket", str(path), "--save", "", "--requirepass", "open sesame"]
    with subprocess.Popen(
        [embedded.find_binary(None), *words, "--dir", str(tmp_path)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        # It ends with this line, and is answered from then on.
        for said in process.stdout:
            if b"accept connections" in said and b"unix" in said.lower():
                break
        yield path
        process.terminate()
        process.stdout.read()


def test_a_unix_socket_with_a_user_and_a_password_is_understood(
    each: Client, socket_path: Path
) -> None:
    assert run(each, f"unix://default:open%20sesame@{socket_path}").tasks == TASKS


def test_asynqs_own_message_holds_the_payload(embedded: EmbeddedServer) -> None:
    asynq = BY_NAME["go-asynq"]
    require(asynq)
    run(asynq, embedded.url)
    with redis.Redis.from_url(embedded.url) as client:
        waiting = client.lrange(f"asynq:{{{QUEUE}}}:pending", 0, -1)
        for number, task_id in enumerate(reversed(waiting)):
            message = client.hget(f"asynq:{{{QUEUE}}}:t:{task_id.decode()}", "msg")
            assert message is not None
            assert (
                json.dumps({"input": f"hello {number}"}, separators=(",", ":")).encode() in message
            )
            assert task_id in message


def test_a_password_is_understood_and_never_among_the_words(
    each: Client, embedded: EmbeddedServer
) -> None:
    password = "open/se same"  # noqa: S105 - of a server that lives as long as this test
    with redis.Redis.from_url(embedded.url) as client:
        client.config_set("requirepass", password)
    place = embedded.open_url.removeprefix("redis://")
    assert run(each, f"redis://:open%2Fse%20same@{place}").tasks == TASKS


def test_a_refused_password_is_told_without_it(each: Client, embedded: EmbeddedServer) -> None:
    with redis.Redis.from_url(embedded.url) as client:
        client.config_set("requirepass", "right")
    place = embedded.open_url.removeprefix("redis://")
    with pytest.raises(MeasurementError, match="exit code 1") as failed:
        run(each, f"redis://:abracadabra@{place}")
    assert "abracadabra" not in str(failed.value)


def test_a_server_that_is_not_there_ends_a_client(each: Client) -> None:
    with pytest.raises(MeasurementError, match=r"it ended with exit code 1: .*[Cc]onnect"):
        run(each, "redis://127.0.0.1:1/0")
