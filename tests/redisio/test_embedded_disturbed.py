"""The embedded server, stopped and started again by its owner: the same server to everybody."""

import signal
import socket
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
import redis

from bench.errors import ServerUnreachable
from bench.redisio import embedded
from bench.redisio.embedded import EmbeddedServer


@pytest.fixture
def persistent() -> Iterator[EmbeddedServer]:
    """A server that has its data after a restart."""
    with embedded.running(persistent=True) as started:
        yield started


def client_of(url: str) -> Any:
    return redis.Redis.from_url(url, decode_responses=True, protocol=2)


@pytest.mark.parametrize(("keeps_data", "found"), [(True, "1"), (False, None)])
def test_a_restart_begins_with_what_was_saved_or_with_nothing(
    persistent: EmbeddedServer, keeps_data: bool, found: str | None
) -> None:
    before = persistent.pid
    client_of(persistent.url).set("kept", 1)
    persistent.restart(keeps_data=keeps_data)
    assert persistent.pid != before
    assert client_of(persistent.url).get("kept") == found


def test_a_server_without_persistence_comes_back_empty(embedded: EmbeddedServer) -> None:
    client_of(embedded.url).set("kept", 1)
    embedded.restart(keeps_data=True)
    assert client_of(embedded.url).dbsize() == 0


def test_a_restart_keeps_the_port_the_users_and_what_the_run_has_set(
    persistent: EmbeddedServer,
) -> None:
    client_of(persistent.url).config_set("notify-keyspace-events", "K$")
    urls = (persistent.url, persistent.open_url)
    persistent.restart(keeps_data=True)
    client = client_of(persistent.url)
    assert (persistent.url, persistent.open_url) == urls
    assert set(client.config_get("notify-keyspace-events")["notify-keyspace-events"]) == set("K$")
    assert client.acl_whoami() == "bench"
    others = client_of(persistent.open_url)
    assert others.set("task", 1)
    with pytest.raises(redis.exceptions.NoPermissionError):
        others.config_set("save", "")


def test_nobody_gets_in_without_a_password_as_the_user_who_may_do_everything(
    persistent: EmbeddedServer,
) -> None:
    persistent.restart(keeps_data=True)
    with pytest.raises(redis.exceptions.AuthenticationError):
        client_of(f"redis://bench:wrong@127.0.0.1:{persistent.port}/0").ping()


def test_a_server_that_was_killed_can_be_started_again(persistent: EmbeddedServer) -> None:
    client_of(persistent.url).set("kept", 1)
    persistent.kill(signal.SIGKILL)
    assert not persistent.is_up
    with pytest.raises(redis.exceptions.ConnectionError):
        client_of(persistent.url).ping()
    persistent.restart(keeps_data=True)
    assert client_of(persistent.url).get("kept") == "1"


def test_a_stalled_server_answers_nobody_until_it_goes_on(embedded: EmbeddedServer) -> None:
    embedded.stall()
    client = redis.Redis.from_url(embedded.url, protocol=2, socket_timeout=0.2)
    with pytest.raises(redis.exceptions.TimeoutError):
        client.ping()
    embedded.resume()
    assert client_of(embedded.url).ping()


def test_a_stalled_server_ends_with_its_owner() -> None:
    with embedded.running() as server:
        process = psutil.Process(server.pid)
        server.stall()
    assert not process.is_running()


def test_a_server_whose_port_was_taken_meanwhile_says_so(persistent: EmbeddedServer) -> None:
    persistent.kill()
    with (
        socket.create_server(("127.0.0.1", persistent.port)),
        pytest.raises(ServerUnreachable, match="did not start"),
    ):
        persistent.restart(keeps_data=True)
