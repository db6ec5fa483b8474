"""A connection through the proxy is one without it, but for what was asked."""

import contextlib
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from bench.errors import MeasurementError, ServerUnreachable
from bench.faults.targets import NetworkTarget
from bench.proxy.control import NetworkProxy, proxied
from bench.redisio.connection import RawConnection, open_client
from bench.redisio.embedded import EmbeddedServer
from bench.workload.faults import Network
from tests.proxy.conftest import TIMEOUT_S, Pairs, can_be_read, read_exactly
from tests.waiting import await_that

LARGE = random.Random(3).randbytes(3_000_000)


def send_and_read(sender: socket.socket, reader: socket.socket, data: bytes) -> bytes:
    sending = threading.Thread(target=sender.sendall, args=[data])
    sending.start()
    received = read_exactly(reader, len(data))
    sending.join()
    return received


@pytest.mark.parametrize(
    "network",
    [
        Network(),
        Network(round_trip_s=0.002, jitter_s=0.002),
        Network(bytes_per_s=50e6),
        Network(round_trip_s=0.001, bytes_per_s=100e6),
    ],
)
def test_all_bytes_arrive_unchanged_in_both_directions(pairs: Pairs, network: Network) -> None:
    client, server = pairs.open()
    pairs.proxy.set_network(network)
    assert send_and_read(client, server, LARGE) == LARGE
    assert send_and_read(server, client, LARGE) == LARGE


def test_the_end_of_one_direction_leaves_the_other_open(pairs: Pairs) -> None:
    pairs.proxy.set_network(Network(round_trip_s=0.002))
    client, server = pairs.open()
    client.sendall(b"question")
    client.shutdown(socket.SHUT_WR)
    assert read_exactly(server, 8) == b"question"
    assert server.recv(1) == b""
    server.sendall(b"answer")
    server.close()
    assert read_exactly(client, 6) == b"answer"
    assert client.recv(1) == b""


@pytest.mark.parametrize("by_client", [True, False])
def test_a_reset_is_passed_on(pairs: Pairs, by_client: bool) -> None:
    client, server = pairs.open()
    one, other = (client, server) if by_client else (server, client)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()
    with pytest.raises(ConnectionResetError):
        other.recv(1)


def test_a_server_that_is_not_there_is_reported_to_the_client() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and does not listen
        port = unused.getsockname()[1]
        with (
            proxied(f"redis://127.0.0.1:{port}/0", seed=1) as proxy,
            pytest.raises(ServerUnreachable, match="reset"),
        ):
            RawConnection(f"redis://127.0.0.1:{proxy.port}/0")


def test_a_reader_that_does_not_read_holds_up_its_sender_and_not_the_proxy(pairs: Pairs) -> None:
    """What the proxy holds has a bound, and other connections go on."""
    client, _ = pairs.open()
    client.settimeout(0.3)
    sent, block = 0, bytes(1 << 20)
    with contextlib.suppress(TimeoutError):
        for _ in range(1000):
            sent += client.send(block)
    assert sent < 100 << 20
    another, server = pairs.open()
    another.sendall(b"here")
    assert read_exactly(server, 4) == b"here"


def test_a_thousand_connections_at_once(embedded: EmbeddedServer) -> None:
    with proxied(embedded.open_url, seed=1) as proxy, contextlib.ExitStack() as stack:
        proxy.set_network(Network(round_trip_s=0.001))
        clients = [
            stack.enter_context(socket.create_connection(("127.0.0.1", proxy.port), TIMEOUT_S))
            for _ in range(1000)
        ]
        for client in clients:
            client.sendall(b"PING\r\n")
        assert {read_exactly(client, 7) for client in clients} == {b"+PONG\r\n"}
        assert proxy.newest_counts().accepted == 1000


def test_nothing_passes_a_black_hole_until_it_is_over(pairs: Pairs) -> None:
    """Neither on the connections that there are nor on new ones, and then everything does."""
    client, server = pairs.open()
    pairs.proxy.set_network(Network(is_black_hole=True))
    late = pairs.client()
    for each in (client, late):
        each.sendall(b"question")
    assert not can_be_read(server)
    assert not can_be_read(client)
    pairs.proxy.set_network(Network())
    assert read_exactly(server, 8) == b"question"
    assert read_exactly(pairs.server(), 8) == b"question"


