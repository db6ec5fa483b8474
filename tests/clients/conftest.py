"""The command line as the tests of it call it, and which tools are here."""

import contextlib

import pytest

from bench.clients.build import Unavailable, prepare
from bench.clients.catalogue import CLIENTS, Client
from tests.cli.conftest import bench, folder
from tests.peers.build import building

__all__ = ["bench", "built", "folder", "require"]


@pytest.fixture(scope="session")
def built() -> None:
    """Every client that can be built here is; what is built is kept for the user."""
    with building():
        for client in CLIENTS:
            with contextlib.suppress(Unavailable):
                prepare(client, lambda _: None)


def require(client: Client) -> None:
    """Skip the test where the client cannot be run; what is built for it is built once a user."""
    try:
        prepare(client, lambda _: None)
    except Unavailable as reason:
        pytest.skip(f"{client.name}: {reason}")
