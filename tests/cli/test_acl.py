"""``bench acl``: what it prints is all that a command needs, and no more than it may do."""

import contextlib
import json
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from bench.cli.acl import line_of
from bench.layouts import registry
from bench.records import run_record
from bench.redisio import embedded as embedded_server
from bench.redisio import own_topology, rights
from bench.redisio.embedded import EmbeddedServer
from bench.redisio.rights import Addition, Role
from bench.redisio.url import parse
from bench.wire.task import Task
from tests import golden
from tests.cli.conftest import Bench
from tests.private_cluster import PrivateCluster
from tests.talk import as_user

LAYOUTS = registry.names()
QUEUES = {"runqy": "a_high,a_low"}
_NEWEST = (99, 0)


class Restricted:
    """A server with a user ``guest``, whose rights are those that ``bench acl`` prints."""

    def __init__(self, server: EmbeddedServer, layout: str) -> None:
        self.client: Any = redis.Redis.from_url(server.url, protocol=2)
        self.url = as_user(server.url, "guest", "PASSWORD")
        self.server = server
        self.layout = layout
        self.queues = QUEUES.get(layout, "a:high,a:low")

    def allow(
        self,
        role: Role,
        *left_out: str,
        only_required: bool = False,
        additions: frozenset[Addition] = frozenset(),
    ) -> None:
        found = rights.rights_of(
            role, registry.get(self.layout).layout, self.queues.split(","), additions=additions
        )
        line = line_of(found, "guest", _NEWEST, only_required=only_required)
        words = [each for each in shlex.split(line) if each.removeprefix("+") not in left_out]
        self.client.execute_command(*words)
        self.client.acl_log_reset()

    def refused(self) -> set[str]:
        """The commands and keys that the server has refused since, also inside of scripts."""
        return {str(each["object"]) for each in self.client.acl_log()}


