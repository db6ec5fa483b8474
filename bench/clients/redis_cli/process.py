"""Starts ``redis-cli`` and measures the CPU time of its process."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from redis.connection import parse_url

_PASSWORD = "REDISCLI_AUTH"  # noqa: S105 - the variable's name


def start(url: str, arguments: Sequence[str], stdin: int | IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a ``redis-cli`` connected to a server. Its standard error goes to its output.

    The password is passed in its environment, since other users can read a process's arguments.
    """
    options = _options(url)
    environment = {name: value for name, value in os.environ.items() if name != _PASSWORD}
    if options.get("password"):
        environment[_PASSWORD] = str(options["password"])
    return subprocess.Popen(
        ["redis-cli", *_server_arguments(url), *arguments],  # noqa: S607 - the one on the user's PATH
        env=environment,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def _server_arguments(url: str) -> list[str]:
    options = _options(url)
    if "path" in options:
        arguments = ["-s", str(options["path"])]
    else:
        host, port = options.get("host", "localhost"), options.get("port", 6379)
        arguments = ["-h", str(host), "-p", str(port)]
    if options.get("db"):
        arguments += ["-n", str(options["db"])]
    if options.get("username"):
        arguments += ["--user", str(options["username"])]
    return [*arguments, "--tls"] if url.startswith("rediss:") else arguments


def _options(url: str) -> dict[str, object]:
    options: dict[str, object] = parse_url(url)  # type: ignore[no-untyped-call]
    return options


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
