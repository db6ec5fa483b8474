"""A run over TLS: the same frames, the same ledger, with the server's certificate checked."""

import asyncio
import contextlib
import os
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from bench.clients.redis_cli import process
from bench.errors import ServerUnreachable
from bench.records import run_record
from bench.redisio.connection import open_client
from bench.redisio.embedded import EmbeddedServer
from tests.cli.conftest import expected_code
from tests.integration.conftest import run
from tests.redisio import tls_server
from tests.sources import ROOT

pytestmark = pytest.mark.slow


class Terminator:
    """Speaks TLS to clients, and forwards what they say to a server."""

    def __init__(self, port: int, certificate: trustme.LeafCert) -> None:
        self._upstream = port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(self._context)
        self._loop = asyncio.new_event_loop()
        self._writers: list[asyncio.StreamWriter] = []
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        )
        self.port = int(self._server.sockets[0].getsockname()[1])
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(self._server.wait_closed())
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        back, forth = await asyncio.open_connection("127.0.0.1", self._upstream)
        self._writers.append(forth)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await asyncio.gather(_copy(reader, forth), _copy(back, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.closing(writer):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def terminator(embedded: EmbeddedServer, authority: trustme.CA) -> Iterator[Terminator]:
    with contextlib.closing(
        Terminator(embedded.port, authority.issue_cert("127.0.0.1"))
    ) as terminator:
        yield terminator


@pytest.mark.parametrize("rate", [400, "max"])
def test_every_task_of_a_run_over_tls_is_accounted_for(
    terminator: Terminator, authority: trustme.CA, tmp_path: Path, rate: object
) -> None:
    """In both loops, with batches longer than one TLS record (16 KiB)."""
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(trusted)
    url = f"rediss://127.0.0.1:{terminator.port}/0?ssl_ca_certs={trusted}"
    fields = {"rate": rate, "tasks": 1500 if rate == "max" else 400, "pipeline": 256}
    fields |= {"prefetch": 64, "drain_timeout": "60s"}  # the stand-in for TLS is slow
    record = run(url, fields, owns_server=False)
    assert record.counts.due == record.counts.completed == fields["tasks"]
    assert record.server["address"] == f"rediss://127.0.0.1:{terminator.port}/0"
    assert not record.counts.lost


def test_a_certificate_that_nobody_vouches_for_is_refused(terminator: Terminator) -> None:
    with pytest.raises(ServerUnreachable, match=f"rediss://127.0.0.1:{terminator.port}"):
        run(f"rediss://127.0.0.1:{terminator.port}/0", {"tasks": 10, "rate": 10})


@pytest.mark.skipif(shutil.which("redis-cli") is None, reason="there is no redis-cli here")
@pytest.mark.parametrize(
    ("options", "is_trusted"),
    [("", False), ("?ssl_cert_reqs=none", True), ("?ssl_ca_certs={}", True)],
)
def test_redis_cli_trusts_whom_the_url_says(
    terminator: Terminator,
    authority: trustme.CA,
    tmp_path: Path,
    options: str,
    is_trusted: bool,
) -> None:
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(trusted)
    url = f"rediss://127.0.0.1:{terminator.port}/0{options.format(trusted)}"
    with process.start(url, ["ECHO", "said"], subprocess.DEVNULL) as cli:
        said = b"" if cli.stdout is None else cli.stdout.read()
        process.await_end(cli)
    assert (said.strip() == b"said") == is_trusted, said


@pytest.mark.parametrize(("name", "is_right"), [("db.example", True), ("other.example", False)])
def test_through_a_tunnel_the_certificate_is_checked_for_the_server_that_is_named(
    embedded: EmbeddedServer, authority: trustme.CA, tmp_path: Path, name: str, is_right: bool
) -> None:
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(trusted)
    tunnel = Terminator(embedded.port, authority.issue_cert("db.example"))
    url = f"rediss://127.0.0.1:{tunnel.port}/0?ssl_ca_certs={trusted}&ssl_server_name={name}"
    with contextlib.closing(tunnel):
        if is_right:
            open_client(url).close()
        else:
            with pytest.raises(ServerUnreachable):
                open_client(url)


def test_a_run_over_tls_goes_through_a_network_unread(
    terminator: Terminator, authority: trustme.CA, tmp_path: Path
) -> None:
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(trusted)
    url = f"rediss://127.0.0.1:{terminator.port}/0?ssl_ca_certs={trusted}"
    record = run(url, {"rate": 100, "tasks": 50, "network": "2ms"}, owns_server=False)
    assert record.counts.completed == 50
    assert record.network is not None
    assert record.network.connections >= 3


_PEER = f"{sys.executable} -m tests.peers.plain_worker summary inference_default"


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("redis.example.com", ["--tls-server-name", "redis.example.com"]),
        ("127.0.0.1", ["--worker-command", _PEER, "--queues", "inference_default"]),
    ],
    ids=["own worker", "worker of others"],
)
def test_flags_of_tls_reach_every_process_of_a_run(
    tmp_path: Path, name: str, flags: list[str]
) -> None:
    """The server asks each for the client's certificate; a worker of others gets it by the URL."""
    own = tls_server.files(tmp_path / "own")
    cert, key = own.pair("client", own.authority.issue_cert("client"))
    with tls_server.tls_server(
        own, own.authority.issue_cert(name), asks_for_certificate=True
    ) as port:
        finished = subprocess.run(
            [
                *(sys.executable, "-m", "bench", "run", "smoke", "--rate", "200/s"),
                *("--duration", "500ms", "--output", "tls.json", *flags),
                *("--tls-ca", own.ca, "--tls-cert", cert, "--tls-key", key),
            ],
            cwd=tmp_path,
            env={
                **os.environ,
                "BENCH_REDIS_URL": f"rediss://127.0.0.1:{port}/0",
                "PYTHONPATH": str(ROOT),
            },
            capture_output=True,
            text=True,
            check=False,
        )
    record = run_record.load(tmp_path / "tls.json")
    assert finished.returncode == expected_code(record), finished.stderr
    assert record.counts.completed == record.counts.due == 100
