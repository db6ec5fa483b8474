"""The tap: what its log says that a client got, the client gets, also where the server is gone."""

import socket
import struct
from pathlib import Path

import pytest

from tests.faults.tap import Passage, read_entries, tapping

pytestmark = pytest.mark.slow
_TIMEOUT_S = 20.0
_SAID = b":1\r\n" * 50_000


@pytest.mark.parametrize("is_reset", [False, True])
def test_a_client_gets_all_that_the_log_says_and_then_the_same_end(
    tmp_path: Path, is_reset: bool
) -> None:
    log = tmp_path / "log"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(_TIMEOUT_S)
        with tapping(log, f"127.0.0.1:{listener.getsockname()[1]}") as port:
            client = socket.create_connection(("127.0.0.1", port), _TIMEOUT_S)
            server, _ = listener.accept()
            client.sendall(b"?")
            assert server.recv(1) == b"?"
            server.sendall(_SAID)
            if is_reset:
                with_reset = struct.pack("ii", 1, 0)
                server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, with_reset)
            server.close()
            heard, was_reset = _heard(client)
            client.close()
    entries = read_entries(log)
    said = b"".join(each.data for each in entries if each.passage is Passage.FROM_SERVER)
    assert heard == said
    assert was_reset == is_reset
    assert _SAID.startswith(said) if is_reset else said == _SAID
    assert entries[-1].passage is Passage.CLIENT_LEFT


def _heard(client: socket.socket) -> tuple[bytes, bool]:
    """All that a client receives, and whether its connection was reset."""
    heard = b""
    while True:
        try:
            data = client.recv(1 << 16)
        except ConnectionResetError:
            return heard, True
        if not data:
            return heard, False
        heard += data
