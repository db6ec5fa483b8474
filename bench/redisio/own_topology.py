"""Starts several servers for a run: a master, its replicas, and Sentinels that watch them.

Each is a server as ``embedded`` starts it, in a folder of its own, on a loopback port, and private
to the run. One random password is valid for the run's own user on all of them, by which they also
know one another.
"""

import contextlib
import functools
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import redis

from bench.errors import ServerUnreachable, UsageError
from bench.processes import folders, start
from bench.redisio import embedded
from bench.redisio.connection import open_client
from bench.redisio.embedded import EmbeddedServer
from bench.redisio.failover import master_of
from bench.redisio.no_retries import NoRetries
from bench.redisio.url import NodeAddress, parse

MASTER_NAME = "mymaster"
USER = "bench"
"""The run's own user on the Sentinels."""
SENTINELS = 3
QUORUM = 2
DOWN_AFTER_S = 1.0
"""How long the master is silent until a Sentinel takes it for down; 30 s by default, which no run
has time for."""
FAILOVER_TIMEOUT_S = 10.0
MOST_REPLICAS = 5
_READY_TIMEOUT_S = 30.0
"""Sentinels look for replicas every ten seconds at the latest."""
_POLL_S = 0.01
_HOST = "127.0.0.1"
_OTHERS_MAY = (
    "+auth +hello +ping +client +subscribe +psubscribe +unsubscribe +punsubscribe +role "
    "+sentinel|get-master-addr-by-name +sentinel|masters +sentinel|master +sentinel|sentinels "
    "+sentinel|replicas +sentinel|slaves"
)
"""What clients without a password may do on a Sentinel: find the master, and await its changes."""


@dataclass(frozen=True)
class OwnTopology:
    """Servers that run for one run alone."""

    url: str = field(repr=False)
    """Where the run's own connections go: to the master, or to the Sentinels if there are any.
    With the password of the user who may do everything."""
    open_url: str = field(repr=False)
    """For workers and clients that are not ours, without a password."""
    servers: tuple[EmbeddedServer, ...]
    """The first master, and then its replicas."""
    sentinels: tuple[NodeAddress, ...] = ()
    sentinel_pids: tuple[int, ...] = ()

    def master(self) -> EmbeddedServer:
        """The server that is the master now. Raises FailoverFailed where no Sentinel names one."""
        if not self.sentinels:
            return self.servers[0]
        port = master_of(self.url).port
        return next(server for server in self.servers if server.port == port)


@contextlib.contextmanager
def running(
    replicas: int,
    *,
    with_sentinels: bool = False,
    binary: str | None = None,
    config: Sequence[str] = (),
    persistent: bool = False,
) -> Iterator[OwnTopology]:
    """Start a master with so many replicas, and three Sentinels if asked; stop them at the end.

    It returns once the replicas hold what the master holds, and every Sentinel knows all servers.
    ``binary``, ``config`` and ``persistent`` are as in ``embedded.running``, for all servers with
    data. Raises UsageError and ServerUnreachable as that does, and where the program cannot do
    this.
    """
    secret = secrets.token_urlsafe(32)
    with contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(embedded.running(binary, config, persistent=persistent))
            for _ in range(1 + replicas)
        ]
        master = servers[0]
        if replicas:
            _replicate(servers, secret)
        elif with_sentinels:
            _share_password(master, secret)
        if not with_sentinels:
            yield OwnTopology(master.url, master.open_url, tuple(servers))
            return
        program = embedded.find_binary(binary)
        started = [
            stack.enter_context(_sentinel(program, master, secret)) for _ in range(SENTINELS)
        ]
        nodes = tuple(node for node, _ in started)
        for node in nodes:
            _await_sentinel(node, secret, replicas)
        place = f"{','.join(map(str, nodes))}/{MASTER_NAME}/0"
        user = parse(master.url).user.name
        options = f"sentinel_username={USER}&sentinel_password={secret}"
        url = f"redis+sentinel://{user}:{secret}@{place}?{options}"
        yield OwnTopology(
            url=url,
            open_url=f"redis+sentinel://{place}",
            servers=tuple(servers),
            sentinels=nodes,
            sentinel_pids=tuple(pid for _, pid in started),
        )


def _replicate(servers: list[EmbeddedServer], secret: str) -> None:
    """Make all servers but the first one replicas of it, and wait until they hold what it holds."""
    master, *replicas = servers
    for server in servers:  # each may become master or replica
        _share_password(server, secret)
    for server in replicas:
        with open_client(server.url) as client:
            client.execute_command("REPLICAOF", _HOST, master.port)
            _await(
                functools.partial(_is_in_step, client), "a replica did not get the master's data"
            )


