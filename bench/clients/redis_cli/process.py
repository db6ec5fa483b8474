"""Starts ``redis-cli`` and measures the CPU time of its process."""

import ipaddress
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from bench.redisio.url import SERVER_NAME, RedisUrl, parse
from bench.usage import without_limits

_PASSWORD = "REDISCLI_AUTH"  # noqa: S105 - the variable's name


def start(url: str, arguments: Sequence[str], stdin: int | IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a ``redis-cli`` connected to a server. Its standard error goes to its output.

    The password is passed in its environment, since other users can read a process's arguments.
    """
    password = parse(url).user.password
    environment = without_limits(os.environ)
    environment.pop(_PASSWORD, None)
    if password is not None:
        environment[_PASSWORD] = password
    return subprocess.Popen(
        ["redis-cli", *server_arguments(url), *arguments],  # noqa: S607 - the one on the user's PATH
        env=environment,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


_TLS = {
    "ssl_ca_certs": "--cacert",
    "ssl_ca_path": "--cacertdir",
    "ssl_certfile": "--cert",
    "ssl_keyfile": "--key",
}
"""Option of a URL to the argument of ``redis-cli``, which has none for ``ssl_check_hostname``: it
never compares the host's name."""


def server_arguments(url: str) -> list[str]:
    """The arguments of ``redis-cli`` that lead to a server, without the password."""
    parts = parse(url)
    by_host = ["-h", parts.host, "-p", str(parts.port)]
    arguments = ["-s", parts.path] if parts.is_socket else by_host
    if parts.database:
        arguments += ["-n", str(parts.database)]
    if parts.user.name is not None:
        arguments += ["--user", parts.user.name]
    return [*arguments, *_tls_arguments(parts)] if parts.is_encrypted else arguments


def _tls_arguments(parts: RedisUrl) -> Iterator[str]:
    yield "--tls"
    name = parts.tls.get(SERVER_NAME, parts.host)
    if not _is_address(name):
        yield from ("--sni", name)
    if parts.tls.get("ssl_cert_reqs") == "none":
        yield "--insecure"
    for option, argument in _TLS.items():
        if option in parts.tls:
            yield from (argument, parts.tls[option])


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def cpu_so_far_s(process: "subprocess.Popen[bytes]") -> float:
    """CPU time in seconds of a running process; 0 where the system has no precise figure."""
    try:
        text = Path(f"/proc/{process.pid}/schedstat").read_text()
    except OSError:
        return 0.0
    return int(text.split()[0]) / 1e9


def await_end(process: "subprocess.Popen[bytes]") -> float:
    """Wait until a process has ended, and return its CPU time in seconds."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return used.ru_utime + used.ru_stime
