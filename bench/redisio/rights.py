"""Which rights each command of ``bench`` needs on a server: commands, keys and channels. No I/O.

What moves a task is read off the layout and its scripts. What is sent beside that stands in
``_NEEDS``, and ``tests/cli/test_acl.py`` runs each role with nothing else.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bench.layouts import registry
from bench.wire.layout_contract import Command, Layout, Reservation
from bench.wire.task import Task

_CALL = re.compile(r"redis\.p?call\(\s*['\"](\w+)['\"]")
_SPECIAL = re.compile(r"([\\*?\[\]^])")
_ANY = "\x00"
"""Stands for any text in a key, and becomes ``*`` in its pattern."""
_SINCE = {
    "blmpop": (7, 0),
    "client|setinfo": (7, 2),
    "latency|histogram": (7, 0),
    "waitaof": (7, 2),
}
"""Commands that older servers do not know, and in whose lists they refuse them."""
CHANNELS_SINCE, READ_ONLY_SINCE = (6, 2), (7, 0)
"""Versions of the server since which users have channels, and keys that they may only read."""


class Role(StrEnum):
    """What connects to a server: a command of ``bench``, or a program with the same task."""

    RUN = "run"
    WORKER = "worker"
    ENQUEUE = "enqueue"
    STATUS = "status"
    VERIFY = "verify"
    INIT = "init"
    CLEAN = "clean"


class Addition(StrEnum):
    """What a role may need beside what it always does, for a flag or for what its URL leads to."""

    EVENTS = "events"
    ACK = "ack"
    FAULTS = "faults"
    CLUSTER = "cluster"
    SENTINEL = "sentinel"
    DATABASE = "database"


@dataclass(frozen=True)
class Need:
    """A command that some roles send beside those that move tasks."""

    command: str
    """As ACLs write it: ``client|id``."""
    roles: frozenset[Role]
    why: str
    is_optional: bool = False
    """Whether the role goes on where it is refused, with less to show."""
    only_with: Callable[[Layout], bool] = lambda _: True
    """Whether it is sent for a layout."""


@dataclass(frozen=True)
class Rights:
    """What one user needs."""

    commands: Sequence[str]
    optional: Sequence[str]
    """Those of the commands without which the role goes on."""
    keys: Sequence[str]
    """Patterns of keys that are read and written."""
    read_keys: Sequence[str]
    """Patterns of further keys that are only read."""
    channels: Sequence[str] = ()
    """Patterns of channels that are subscribed to."""


def rights_of(
    role: Role,
    layout: Layout,
    queues: Sequence[str],
    *,
    version: tuple[int, int] = (99, 0),
    additions: frozenset[Addition] = frozenset(),
) -> Rights:
    """Returns what a role needs for these queues of a layout; all queues where there are none.

    ``version`` is that of the server.
    """
    needs = [each for each in _NEEDS if role in each.roles and each.only_with(layout)]
    added = {command for each in additions for command in _ADDED[each]}
    commands = {each.command for each in needs} | set(_moves(role, layout)) | added
    known = {each for each in commands if _SINCE.get(each, (0, 0)) <= version}
    optional = {each.command for each in needs if each.is_optional} - added
    own, read = _patterns(role, layout, queues or [_ANY])
    return Rights(
        commands=sorted(known),
        optional=sorted((optional | _ADDED_OPTIONAL) & known),
        keys=own,
        read_keys=[each for each in read if each not in own],
        channels=["*"] if Addition.EVENTS in additions else [],
    )


def rights_on_sentinels(*, with_faults: bool) -> Rights:
    """Returns what a user needs on the Sentinels of a URL, whose users are their own."""
    optional = ["client|setinfo", "sentinel|master", "subscribe"]
    faults = ["sentinel|failover"] if with_faults else []
    return Rights(
        commands=sorted(["sentinel|get-master-addr-by-name", *optional, *faults]),
        optional=optional,
        keys=[],
        read_keys=[],
        channels=["+switch-master"],
    )


# --- Commands -------------------------------------------------------------------------------------

_ADDED: Mapping[Addition, Sequence[str]] = {
    Addition.EVENTS: ["psubscribe"],
    Addition.ACK: ["info", "wait", "waitaof"],
    Addition.FAULTS: ["client|kill", "client|list", "client|pause"],
    Addition.CLUSTER: ["asking", "cluster|slots"],
    Addition.SENTINEL: ["role"],
    Addition.DATABASE: ["select"],
}
"""The commands of each addition."""
_ADDED_OPTIONAL = frozenset({"role"})
_ALL = frozenset(Role)
_MEASURING = frozenset({Role.RUN, Role.WORKER})
_REMOVING = frozenset({Role.RUN, Role.CLEAN})
_LOOKING = frozenset({Role.VERIFY, Role.INIT})


def _only(*roles: Role) -> frozenset[Role]:
    return frozenset(roles)


def _has_sets(layout: Layout) -> bool:
    return any(key.is_sorted_set for key in layout.queue_keys("q"))


def _has_registry(layout: Layout) -> bool:
    return layout.registry() is not None


def _has_counters(layout: Layout) -> bool:
    return bool(layout.counters("q", 0).keys)


def _has_servers(layout: Layout) -> bool:
    return layout.servers() is not None


def _has_leases(layout: Layout) -> bool:
    return layout.leases("q") is not None


def _has_scripts(layout: Layout) -> bool:
    return bool(layout.scripts)


_RUN, _WORKER, _CLEAN = _only(Role.RUN), _only(Role.WORKER), _only(Role.CLEAN)
_NEEDS = (
    Need("ping", _ALL, "whether the server answers"),
    Need("client|setinfo", _ALL, "redis-py says its name", is_optional=True),
    Need("info", _ALL, "whether it is a cluster; CPU and memory of the server", is_optional=True),
    Need("client|id", _MEASURING, "which connections are its own", is_optional=True),
    Need("client|unblock", _MEASURING, "workers end at once", is_optional=True),
    Need("client|list", _RUN, "whether others pop from the queues", is_optional=True),
    Need("config|get", _RUN, "the server's settings", is_optional=True),
    Need("latency|histogram", _RUN, "how long commands took", is_optional=True),
    Need("slowlog|get", _RUN, "commands that took long", is_optional=True),
    Need("time", _MEASURING, "the server's clock"),
    Need("set", _RUN, "the run's marker", is_optional=True),
    Need("exists", _MEASURING, "which tasks and which runs are still there"),
    Need("expire", _MEASURING, "heartbeats and notes outlive nobody"),
    Need("hset", _MEASURING, "heartbeats"),
    Need("del", _MEASURING | _REMOVING, "heartbeats and notes"),
    Need("unlink", _REMOVING, "removes tasks; without it, DEL does", is_optional=True),
    Need("llen", _MEASURING | _REMOVING | _LOOKING, "lengths of lists"),
    Need("lrange", _RUN | _CLEAN | _LOOKING, "ids in lists"),
    Need("lrem", _MEASURING | _REMOVING, "takes ids off lists"),
    Need("lpush", _MEASURING, "puts ids back"),
    Need("rpush", _MEASURING, "puts ids back"),
    Need("zcard", _MEASURING | _REMOVING | _LOOKING, "lengths of sets", only_with=_has_sets),
    Need("zrange", _RUN | _CLEAN | _LOOKING, "ids in sets, registered workers"),
    Need("zrem", _REMOVING, "takes ids out of sets", only_with=_has_sets),
    Need("smembers", _REMOVING, "workers of other hosts that report"),
    Need("scan", _REMOVING | _LOOKING, "looks for keys of tasks"),
    Need("mget", _RUN, "counters, and announcements"),
    Need("script|load", _MEASURING, "the layout's scripts", only_with=_has_scripts),
    Need("sadd", _RUN, "registers queues", only_with=_has_registry),
    Need("srem", _RUN, "registers queues no more", only_with=_has_registry),
    Need("scard", _RUN, "queues of other layouts", is_optional=True),
    Need("get", _RUN | _LOOKING, "counters, registered servers"),
    Need("hget", _RUN | _LOOKING, "registered workers, heartbeats"),
    Need("decrby", _RUN, "takes its tasks out of counters", only_with=_has_counters),
    Need("zcount", _RUN, "servers that are alive", only_with=_has_servers),
    Need("zrangebyscore", _RUN, "leases that have ended", only_with=_has_leases),
    Need("multi", _RUN, "lengths at one moment"),
    Need("exec", _RUN, "lengths at one moment"),
    Need("type", _LOOKING | _MEASURING, "what a key holds"),
    Need("smembers", _LOOKING | _WORKER, "registered queues"),
    Need("scard", _only(Role.VERIFY), "registered queues"),
    Need("hstrlen", _LOOKING, "sizes of payloads"),
    Need("hmget", _LOOKING, "fields of tasks"),
    Need("exists", _LOOKING, "results"),
    Need("mget", _LOOKING | _WORKER, "counters, and announcements"),
    Need("time", _LOOKING, "the server's clock"),
    Need("dbsize", _only(Role.INIT), "how much there is to look through"),
    Need("scan", _WORKER, "announcements of runs"),
    Need("set", _WORKER, "reports to runs"),
    Need("sadd", _WORKER, "reports to runs"),
)


def _moves(role: Role, layout: Layout) -> Iterator[str]:
    """The commands of a layout that a role sends, and those that its scripts call."""
    commands: list[Command] = []
    if role in (Role.RUN, Role.ENQUEUE):
        commands += layout.enqueue(Task(id="i", queue="q", payload=b"{}", max_retry=1))
    if role in _MEASURING:
        commands += _serving(layout)
    if role in (Role.RUN, Role.STATUS):
        commands += [layout.state("q", "i"), layout.has_result("q", "i"), layout.result("q", "i")]
    if role is Role.STATUS:
        commands.append(layout.load("q", "i"))
    names = {_text(command[0]).lower() for command in commands}
    yield from names
    if "evalsha" in names:
        yield from called_by_scripts(layout)


def called_by_scripts(layout: Layout) -> frozenset[str]:
    """Returns the commands that a layout's scripts call, in lower case."""
    return frozenset(name.lower() for text in layout.scripts for name in _CALL.findall(text))


