"""Metrics of a Locust test: options that mean nothing are refused before anything starts."""

import socket

import pytest

from tests.locust.conftest import Start

pytestmark = pytest.mark.slow

HEADLESS = ("--headless", "--only-summary", "--embedded", "--start-worker", "-t", "1s")


def test_an_address_that_is_none_is_refused_in_one_line(start: Start) -> None:
    finished = start(*HEADLESS, "--metrics", "nonsense").finish()
    assert finished.code == 2
    assert finished.err.startswith("bench: --metrics: 'nonsense' is no address to listen at")
    assert finished.err.count("\n") == 1


def test_a_port_in_use_is_refused_in_one_line(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        finished = start(*HEADLESS, "--metrics", f":{port}").finish()
    assert finished.code == 2
    assert finished.err.startswith(f"bench: --metrics: cannot listen at 127.0.0.1:{port}: ")
    assert finished.err.count("\n") == 1


def test_a_value_that_is_missing_is_no_test_without_metrics(start: Start) -> None:
    finished = start(*HEADLESS, "--otlp", "").finish()
    assert finished.code == 2
    assert "--otlp" in finished.err
