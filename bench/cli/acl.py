"""``bench acl``: the rights that a command needs on a server, as one line for it."""

import re
import sys
from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from bench.cli.arguments import WHOLE, read_flag, require_within
from bench.cli.options import layout_named
from bench.cli.verify import names_of
from bench.errors import UsageError, nearest, quoted
from bench.layouts import registry
from bench.redisio import rights
from bench.redisio.rights import Addition, Rights, Role
from bench.redisio.url import MOST_DATABASE

_VERSION = re.compile(r"(\d{1,3})(?:\.(\d{1,3}))?(?:\.\d+)*", re.ASCII)
_USER = re.compile(r"[\w.@-]{1,100}")
_PASSWORD = "PASSWORD"  # noqa: S105 - what stands for one
_LEAST_VERSION, _NEWEST = (6, 0), (99, 0)
_METRICS = "metrics"
"""What has a process of its own in a run, and needs no rights."""
_SENTINEL = "sentinel"
"""What has users of its own, beside the servers with data."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class AclFlags:
    """What the rights are for, and how they are written."""

    layout: Annotated[
        str, Parameter(metavar="|".join(registry.names()), help="Layout of the queues in Redis.")
    ] = registry.default.name
    queues: Annotated[
        str | None,
        Parameter(
            metavar="QUEUE,…",
            help="Queues that are used; by default all. Example: inference_high,inference_low",
        ),
    ] = None
    user: Annotated[str, Parameter(metavar="NAME", help="Name of the user. Example: load-test")] = (
        "bench"
    )
    server_version: Annotated[
        str | None,
        Parameter(
            metavar="VERSION",
            help="Version of the server, where that is older than Redis 7.2. Example: 6.2",
        ),
    ] = None
    database: Annotated[
        int, WHOLE, Parameter(metavar="NUMBER", help="Database in the URL. Example: 3")
    ] = 0
    events: Annotated[
        bool, Parameter(help="Add what 'bench run --watch events' needs: all channels.")
    ] = False
    ack: Annotated[
        bool, Parameter(help="Add what 'bench run --ack' needs: WAIT, WAITAOF and INFO.")
    ] = False
    faults: Annotated[
        bool,
        Parameter(
            help="Add what 'bench run --faults-on-shared' needs: to pause clients and to reset "
            "connections, or for the role sentinel to fail over."
        ),
    ] = False
    topology: Annotated[
        Literal["single", "sentinel", "cluster"],
        Parameter(help="What the URL leads to. Example: cluster"),
    ] = "single"
    required: Annotated[
        bool, Parameter(help="Leave out what a run goes on without, with less in its record.")
    ] = False

    def additions(self, role: Role) -> frozenset[Addition]:
        """Returns what these flags add. Raises UsageError for one that the role does not have."""
        wanted = {
            Addition.EVENTS: self.events,
            Addition.ACK: self.ack,
            Addition.FAULTS: self.faults,
            Addition.CLUSTER: self.topology == "cluster",
            Addition.SENTINEL: self.topology == "sentinel",
            Addition.DATABASE: self.database != 0,
        }
        added = frozenset(each for each, is_wanted in wanted.items() if is_wanted)
        for each in (Addition.EVENTS, Addition.ACK, Addition.FAULTS):
            if each in added and role is not Role.RUN:
                raise UsageError(f"--{each} is for the role run; remove it")
        if Addition.CLUSTER in added and self.events:
            raise UsageError("--events cannot be watched on a cluster; remove it")
        return added

    def version(self) -> tuple[int, int]:
        """Returns the server's version. Raises UsageError."""
        if self.server_version is None:
            return _NEWEST
        return read_flag("--server-version", _version, self.server_version)


def acl(role: str, /, *, flags: AclFlags | None = None) -> int:
    """Print the rights that a command needs, as a line for the server.

    The line goes into redis-cli or valkey-cli, as it stands but for the password. Nothing is
    connected to.

    Parameters
    ----------
    role
        What the user is for: run (with its workers), worker, enqueue, status (and result), verify,
        init, clean, metrics, or sentinel (on the Sentinels of a URL, beside the user on the
        servers).
    """
    flags = flags or AclFlags()
    chosen, version = _role(role), flags.version()
    entry = layout_named(flags.layout)
    names = names_of(flags.queues, entry)
    if not _USER.fullmatch(flags.user):
        raise UsageError(f"--user: {quoted(flags.user)} is not a user's name: use letters, digits")
    require_within("--database", flags.database, 0, MOST_DATABASE)
    line = "# metrics are exported from what the run reports, without a connection"
    if chosen == _SENTINEL:
        found = rights.rights_on_sentinels(with_faults=flags.faults)
        line = line_of(found, flags.user, version, only_required=flags.required)
    elif chosen != _METRICS:
        role = Role(chosen)
        found = rights.rights_of(
            role, entry.layout, names, version=version, additions=flags.additions(role)
        )
        line = line_of(found, flags.user, version, only_required=flags.required)
    sys.stdout.write(line + "\n")
    return 0


def line_of(
    found: Rights, user: str, version: tuple[int, int], *, only_required: bool = False
) -> str:
    """Returns the command that gives a user these rights and no others, for redis-cli."""
    read_only = "%R~" if version >= rights.READ_ONLY_SINCE else "~"
    channels = ["resetchannels", *(f"&{each}" for each in found.channels)]
    left_out = found.optional if only_required else ()
    return " ".join(
        _word(each)
        for each in (
            *("ACL", "SETUSER", user, "reset", "on", f">{_PASSWORD}"),
            *(channels if version >= rights.CHANNELS_SINCE else []),
            *(f"~{key}" for key in found.keys),
            *(f"{read_only}{key}" for key in found.read_keys),
            *(f"+{each}" for each in found.commands if each not in left_out),
        )
    )


def _word(text: str) -> str:
    """A word as redis-cli reads it."""
    if not re.search(r"[\"'\\\\]", text):
        return text
    return '"' + re.sub(r"([\"\\\\])", r"\\\1", text) + '"'


def _role(written: str) -> str:
    """Returns the role, if there is one of that name. Raises UsageError."""
    known = [*map(str, Role), _METRICS, _SENTINEL]
    if written not in known:
        hint = nearest(written, known) or f": there are {', '.join(known)}"
        raise UsageError(f"{quoted(written)} is no role{hint}")
    return written


def _version(text: str) -> tuple[int, int]:
    found = _VERSION.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{quoted(text)} is not a version; use for example 6.2")
    version = int(found[1]), int(found[2] or 0)
    if version < _LEAST_VERSION:
        raise UsageError(f"a server of version {text} has no users; they came with Redis 6")
    return version
