"""A connection is what the URL says, and to a server that this project can use."""

import contextlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from bench.errors import ServerUnreachable, UsageError
from bench.redisio.connection import RawConnection, open_client


@pytest.fixture
def admin(server_port: int) -> Iterator[Any]:
    """A client that may do everything."""
    with contextlib.closing(redis.Redis(port=server_port)) as client:
        yield client


def test_the_database_of_the_url_is_used(server_port: int, admin: Any) -> None:
    with open_client(f"redis://127.0.0.1:{server_port}?db=3") as client:
        client.set("a", 1)
        assert client.client_info()["db"] == 3
        client.delete("a")
    connection = RawConnection(f"redis://127.0.0.1:{server_port}/4")
    clients = {each["id"]: each["db"] for each in admin.client_list()}
    assert clients[str(connection.client_id)] == "4"
    connection.close()


def test_a_node_of_a_cluster_is_refused_before_anything_is_written(cluster_port: int) -> None:
    url = f"redis://127.0.0.1:{cluster_port}"
    with pytest.raises(UsageError, match=rf"^{url}/0 is a node of a Redis Cluster"):
        open_client(url)


def test_a_user_who_may_not_ask_for_a_cluster_goes_on(server_port: int, admin: Any) -> None:
    admin.acl_setuser(
        "guest", enabled=True, passwords=["+pw"], keys="*", commands=["+@all", "-info"]
    )
    try:
        with open_client(f"redis://guest:pw@127.0.0.1:{server_port}") as client:
            assert client.dbsize() >= 0
    finally:
        admin.acl_deluser("guest")


class QuietHandler(http.server.BaseHTTPRequestHandler):
    """Answers, and keeps no log."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_what_does_not_answer_as_redis_does_is_no_server() -> None:

    with http.server.HTTPServer(("127.0.0.1", 0), QuietHandler) as other:
        threading.Thread(target=other.handle_request).start()
        with pytest.raises(ServerUnreachable, match="does not answer as Redis does"):
            open_client(f"redis://127.0.0.1:{other.server_port}")


@pytest.mark.parametrize("option", ["ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile"])
def test_a_file_of_a_certificate_that_is_missing_is_named(tmp_path: Path, option: str) -> None:
    missing = tmp_path / "missing.pem"
    with pytest.raises(UsageError, match=rf"{option}.*: {missing}: no such file"):
        open_client(f"rediss://127.0.0.1:1?{option}={missing}")