def _share_password(server: EmbeddedServer, secret: str) -> None:
    """Let the run's own user have this password, too, and replicate with it."""
    user = parse(server.url).user.name
    if user is None:
        raise UsageError(
            f"{server.binary} has no users (ACL), which replicas need: use a server of version 6 "
            "or later"
        )
    with open_client(server.url) as client:
        client.execute_command("ACL", "SETUSER", user, f">{secret}")
        client.config_set("masteruser", user)
        client.config_set("masterauth", secret)
        client.config_set("repl-diskless-sync-delay", 0)


def _is_in_step(client: redis.Redis) -> bool:
    """Whether a replica has what its master had when it was connected."""
    return str(client.info("replication").get("master_link_status")) == "up"


@contextlib.contextmanager
def _sentinel(
    program: str, master: EmbeddedServer, secret: str
) -> Iterator[tuple[NodeAddress, int]]:
    """Run a Sentinel; its address and process. It keeps its state in a file of its folder."""
    with folders.held("sentinel") as folder:
        port = free_port()
        file, log = folder / "sentinel.conf", folder / "sentinel.log"
        file.touch(0o600)
        file.write_text(_configuration(port, folder, master, secret))
        folders.note_program(folder, program)
        with log.open("wb") as output:
            process = start.start(
                [program, str(file), "--sentinel"], stdout=output, stderr=output, folder=folder
            )
        try:
            folders.note_process(folder, process.pid)
            node = NodeAddress(_HOST, port)

            def answers() -> bool:
                if process.poll() is not None:
                    lines = log.read_text(errors="replace").strip().splitlines()
                    why = lines[-1] if lines else "no output"
                    raise ServerUnreachable(
                        f"{program} --sentinel did not start ({why}): check --server-binary"
                    )
                return bool(_asked(node, secret, "PING"))

            _await(answers, "a Sentinel did not answer")
            yield node, process.pid
        finally:
            process.end()


def _configuration(port: int, folder: Path, master: EmbeddedServer, secret: str) -> str:
    return "\n".join(
        (
            f"port {port}",
            f"bind {_HOST}",
            f'dir "{folder}"',
            "daemonize no",
            f"user {USER} on >{secret} ~* &* +@all",
            f"user default on nopass ~* &* -@all {_OTHERS_MAY}",
            f"sentinel sentinel-user {USER}",
            f"sentinel sentinel-pass {secret}",
            f"sentinel monitor {MASTER_NAME} {_HOST} {master.port} {QUORUM}",
            f"sentinel auth-user {MASTER_NAME} {parse(master.url).user.name}",
            f"sentinel auth-pass {MASTER_NAME} {secret}",
            f"sentinel down-after-milliseconds {MASTER_NAME} {round(DOWN_AFTER_S * 1000)}",
            f"sentinel failover-timeout {MASTER_NAME} {round(FAILOVER_TIMEOUT_S * 1000)}",
            "",
        )
    )


def _await_sentinel(node: NodeAddress, secret: str, replicas: int) -> None:
    """Wait until a Sentinel knows all replicas and the other Sentinels."""

    def knows_all() -> bool:
        reply = _asked(node, secret, "SENTINEL", "MASTER", MASTER_NAME)
        if not isinstance(reply, list):
            return False
        told = dict(zip(reply[::2], reply[1::2], strict=False))
        expected = {"num-slaves": str(replicas), "num-other-sentinels": str(SENTINELS - 1)}
        return told | expected == told

    _await(knows_all, "the Sentinels did not find one another")


def _asked(node: NodeAddress, secret: str, *command: str) -> object:
    """The reply of a Sentinel; None where it does not answer yet."""
    with (
        contextlib.suppress(redis.exceptions.ConnectionError, redis.exceptions.TimeoutError),
        redis.Redis.from_url(
            f"redis://{USER}:{secret}@{node}",
            protocol=2,
            decode_responses=True,
            retry=NoRetries(),
            socket_timeout=1.0,
        ) as client,
    ):
        reply: object = client.execute_command(*command)
        return reply
    return None


def _await(condition: Callable[[], bool], problem: str) -> None:
    deadline_s = time.monotonic() + _READY_TIMEOUT_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise ServerUnreachable(
                f"{problem} within {_READY_TIMEOUT_S:.0f} s: is the machine overloaded?"
            )
        time.sleep(_POLL_S)


def free_port() -> int:
    """A loopback port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])
