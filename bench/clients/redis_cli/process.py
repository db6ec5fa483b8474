"""Starting ``redis-cli``, and what its process used."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from redis.connection import parse_url

_PASSWORD = "REDISCLI_AUTH"  # noqa: S105 - the variable's name


def start(url: str, words: Sequence[str], stdin: int | IO[bytes]) -> subprocess.Popen[bytes]:
    """A ``redis-cli`` that speaks to that server, with its errors among its output.

    The password goes through its environment, as process lists can be read.
    """
    place = _place(url)
    environment = {name: value for name, value in os.environ.items() if name != _PASSWORD}
    if place.get("password"):
        environment[_PASSWORD] = str(place["password"])
    return subprocess.Popen(
        ["redis-cli", *_place_words(url), *words],  # noqa: S607 - the one on the user's PATH
        env=environment,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def _place_words(url: str) -> list[str]:
    place = _place(url)
    if "path" in place:
        words = ["-s", str(place["path"])]
    else:
        words = ["-h", str(place.get("host", "localhost")), "-p", str(place.get("port", 6379))]
    if place.get("db"):
        words += ["-n", str(place["db"])]
    if place.get("username"):
        words += ["--user", str(place["username"])]
    return [*words, "--tls"] if url.startswith("rediss:") else words


def _place(url: str) -> dict[str, object]:
    place: dict[str, object] = parse_url(url)  # type: ignore[no-untyped-call]
    return place


def cpu_so_far_s(process: "subprocess.Popen[bytes]") -> float:
    """CPU time of a process that still runs; 0 where the system does not say it finely."""
    try:
        text = Path(f"/proc/{process.pid}/schedstat").read_text()
    except OSError:
        return 0.0
    return int(text.split()[0]) / 1e9


def await_end(process: "subprocess.Popen[bytes]") -> float:
    """Wait for it, and return all the CPU time in seconds that it used."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return used.ru_utime + used.ru_stime
