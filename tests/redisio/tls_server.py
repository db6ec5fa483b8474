"""A server with TLS of a test's own, and certificates of authorities that nobody else knows."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

BINARY = shutil.which("redis-server")
_START_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Files:
    """PEM files of an authority and of what it has signed."""

    folder: Path
    authority: trustme.CA

    @property
    def ca(self) -> Path:
        """The authority's own certificate."""
        path = self.folder / "ca.pem"
        self.authority.cert_pem.write_to_path(path)
        return path

    def pair(self, name: str, leaf: trustme.LeafCert) -> tuple[Path, Path]:
        """A certificate and its key."""
        cert, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        leaf.cert_chain_pems[0].write_to_path(cert)
        leaf.private_key_pem.write_to_path(key)
        return cert, key


def files(folder: Path) -> Files:
    """A new authority, with its files in a folder."""
    folder.mkdir(exist_ok=True)
    return Files(folder, trustme.CA())


@contextlib.contextmanager
def tls_server(
    own: Files, leaf: trustme.LeafCert, *, asks_for_certificate: bool = False
) -> Iterator[int]:
    """A server with this certificate on a loopback port, which speaks nothing but TLS.

    Skips the test where there is no server that was built with it.
    """
    if BINARY is None:
        pytest.skip("redis-server is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    cert, key = own.pair("server", leaf)
    options = {
        "--port": "0",
        "--tls-port": str(port),
        "--bind": "127.0.0.1",
        "--tls-cert-file": str(cert),
        "--tls-key-file": str(key),
        "--tls-ca-cert-file": str(own.ca),
        "--tls-auth-clients": "yes" if asks_for_certificate else "no",
        "--save": "",
        "--dir": str(own.folder),
    }
    with (own.folder / "log").open("w+b") as log:
        process = subprocess.Popen(
            [BINARY, *(word for pair in options.items() for word in pair)], stdout=log, stderr=log
        )
        try:
            _await_port(process, port)
            yield port
        finally:
            process.kill()
            process.wait()


def _await_port(process: subprocess.Popen[bytes], port: int) -> None:
    deadline_s = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            pytest.skip("this redis-server was built without TLS")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
    raise RuntimeError("the server does not listen")
