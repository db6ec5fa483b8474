"""Where metrics go: what may be written, and what is said of what may not."""

import importlib.util
import socket
from typing import Any

import pytest

from bench.errors import UsageError
from bench.metrics.address import ListenAddress, address_of, listen, read_address
from bench.metrics.exporter import ExportTargets, read_targets

WORD = "sesame-open"


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        (":9464", "127.0.0.1", 9464),
        ("9464", "127.0.0.1", 9464),
        (":0", "127.0.0.1", 0),
        ("0.0.0.0:9464", "0.0.0.0", 9464),  # noqa: S104
        ("localhost:1", "localhost", 1),
        ("[::1]:9464", "::1", 9464),
    ],
)
def test_an_address_is_on_the_loopback_interface_unless_a_host_is_named(
    text: str, host: str, port: int
) -> None:
    address = read_address(text)
    assert (address.host, address.port) == (host, port)
    assert read_address(str(address)) == address


@pytest.mark.parametrize("text", ["", ":", "x", ":99999", "::1:9464", "a b:1", ":-1", "http://x:1"])
def test_what_is_no_address_is_refused_in_one_line_that_names_the_flag(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--metrics: .* is no address to listen at") as error:
        read_targets(text, None, None)
    assert "\n" not in str(error.value)


def test_a_port_in_use_is_named_in_one_line_with_the_cure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = address_of(taken)
        with pytest.raises(UsageError, match=f"^cannot listen at {place}: .* another port"):
            listen(place)


def test_a_host_that_does_not_exist_is_named() -> None:
    with pytest.raises(UsageError, match=r"^cannot listen at no-such-host\.invalid:1: "):
        listen(ListenAddress("no-such-host.invalid", 1))


@pytest.mark.parametrize(
    "url",
    ["", "x", "ftp://127.0.0.1", "http://", "127.0.0.1:4318", "http://h:0", "http://h:x/"],
)
def test_what_is_no_collector_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match=r"^--otlp: "):
        read_targets(None, url, None)


@pytest.mark.parametrize(
    "url", [f"http://user:{WORD}@127.0.0.1:4318", f"https://{WORD}@h/v1/metrics"]
)
def test_a_url_with_a_password_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(UsageError, match="OTEL_EXPORTER_OTLP_HEADERS") as error:
        read_targets(None, url, None)
    assert WORD not in str(error.value)


def test_without_the_sdk_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib.util, "find_spec", missing)
    with pytest.raises(UsageError, match=r"pip install 'runqy-bench\[otlp\]'$"):
        read_targets(None, "http://127.0.0.1:4318", None)


def test_nothing_is_exported_unless_it_is_asked_for() -> None:
    assert read_targets(None, None, None) == ExportTargets()
    assert not ExportTargets().are_wanted
    assert read_targets(":0", None, "1.5s").linger_s == 1.5


@pytest.mark.parametrize(("metrics", "linger"), [(None, "1s"), (":0", "x"), (":0", "-1s")])
def test_a_linger_that_means_nothing_is_refused(metrics: str | None, linger: str) -> None:
    with pytest.raises(UsageError, match=r"^--metrics-linger"):
        read_targets(metrics, None, linger)
