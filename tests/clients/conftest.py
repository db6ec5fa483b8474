"""The command line as the tests of it call it, and which tools are here."""

import contextlib
from collections.abc import Iterator

import pytest

from bench.clients.build import Unavailable, prepare
from bench.clients.catalogue import CLIENTS, Client
from bench.redisio import embedded as embedded_server
from bench.redisio.embedded import EmbeddedServer
from tests.cli.conftest import bench, folder, url
from tests.peers.build import building

__all__ = ["bench", "built", "embedded", "folder", "require", "url"]


@pytest.fixture(scope="session")
def built() -> None:
    """Every client that can be built here is; what is built is kept for the user."""
    with building():
        for client in CLIENTS:
            with contextlib.suppress(Unavailable):
                prepare(client, lambda _: None)


@pytest.fixture
def embedded() -> Iterator[EmbeddedServer]:
    """A server of the test's own."""
    with embedded_server.running() as started:
        yield started


def require(client: Client) -> None:
    """Skip the test where the client cannot be run; what is built for it is built once a user."""
    try:
        prepare(client, lambda _: None)
    except Unavailable as reason:
        pytest.skip(f"{client.name}: {reason}")
