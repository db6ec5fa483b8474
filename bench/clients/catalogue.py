"""The clients: what each does, what it needs to run, and which keys are expected of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.errors import UsageError, nearest
from bench.layouts import registry
from bench.layouts.entry import LayoutEntry
from bench.secrets import has_options

Toolchain = Literal["python", "redis-cli", "node", "go"]

BATCH = 100
"""Tasks in a batch of the clients that send batches."""
_OWN_PROGRAM = "bench.clients.python.own"


@dataclass(frozen=True)
class Client:
    """One way to enqueue."""

    name: str
    does: str
    """What it does in a few words, for reports."""
    round_trips: str
    """Round trips that a task waits for, as text."""
    toolchain: Toolchain
    program: tuple[str, ...]
    """A Python module with arguments, or the arguments that select a client of a built program."""
    library: str = "redis/go-redis/v9"
    """Path below ``github.com`` of the library that a Go client uses."""
    batch: int = 1
    """Tasks that are sent together; 0 for all."""
    layout: str = registry.default.name
    is_ordered: bool = True
    """Whether the pending list must hold the tasks in the order of their numbers."""
    is_stamped: bool = False
    """Whether payloads carry the time stamps of a run beside their own content."""

    @property
    def needs_plain_url(self) -> bool:
        """Whether it reads the URL by itself, and so not the options in its query, which are
        redis-py's own."""
        return self.toolchain in ("node", "go")


def own_name(layout: str) -> str:
    """The name of this project's own producer as a client of a layout."""
    return "bench" if layout == registry.default.name else f"bench-{layout}"


def own_client(layout: str) -> Client:
    """This project's own producer as a client of a layout."""
    is_default = layout == registry.default.name
    batches = f"batches of {BATCH}, four of them in flight at once"
    return Client(
        name=own_name(layout),
        does=f"this project's producer{'' if is_default else ' on that layout'}: {batches}",
        round_trips=f"1 for {BATCH}",
        toolchain="python",
        program=(_OWN_PROGRAM, "--layout", layout),
        batch=BATCH,
        layout=layout,
        is_ordered=False,
        is_stamped=True,
    )


def _clients_of(entry: LayoutEntry) -> Iterator[Client]:
    """The clients of a layout other than the default one."""
    library_client = entry.library_client
    if library_client is not None:
        yield Client(
            name=library_client.name,
            does=library_client.does,
            round_trips=library_client.round_trips,
            toolchain="go",
            program=("--kind", library_client.kind),
            library=library_client.library,
            layout=entry.name,
        )
    yield own_client(entry.name)


_CLIENTS_OF_DEFAULT: tuple[Client, ...] = (
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
        does="redis-py as in runqy's guide: a new client, and so a connection, for each task",
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
    own_client(registry.default.name),
    Client(
        name="node-seed",
        does="ioredis as in runqy's guide: one connection, a task at a time",
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
        does="go-redis as in runqy's guide: a task at a time",
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
)
CLIENTS = (
    *_CLIENTS_OF_DEFAULT,
    *(
        client
        for entry in registry.loaded()
        if entry is not registry.default
        for client in _clients_of(entry)
    ),
)
"""The clients of all built-in layouts."""
BY_NAME = {client.name: client for client in CLIENTS}
NAMES = tuple(BY_NAME)


def chosen(names: Sequence[str], entry: LayoutEntry = registry.default) -> list[Client]:
    """Returns the clients of these names, in the catalogue's order; all of them if none is named.

    A layout that is not built in adds its clients to the catalogue. Raises UsageError for a name
    that no client has.
    """
    is_built_in = any(client.layout == entry.name for client in CLIENTS)
    clients = CLIENTS if is_built_in else (*CLIENTS, *_clients_of(entry))
    known = [client.name for client in clients]
    for name in names:
        if name not in known:
            hint = nearest(name, known) or f": there are {', '.join(known)}"
            raise UsageError(f"--only {name}: no such client{hint}")
    return [client for client in clients if not names or client.name in names]


def why_not(client: Client, layout: str, url: str) -> str:
    """Why a client cannot be run on a layout or with a URL; empty where it can."""
    if client.layout != layout:
        return f"of the {client.layout} layout: run with --layout {client.layout}"
    if client.needs_plain_url and has_options(url):
        return (
            "it does not know the options behind the '?' of the Redis URL, which are redis-py's: "
            "use a URL without them"
        )
    return ""