def test_what_is_in_flight_when_a_black_hole_begins_waits_in_it(pairs: Pairs) -> None:
    client, server = pairs.open()
    pairs.proxy.set_network(Network(round_trip_s=0.05))
    client.sendall(b"late")
    await_that(lambda: pairs.proxy.newest_counts().accepted == 1)
    pairs.proxy.set_network(Network(is_black_hole=True))
    assert not can_be_read(server)
    pairs.proxy.set_network(Network())
    assert read_exactly(server, 4) == b"late"


def was_reset(client: socket.socket) -> bool:
    if not can_be_read(client, 0):
        return False
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    return True


def test_a_share_of_the_connections_is_reset(pairs: Pairs) -> None:
    both = [pairs.open() for _ in range(10)]
    assert pairs.proxy.reset(0.5) == 5
    first = [was_reset(client) for client, _ in both]
    assert first == [was_reset(server) for _, server in both]
    assert sum(first) == 5
    assert pairs.proxy.reset(0.01) == 1, "at least one, where there is any"
    assert pairs.proxy.reset(1.0) == 4
    assert pairs.proxy.reset(1.0) == 0
    assert pairs.proxy.newest_counts().resets == 10


def test_the_seed_says_which_connections_are_reset() -> None:
    def drawn(seed: int) -> list[bool]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            with (
                proxied(f"redis://127.0.0.1:{port}/0", seed) as proxy,
                contextlib.closing(Pairs(listener, proxy)) as pairs,
            ):
                both = [pairs.open() for _ in range(12)]
                proxy.reset(0.5)
                return [was_reset(client) for client, _ in both]

    assert drawn(4) == drawn(4) != drawn(5)


def test_a_unix_socket_stays_one(tmp_path: Path) -> None:
    path = str(tmp_path / "server")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        with proxied(f"unix://u:p@{path}?db=2", seed=1) as proxy:
            url = proxy.leads_to(f"unix://u:p@{path}?db=2")
            assert url.startswith("unix://u:p@/")
            assert url.endswith("?db=2")
            listening = url.removeprefix("unix://u:p@").removesuffix("?db=2")
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(listening)
                client.sendall(b"here")
                with listener.accept()[0] as server:
                    assert read_exactly(server, 4) == b"here"
    assert not Path(listening).exists()


def test_it_listens_on_this_machine_alone(embedded: EmbeddedServer) -> None:
    with proxied(embedded.url, seed=1) as proxy:
        url = proxy.leads_to(embedded.url)
        assert url == embedded.url.replace(f":{embedded.port}/", f":{proxy.port}/")
        with contextlib.closing(open_client(url)) as client:
            assert client.ping()


def killed(proxy: NetworkProxy) -> None:
    os.kill(proxy.pid, signal.SIGKILL)
    await_that(lambda: proxy.exit_reason() is not None)


def test_a_proxy_that_is_killed_is_told_in_one_line(pairs: Pairs) -> None:
    assert pairs.proxy.exit_reason() is None
    killed(pairs.proxy)
    reason = pairs.proxy.exit_reason()
    assert reason == (
        "the run's network (bench.proxy) ended by SIGKILL: all connections were lost; repeat the "
        "run"
    )
    control: NetworkTarget = pairs.proxy
    for call in (lambda: control.set_network(Network()), lambda: control.reset(1.0)):
        with pytest.raises(MeasurementError) as raised:
            call()
        assert str(raised.value) == reason


def test_nothing_is_left_of_a_proxy_whose_run_is_killed(embedded: EmbeddedServer) -> None:
    program = (
        "import sys\n"
        "from bench.proxy.control import proxied\n"
        f"with proxied({embedded.url!r}, seed=1) as proxy:\n"
        "    print(proxy.pid, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        proxy = psutil.Process(int(parent.stdout.readline()))
        assert proxy.name() == "bench.proxy"
        parent.kill()
    with contextlib.suppress(psutil.TimeoutExpired):
        proxy.wait(TIMEOUT_S)
    assert not proxy.is_running() or proxy.status() == psutil.STATUS_ZOMBIE
