"""Who goes through the network of a run, and by which URL."""

import pytest

from bench.errors import UsageError
from bench.redisio.embedded import EmbeddedServer
from bench.redisio.url import parse
from bench.run.network import network_of, url_for_others
from bench.run.request import RunRequest
from bench.workload.resolve import resolve


def test_external_workers_are_led_through_the_network_and_the_run_is_not(
    embedded: EmbeddedServer,
) -> None:
    fields = {"worker_command": "w {url}", "rate": "10/s", "duration": "1s", "network": "1ms"}
    request = RunRequest(
        embedded.url, resolve({"queues": {"a_b": 1}, **fields}), "", open_url=embedded.open_url
    )
    with network_of(request) as (routed, network):
        assert network is not None
        assert routed.url == embedded.url
        assert routed.open_url == f"redis://127.0.0.1:{network.control.port}/0"
        assert parse(routed.task_url).port == network.control.port
        assert parse(routed.task_url).user == parse(embedded.url).user


def test_an_external_worker_gets_no_option_that_it_does_not_know() -> None:
    led = "rediss://127.0.0.1:1/0?ssl_check_hostname=false&ssl_server_name=db.example"
    assert url_for_others(led) == "rediss://127.0.0.1:1/0?ssl_check_hostname=false"
    with pytest.raises(UsageError, match="add ssl_check_hostname=false to the Redis URL"):
        url_for_others("rediss://127.0.0.1:1/0?ssl_server_name=db.example")
