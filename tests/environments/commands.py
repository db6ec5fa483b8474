"""The commands that are tried, each made short."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
    middle: str = ""
    """A length at which something can happen while it lasts, and at which it ends by itself."""
    long: str = ""
    """A length at which it lasts until it is ended."""
    codes: frozenset[int] = frozenset({0})
    """Exit codes that are right where nothing ends it."""
    ended_codes: frozenset[int] = frozenset({130})
    """Exit codes that are right where a signal ends it."""
    ends_by_itself: bool = True
    record: str = ""
    """The file of what it measured, or a pattern for it; empty for a command that saves nothing."""

    codes_at: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """Exit codes that are right in a place, where they are others than elsewhere."""

    def codes_in(self, place: str) -> frozenset[int]:
        """Exit codes that are right in a place."""
        return self.codes_at.get(place, self.codes)


_BENCH = str(BIN / "bench")
COMMANDS: Sequence[Command] = (
    Command(
        "run",
        (_BENCH, "run", "smoke", *_SMALL, "--duration", "{length}", "-o", "run.json"),
        "1s",
        "4s",
        "60s",
        record="run.json",
    ),
    Command(
        "run on a server",
        (_BENCH, "run", "smoke", *_SMALL, "--duration", "{length}", "--redis-url", "{url}"),
        "1s",
        "4s",
        "60s",
        record="results/*-smoke.json",
    ),
    Command(
        "run with a command",
        (
            *(_BENCH, "run", "smoke", *_SMALL, "--duration", "{length}", "--redis-url", "{url}"),
            *("--queues", "inference_default=1"),
            "--worker-command",
            f"{sys.executable} {Path(__file__).parents[1] / 'peers' / 'plain_worker.py'} own.json "
            "inference_default",
        ),
        "1s",
        "4s",
        "60s",
        record="results/*-smoke.json",
    ),
    Command(
        "ab",
        (
            *(_BENCH, "ab", "smoke", *_SMALL, "--duration", "{length}", "--pairs", "1"),
            *("--noise-pairs", "1", "--b", "--prefetch 1", "--redis-url", "{url}", "-o", "job"),
        ),
        "500ms",
        "1500ms",
        "20s",
        frozenset({0, 3, 4}),
        record="job/gate.json",
    ),
    Command(
        "capacity",
        (
            *(_BENCH, "capacity", "--slo", "e2e.p99 < 500ms", "--workers", "1"),
            *("--budget", "3m", "--redis-url", "{url}", "-o", "capacity.json"),
        ),
        codes=frozenset({130}),  # it takes minutes: each place begins it only
        ends_by_itself=False,
        record="capacity.json",
    ),
    Command(
        "clients",
        (
            *(_BENCH, "clients", "--tasks", "{length}", "--repeat", "1"),
            *("--only", "python-seed,bench", "--redis-url", "{url}", "-o", "clients.json"),
        ),
        "500",
        "4000",
        "200000",
        record="clients.json",
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
            *(str(BIN / "locust"), "-f", str(_LOCUSTFILE), "--headless", "-u", "1"),
            *("-t", "{length}", "--rate", "300/s", "--start-worker", "1", "--redis-url", "{url}"),
            *("--record", "l.json"),
        ),
        "2s",
        "5s",
        "60s",
        record="l.json",
        # Locust puts the working folder before all others and then loads the locustfile, whose
        # first line imports this package: a folder of its name there is taken for it, before a line
        # of this project has been run. The exit code is that of what lies there.
        codes_at={"package shadowed": frozenset({99})},
    ),
)

NEXT_RUN = (_BENCH, "run", "smoke", "--tasks", "5", "--redis-url", "{url}", "--name", "next")
"""Removes what a command that was killed has left on a server and among the results."""