@pytest.fixture(params=LAYOUTS)
def restricted(
    request: pytest.FixtureRequest, embedded: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> Restricted:
    """For each layout, with ``BENCH_REDIS_URL`` of the user."""
    made = Restricted(embedded, request.param)
    monkeypatch.setenv("BENCH_REDIS_URL", made.url)
    return made


@pytest.fixture
def runqy(embedded: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> Restricted:
    made = Restricted(embedded, "runqy")
    monkeypatch.setenv("BENCH_REDIS_URL", made.url)
    return made


def test_the_rights_of_each_role_are_shown(bench: Bench) -> None:
    shown = ""
    for role in (*Role, "metrics"):
        words = ("acl", role, "--layout", "asynq", "--queues", "a:high,b*c", "--user", "load-test")
        outcome = bench(*words)
        assert (outcome.code, outcome.err) == (0, "")
        shown += f"$ bench {shlex.join(words)}\n{outcome.out}\n"
    old = bench("acl", "run", "--server-version", "6.2", "--required", "--database", "3")
    added = bench("acl", "run", "--topology", "cluster", "--ack", "--faults", "--required")
    sentinel = bench("acl", "sentinel", "--faults")
    more = f"$ for a cluster\n{added.out}$ on Sentinels\n{sentinel.out}"
    golden.check("acl.txt", f"{shown}$ for Redis 6.2\n{old.out}{more}")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rum"], "'rum' is no role: did you mean 'run'?"),
        (["run", "--layout", "asynk"], "did you mean 'asynq'?"),
        (["run", "--server-version", "5"], "--server-version: a server of version 5 has no users"),
        (["run", "--server-version", "new"], "'new' is not a version; use for example 6.2"),
        (["run", "--user", "a b"], "--user: 'a b' is not a user's name"),
        (["run", "--queues", "a b"], "--queues: 'a b' is not a queue name"),
        (["verify", "--events"], "--events is for the role run"),
        (["worker", "--ack"], "--ack is for the role run"),
        (["clean", "--faults"], "--faults is for the role run"),
        (["run", "--events", "--topology", "cluster"], "--events cannot be watched on a cluster"),
        (["sentinels"], "'sentinels' is no role: did you mean 'sentinel'?"),
    ],
)
def test_what_cannot_be_meant_is_refused(bench: Bench, words: list[str], message: str) -> None:
    outcome = bench("acl", *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err


def test_a_client_and_its_reader_need_nothing_else(bench: Bench, runqy: Restricted) -> None:
    runqy.allow(Role.ENQUEUE)
    task = bench("enqueue", "a_high", "{}")
    assert (task.code, runqy.refused()) == (0, set())
    runqy.allow(Role.STATUS)
    assert bench("status", task.out.strip()).code == 0
    assert bench("result", task.out.strip(), "--timeout", "50ms").code == 3
    assert runqy.refused() == set()


@pytest.mark.parametrize("command", ["hset", "lpush"])
def test_a_command_that_is_not_printed_is_missed(
    bench: Bench, runqy: Restricted, command: str
) -> None:
    """So a command that the code begins to send shows in these tests, and to the user."""
    runqy.allow(Role.ENQUEUE, command)
    outcome = bench("enqueue", "a_high", "{}")
    assert outcome.code == 6
    assert f"'{command}' command: grant it in the ACL ('bench acl' prints" in outcome.err
    assert runqy.refused() == {command}


def test_other_queues_are_out_of_reach(bench: Bench, runqy: Restricted) -> None:
    runqy.allow(Role.ENQUEUE)
    assert bench("enqueue", "b_high", "{}").code == 6
    assert runqy.refused() == {"asynq:b_high:pending"}


def test_those_who_look_need_nothing_else_and_cannot_write(
    bench: Bench, restricted: Restricted
) -> None:
    _fill(restricted)
    of_layout = ("--layout", restricted.layout, "--queues", restricted.queues)
    restricted.allow(Role.VERIFY)
    assert bench("verify", *of_layout).code == 0
    assert restricted.refused() == set()
    restricted.allow(Role.INIT)
    assert bench("init", *of_layout, "--watch", "10ms").code == 0
    assert restricted.refused() == set()
    with redis.Redis.from_url(restricted.url, protocol=2) as client:
        key = registry.get(restricted.layout).layout.pending(restricted.queues.split(",")[0])
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.lpush(key, "x")


def _fill(restricted: Restricted) -> None:
    """Puts tasks into the queues, and registers a worker."""
    layout = registry.get(restricted.layout).layout
    for number in range(5):
        task = Task(id=f"task-{number}", queue=restricted.queues.split(",")[0], payload=b"{}")
        for command in layout.enqueue(task):
            restricted.client.execute_command(*command)
    if (names := layout.registry()) is not None:
        restricted.client.sadd(names, *restricted.queues.split(","))
    restricted.client.hset(layout.worker("w"), "queue", "a")
    _register(restricted)


def _register(restricted: Restricted) -> None:
    """Registers a worker of each kind, as other software does."""
    until_s = time.time() + 600
    restricted.client.zadd("asynq:servers", {"asynq:servers:{h:1:u}": until_s})
    restricted.client.set("asynq:servers:{h:1:u}", "x")
    restricted.client.zadd("asynq:workers", {"w1": until_s})
    restricted.client.hset("asynq:workers:w1", "queues", "map[other:1]")


@pytest.mark.slow
def test_a_run_and_its_clean_up_need_nothing_else(bench: Bench, restricted: Restricted) -> None:
    """With failures, retries and results; as fast as possible; with tasks left. Workers of other
    software are registered on the server."""
    _register(restricted)
    restricted.allow(Role.RUN)
    own = ("run", "smoke", "--layout", restricted.layout, "--queues", restricted.queues, "--quiet")
    fails = ("--failure-rate", "10%", "--max-retry", "1", "--retry-delay", "10ms")
    short = ("--rate", "200/s", "--duration", "500ms")
    for flags in (
        (*short, *fails, "--store-results"),
        ("--rate", "max", "--tasks", "300", "--prefetch", "8"),
        (*short, "--keep", "-o", "kept.json"),
    ):
        outcome = bench(*own, *flags)
        assert outcome.code in (0, 4, 5), outcome.err
        assert restricted.refused() == set()
    restricted.allow(Role.CLEAN)
    assert bench("clean", "kept.json").out.startswith("removed ")
    assert restricted.refused() == set()


@pytest.mark.slow
def test_a_run_goes_on_without_what_is_optional(bench: Bench, restricted: Restricted) -> None:
    """Each of these is refused, and no task is lost for it."""
    restricted.allow(Role.RUN, only_required=True)
    words = ("--layout", restricted.layout, "--queues", restricted.queues, "--rate", "200/s")
    outcome = bench("run", "smoke", *words, "--duration", "500ms", "--json", "-o", "run.json")
    run = json.loads(outcome.out)
    assert outcome.code in (0, 4, 5)
    assert run["counts"]["completed"] == 100
    assert restricted.refused() != set()
    left = set(map(bytes.decode, restricted.client.keys("*t:*")))
    assert left == set()


@pytest.mark.slow
def test_a_standing_worker_needs_nothing_else(
    bench: Bench, restricted: Restricted, monkeypatch: pytest.MonkeyPatch
) -> None:
    restricted.allow(Role.WORKER)
    of_layout = ("--layout", restricted.layout, "--queues", restricted.queues)
    with subprocess.Popen(
        [sys.executable, "-m", "bench", "worker", "a", *of_layout], stderr=subprocess.PIPE
    ) as worker:
        try:
            monkeypatch.setenv("BENCH_REDIS_URL", restricted.server.url)
            outcome = bench(
                *("run", "smoke", *of_layout, "--external-workers", "--rate", "200/s"),
                *("--duration", "500ms", "--json"),
            )
        finally:
            worker.terminate()
            worker.communicate(timeout=30)
    assert json.loads(outcome.out)["counts"]["completed"] == 100
    assert restricted.refused() == set()


@pytest.mark.slow
def test_faults_on_a_shared_server_need_nothing_else(bench: Bench, runqy: Restricted) -> None:
    """And a dry run needs no more than the run."""
    runqy.allow(Role.RUN, only_required=True, additions=frozenset({Addition.FAULTS}))
    faults = ("--faults", "300ms pause clients 100ms", "--faults", "600ms reset connections 50%")
    words = ("--queues", runqy.queues, "--rate", "200/s", "--duration", "1s", "--quiet", *faults)
    assert bench("run", "smoke", *words, "--faults-on-shared", "--dry-run").code == 0
    bench("run", "smoke", *words, "--faults-on-shared", "-o", "run.json")
    saved = run_record.load(Path("run.json"))
    assert [each.problem for each in saved.faults] == ["", ""]
    optional = rights.rights_of(Role.RUN, registry.get("runqy").layout, []).optional
    assert runqy.refused() <= {*optional}


@pytest.mark.slow
def test_a_cluster_and_its_commands_need_nothing_else(
    bench: Bench, cluster: PrivateCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = cluster.url.replace("://", "://guest:PASSWORD@")
    monkeypatch.setenv("BENCH_REDIS_URL", url)
    of_layout = ("--layout", "asynq", "--queues", "a:high,a:low")
    run = ("run", "smoke", *of_layout, "--rate", "200/s", "--duration", "500ms", "--quiet")
    for role, codes, words in (
        (Role.RUN, (0,), (*run, "--dry-run")),
        (Role.RUN, (0, 4, 5), (*run, "--workers", "0", "--keep", "-o", "kept.json")),
        (Role.VERIFY, (0,), ("verify", *of_layout)),
        (Role.INIT, (0,), ("init", *of_layout, "--watch", "10ms")),
        (Role.CLEAN, (0,), ("clean", "kept.json")),
    ):
        found = rights.rights_of(
            role,
            registry.get("asynq").layout,
            ["a:high", "a:low"],
            additions=frozenset({Addition.CLUSTER}),
        )
        for node in cluster.nodes():
            node.execute_command(*shlex.split(line_of(found, "guest", _NEWEST)))
            node.acl_log_reset()
        outcome = bench(*words)
        assert outcome.code in codes, outcome.err
        assert [each["object"] for node in cluster.nodes() for each in node.acl_log()] == []


@pytest.mark.slow
def test_sentinels_and_an_acknowledged_run_need_nothing_else(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a failover, in which the user needs the same on both servers."""
    additions = frozenset({Addition.SENTINEL, Addition.ACK, Addition.FAULTS})
    layout = registry.get("runqy").layout
    on_servers = rights.rights_of(Role.RUN, layout, [], additions=additions)
    on_sentinels = rights.rights_on_sentinels(with_faults=True)
    with own_topology.running(1, with_sentinels=True) as topology, contextlib.ExitStack() as stack:
        own = parse(topology.url)
        users = {server.url: on_servers for server in topology.servers}
        place = f"{own.sentinel_user.name}:{own.sentinel_user.password}"
        users |= {f"redis://{place}@{node}": on_sentinels for node in topology.sentinels}
        clients: list[Any] = []
        for url, found in users.items():
            clients.append(stack.enter_context(redis.Redis.from_url(url, protocol=2)))
            clients[-1].execute_command(*shlex.split(line_of(found, "guest", _NEWEST)))
            clients[-1].execute_command("ACL", "LOG", "RESET")
        nodes = ",".join(map(str, topology.sentinels))
        asked = "?sentinel_username=guest&sentinel_password=PASSWORD"
        url = f"redis+sentinel://guest:PASSWORD@{nodes}/{own.master_name}/0{asked}"
        monkeypatch.setenv("BENCH_REDIS_URL", url)
        words = ("--rate", "200/s", "--duration", "2s", "--ack", "wait:1", "--quiet")
        fault = ("--faults", "500ms failover", "--faults-on-shared", "-o", "run.json")
        bench("run", "smoke", *words, *fault)
        saved = run_record.load(Path("run.json"))
        assert [each.problem for each in saved.faults] == [""]
        refused = [each[5] for client in clients for each in client.execute_command("ACL", "LOG")]
        assert refused == []


@pytest.fixture
def redis_7() -> Iterator[Any]:
    """A client of Redis 7.0, where it is installed."""
    if (program := shutil.which("redis-server")) is None:
        pytest.skip("redis-server is not installed")
    with (
        embedded_server.running(program) as server,
        redis.Redis.from_url(server.url, protocol=2) as client,
    ):
        yield client


@pytest.mark.parametrize("version", [(6, 0), (6, 2), (7, 0)])
@pytest.mark.parametrize("role", Role)
def test_an_older_server_takes_the_line_of_its_version(
    redis_7: Any, version: tuple[int, int], role: Role
) -> None:
    """Redis 7.0 refuses a command that it does not know."""
    for name in LAYOUTS:
        found = rights.rights_of(role, registry.get(name).layout, [], version=version)
        redis_7.execute_command(*shlex.split(line_of(found, "guest", version)))