def _serving(layout: Layout) -> Iterator[Command]:
    """The commands of a worker."""
    held = Reservation("q", "i")
    yield layout.pop_one(["q"], 1)
    if layout.pop_many_command is not None:
        yield layout.pop_many(["q"], 2, 1)
    yield from (layout.pop_more("q", 1), layout.load("q", "i"))
    yield from layout.start(held)
    yield from layout.complete(held, None)
    if layout.has_results:
        yield from layout.complete(held, b"{}")
    yield from layout.retry(held, 1.0, "e")
    yield from layout.requeue(held)
    yield from layout.archive(held, "e")
    yield from layout.put_back(held)


def _text(argument: str | bytes) -> str:
    return argument.decode() if isinstance(argument, bytes) else argument


# --- Keys -----------------------------------------------------------------------------------------


def _patterns(role: Role, layout: Layout, queues: Sequence[str]) -> tuple[list[str], list[str]]:
    """Patterns of the keys that a role writes and reads, and of those that it only reads."""
    own = {each for queue in queues for each in _of_queue(layout, queue)}
    names = {key for key in (layout.registry(),) if key is not None}
    heartbeats = {layout.worker(_ANY)}
    everywhere = set(_of_others(layout))
    match role:
        case Role.RUN:
            written, read = own | names | heartbeats | {f"bench:{_ANY}"}, everywhere
        case Role.WORKER:
            written, read = own | heartbeats | {f"bench:{_ANY}"}, names
        case Role.CLEAN:
            written, read = own | heartbeats | {f"bench:{_ANY}"}, set()
        case Role.ENQUEUE:
            written, read = own, set()
        case Role.STATUS:
            written, read = set(), own
        case _:
            written, read = set(), own | names | heartbeats | everywhere
    return sorted(map(_pattern, written)), sorted(map(_pattern, read))


def _of_queue(layout: Layout, queue: str) -> Iterator[str]:
    """The keys of a queue and of its tasks: what they begin with, where that names the queue."""
    keys = [each.key for each in layout.queue_keys(queue)]
    keys += [key.rstrip(_ANY) + _ANY for key in layout.keys_of(queue, _ANY)]
    counters = (*layout.counters(queue, 0).keys, *(layout.end_counters(queue) or ()))
    prefix = layout.pending(queue).rpartition(":")[0] + ":"
    if layout.active(queue).startswith(prefix) and queue in prefix:
        yield prefix + _ANY
        yield from (key for key in keys if not key.startswith(prefix))
        return
    yield from keys
    yield from counters


def _of_others(layout: Layout) -> Iterator[str]:
    """Where workers and queues of all layouts are registered: a run looks for them."""
    for each in (layout, *(entry.layout for entry in registry.loaded())):
        for registration in each.registrations():
            yield from (registration.key, f"{registration.key}:{_ANY}")
        if (names := each.registry()) is not None:
            yield names


def _pattern(key: str) -> str:
    return _SPECIAL.sub(r"\\\1", key).replace(_ANY, "*")
