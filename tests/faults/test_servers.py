"""Faults of a server that the run has started, by several threads, as the injector makes them."""

import signal
import threading

import pytest
import redis

from bench.faults.servers import OwnServer
from bench.redisio.embedded import EmbeddedServer

pytestmark = pytest.mark.slow


def test_a_restart_waits_for_the_one_before_it(embedded: EmbeddedServer) -> None:
    """Two that begin together both take place, and leave one server at the same address."""
    target = OwnServer(embedded)
    failed: list[Exception] = []

    def restart() -> None:
        try:
            target.restart(keeps_data=False)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=restart) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with redis.Redis.from_url(embedded.url, protocol=2) as client:
        assert client.ping()
    target.kill(signal.SIGKILL)
    assert not target.is_up
