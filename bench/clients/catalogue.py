"""Every client by name: what it does, what it takes to run it, and what may be expected of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.errors import UsageError
from bench.layouts.runqy.layout import RUNQY
from bench.workload.fields import nearest

Toolchain = Literal["python", "redis-cli", "node", "go"]

ASYNQ = "asynq"
BATCH = 100
"""Tasks in a batch of those clients that send batches."""


@dataclass(frozen=True)
class Client:
    """One way to enqueue."""

    name: str
    does: str
    """In a few words, for reports."""
    round_trips: str
    """What a task waits for, in round trips."""
    toolchain: Toolchain
    program: tuple[str, ...]
    """A Python module, or the words that tell a built program which client to be."""
    batch: int = 1
    """Tasks that are sent together."""
    layout: str = RUNQY.name
    is_ordered: bool = True
    """Whether tasks must be in the list in the order of their numbers."""
    is_stamped: bool = False
    """Whether payloads carry the harness's stamps beside their own content."""

    @property
    def needs_plain_url(self) -> bool:
        """Whether a URL's options, which are redis-py's, mean nothing to it."""
        return self.toolchain != "python"


CLIENTS: tuple[Client, ...] = (
    Client(
        name="redis-cli",
        does="one redis-cli, fed the two commands of each task through its input",
        round_trips="2",
        toolchain="redis-cli",
        program=("bench.clients.redis_cli.one_by_one",),
    ),
    Client(
        name="redis-cli-pipe",
        does="redis-cli --pipe, its start included: everything at once, one answer at the end",
        round_trips="1 for all",
        toolchain="redis-cli",
        program=("bench.clients.redis_cli.pipe",),
        batch=0,
    ),
    Client(
        name="python-seed",
        does="redis-py as in the guide: a new client, and so a connection, for each task",
        round_trips="2 + connect",
        toolchain="python",
        program=("bench.clients.python.seed",),
    ),
    Client(
        name="python-pipelined",
        does=f"redis-py, one connection, pipelines of {BATCH} tasks",
        round_trips=f"1 for {BATCH}",
        toolchain="python",
        program=("bench.clients.python.pipelined",),
        batch=BATCH,
    ),
    Client(
        name="bench",
        does=f"this project's producer: batches of {BATCH}, four of them on the way at once",
        round_trips=f"1 for {BATCH}",
        toolchain="python",
        program=("bench.clients.python.own",),
        batch=BATCH,
        is_ordered=False,
        is_stamped=True,
    ),
    Client(
        name="node-seed",
        does="ioredis as in the guide: one connection, a task at a time",
        round_trips="2",
        toolchain="node",
        program=("--kind", "seed"),
    ),
    Client(
        name="node-pipelined",
        does=f"ioredis, one connection, pipelines of {BATCH} tasks",
        round_trips=f"1 for {BATCH}",
        toolchain="node",
        program=("--kind", "pipelined"),
        batch=BATCH,
    ),
    Client(
        name="go-seed",
        does="go-redis as in the guide: a task at a time",
        round_trips="2",
        toolchain="go",
        program=("--kind", "seed"),
    ),
    Client(
        name="go-pipelined",
        does=f"go-redis, pipelines of {BATCH} tasks",
        round_trips=f"1 for {BATCH}",
        toolchain="go",
        program=("--kind", "pipelined"),
        batch=BATCH,
    ),
    Client(
        name="go-asynq",
        does="asynq's own client, a task at a time: one script call each",
        round_trips="1",
        toolchain="go",
        program=("--kind", "asynq"),
        layout=ASYNQ,
    ),
    Client(
        name="bench-asynq",
        does=f"this project's producer on that layout: batches of {BATCH}, four on the way at once",
        round_trips=f"1 for {BATCH}",
        toolchain="python",
        program=("bench.clients.python.own", "--layout", ASYNQ),
        batch=BATCH,
        layout=ASYNQ,
        is_ordered=False,
        is_stamped=True,
    ),
)
BY_NAME = {client.name: client for client in CLIENTS}
NAMES = tuple(BY_NAME)
LAYOUTS = tuple(dict.fromkeys(client.layout for client in CLIENTS))


def chosen(names: Sequence[str]) -> list[Client]:
    """The clients of these names, in the catalogue's order; all of them where none is named.

    Raises UsageError for a name that is none.
    """
    for name in names:
        if name not in NAMES:
            hint = nearest(name, NAMES) or f": there are {', '.join(NAMES)}"
            raise UsageError(f"--only {name}: no such client{hint}")
    return [client for client in CLIENTS if not names or client.name in names]


def why_not(client: Client, layout: str, url: str) -> str:
    """Why a client cannot be run on that layout or through that URL; empty where it can."""
    if client.layout != layout:
        return f"of the {client.layout} layout: run with --layout {client.layout}"
    if client.needs_plain_url and "?" in url.rpartition("@")[2]:
        return (
            "the options in the Redis URL (behind its '?') are redis-py's and mean nothing to it: "
            "it takes a URL without any"
        )
    return ""
