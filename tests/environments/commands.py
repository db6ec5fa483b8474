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
    """``{url}`` stands for the server's URL, ``{length}`` for what decides how long it lasts."""
    short: str = ""
    long: str = ""
    """A length at which it lasts until it is ended."""
    codes: frozenset[int] = frozenset({0})
    """Exit codes that are right where nothing ends it."""
    ended_codes: frozenset[int] = frozenset({130})
    """Exit codes that are right where a signal ends it."""
    ends_by_itself: bool = True
    needs_server: bool = True


_BENCH = str(BIN / "bench")
COMMANDS: Sequence[Command] = (
    Command(
        "run",
        (_BENCH, "run", "smoke", *_SMALL, "--duration", "{length}", "-o", "run.json"),
        "1s",
        "60s",
        needs_server=False,
    ),
    Command(
        "run, server given",
        (_BENCH, "run", "smoke", *_SMALL, "--duration", "{length}", "--redis-url", "{url}"),
        "1s",
        "60s",
    ),
    Command(
        "run, worker command",
        (
            *(_BENCH, "run", "smoke", *_SMALL, "--duration", "{length}", "--redis-url", "{url}"),
            *("--queues", "inference_default=1"),
            "--worker-command",
            f"{sys.executable} {Path(__file__).parents[1] / 'peers' / 'plain_worker.py'} own.json "
            "inference_default",
        ),
        "1s",
        "60s",
    ),
    Command(
        "ab",
        (
            *(_BENCH, "ab", "smoke", *_SMALL, "--duration", "{length}", "--pairs", "1"),
            *("--noise-pairs", "1", "--b", "--prefetch 1", "--redis-url", "{url}", "-o", "job"),
        ),
        "500ms",
        "20s",
        frozenset({0, 3, 4}),
    ),
    Command(
        "capacity",
        (
            *(_BENCH, "capacity", "--slo", "e2e.p99 < 500ms", "--workers", "1"),
            *("--budget", "3m", "--redis-url", "{url}", "-o", "capacity.json"),
        ),
        codes=frozenset({130}),  # it takes minutes: each place begins it only
        ends_by_itself=False,
    ),
    Command(
        "clients",
        (
            *(_BENCH, "clients", "--tasks", "{length}", "--repeat", "1"),
            *("--only", "python-seed,bench", "--redis-url", "{url}", "-o", "clients.json"),
        ),
        "500",
        "200000",
    ),
    Command(
        "worker",
        (_BENCH, "worker", "inference", "--redis-url", "{url}"),
        ended_codes=frozenset({0}),
        ends_by_itself=False,
    ),
    Command(
        "locust",
        (
            *(
                str(BIN / "locust"),
                "-f",
                str(_LOCUSTFILE),
                "--headless",
                "-u",
                "1",
                "-t",
                "{length}",
            ),
            *(
                "--rate",
                "300/s",
                "--start-worker",
                "1",
                "--redis-url",
                "{url}",
                "--record",
                "l.json",
            ),
        ),
        "2s",
        "60s",
    ),
)

NEXT_RUN = (_BENCH, "run", "smoke", "--tasks", "5", "--redis-url", "{url}", "-o", "next.json")
"""Removes from a server what a run that was killed has left there."""
