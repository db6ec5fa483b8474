"""The commands that are tried, each made short."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BIN = Path(sys.executable).parent
_LOCUSTFILE = Path(__file__).parents[2] / "locustfiles" / "runqy.py"
_SMALL = ("--rate", "300/s", "--warmup", "0s")


@dataclass(frozen=True)
class Command:
    """A command line, and what it does when nothing interferes."""

    name: str
    words: Sequence[str]
    """``{url}`` stands for the server's URL."""
    long: Sequence[str]
    """Words that make it last until it is ended."""
    codes: frozenset[int] = frozenset({0})
    """Exit codes that are right where nothing ends it."""
    ends_by_itself: bool = True
    needs_server: bool = True


_BENCH = str(BIN / "bench")
COMMANDS: Sequence[Command] = (
    Command(
        "run",
        (_BENCH, "run", "smoke", *_SMALL, "--duration", "1s", "-o", "run.json"),
        ("--duration", "60s"),
        needs_server=False,
    ),
    Command(
        "run, server given",
        (_BENCH, "run", "smoke", *_SMALL, "--duration", "1s", "--redis-url", "{url}"),
        ("--duration", "60s"),
    ),
    Command(
        "run, worker command",
        (
            *(_BENCH, "run", "smoke", *_SMALL, "--duration", "1s", "--redis-url", "{url}"),
            *("--queues", "inference_default=1"),
            "--worker-command",
            f"{sys.executable} {Path(__file__).parents[1] / 'peers' / 'plain_worker.py'} own.json "
            "inference_default",
        ),
        ("--duration", "60s"),
    ),
    Command(
        "ab",
        (
            *(_BENCH, "ab", "smoke", *_SMALL, "--duration", "500ms", "--pairs", "1"),
            *("--noise-pairs", "1", "--b", "--prefetch 1", "--redis-url", "{url}", "-o", "job"),
        ),
        ("--duration", "20s"),
        frozenset({0, 3, 4}),
    ),
    Command(
        "capacity",
        (
            *(_BENCH, "capacity", "smoke", "--slo", "e2e.p99 < 500ms", "--workers", "1"),
            *("--budget", "20s", "--redis-url", "{url}", "-o", "capacity.json"),
        ),
        (),
        frozenset({0, 3, 4, 5}),
    ),
    Command(
        "clients",
        (
            *(_BENCH, "clients", "--tasks", "500", "--repeat", "1"),
            *("--only", "python-seed,bench", "--redis-url", "{url}", "-o", "clients.json"),
        ),
        ("--tasks", "200000"),
    ),
    Command(
        "worker",
        (_BENCH, "worker", "inference", "--redis-url", "{url}"),
        (),
        ends_by_itself=False,
    ),
    Command(
        "locust",
        (
            *(str(BIN / "locust"), "-f", str(_LOCUSTFILE), "--headless", "-u", "1", "-t", "2s"),
            *("--rate", "300/s", "--start-worker", "1", "--record", "locust.json"),
        ),
        ("-t", "60s"),
    ),
)
