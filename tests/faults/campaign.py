"""Runs with faults at moments that a seed draws, each checked by a count by id without the run."""

import contextlib
import random
import shlex
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import redis

from bench.faults.servers import OwnServer
from bench.faults.targets import ServerTarget
from bench.faults.topologies import OwnTopologyServer
from bench.proxy.control import NetworkProxy, proxied
from bench.records.run_record import RunRecord
from bench.redisio import embedded, own_topology
from bench.redisio.url import parse
from bench.run.request import RunRequest
from bench.run.run import execute
from bench.workload.resolve import resolve
from tests.faults import counting
from tests.faults.agreement import CountedById, count, disagreements
from tests.faults.tap import read_entries, tapping

LAYOUTS = {"runqy": "inference_default", "asynq": "inference.default"}
LAYOUTS["runqy-server"] = LAYOUTS["asynq"]
WORKERS = ("built-in", "plain")
_PEERS = Path(__file__).parents[1] / "peers"
_FIRST_S, _LAST_S = 0.4, 2.1
"""Between these moments faults begin."""
_MASTER = "mymaster"


@dataclass(frozen=True)
class Strike:
    """A kind of fault, and how it is injected in one run."""

    name: str
    plan: Callable[[Sequence[str]], Sequence[str]]
    """The plan for moments that were drawn, written as ``1.234s``."""
    times: int
    """How often it is injected in one run."""
    keeps_data: bool = True
    """Whether the server has all its data after it."""
    through_network: bool = False
    """Whether it needs the run's proxy."""
    has_sentinels: bool = False
    workers: Sequence[str] = WORKERS
    fields: Mapping[str, object] = field(default_factory=dict)
    config: Sequence[str] = ()


def _each(what: str) -> Callable[[Sequence[str]], Sequence[str]]:
    return lambda moments: [f"{each} {what}" for each in moments]


def _killed(how: str) -> Callable[[Sequence[str]], Sequence[str]]:
    """Kill and start by turns."""
    return lambda moments: [
        f"{each} {how if number % 2 == 0 else 'start worker all'}"
        for number, each in enumerate(moments)
    ]


STRIKES = (
    Strike("stall server", _each("stall server 100ms"), 4),
    Strike("pause clients", _each("pause clients 100ms"), 4),
    Strike("restart server", _each("restart server"), 2),
    Strike("restart server empty", _each("restart server empty"), 2, keeps_data=False),
    Strike("fill memory", _each("fill memory for 150ms"), 4),
    Strike("stall worker", _each("stall worker all 100ms"), 4),
    Strike("kill worker", _killed("kill worker 1"), 4),
    Strike("kill -TERM worker", _killed("kill -TERM worker all"), 4),
    Strike("reset connections", _each("reset connections 60%"), 4, through_network=True),
    Strike("network delay", _each("network 20ms±5ms 1MB/s for 150ms"), 4, through_network=True),
    Strike("network loss", _each("network loss for 150ms"), 4, through_network=True),
    Strike("network reset", _each("network reset 20/s for 250ms"), 4, through_network=True),
)
FAILOVERS = (Strike("failover", _each("failover"), 1, has_sentinels=True, workers=("none",)),)


@dataclass(frozen=True)
class Trial:
    """One run of the campaign."""

    fault: str
    """The name of a strike."""
    worker: str
    layout: str
    seed: int

    @property
    def strike(self) -> Strike:
        """What is injected."""
        return next(each for each in (*STRIKES, *FAILOVERS) if each.name == self.fault)


@dataclass(frozen=True)
class Checked:
    """What came of a trial."""

    trial: Trial
    record: RunRecord
    found: CountedById
    told: Sequence[str]
    """Where the ledger disagrees with the count by id; empty where it is right."""


def moments(trial: Trial) -> list[str]:
    """When to strike: one moment in each of so many equal spans, drawn by the seed."""
    strike = trial.strike
    draw = random.Random(f"{trial.seed} {strike.name} {trial.worker} {trial.layout}")
    span_s = (_LAST_S - _FIRST_S) / strike.times
    lasts_s = 0.26 if strike.times > 1 else 0.0
    return [
        f"{_FIRST_S + number * span_s + draw.random() * (span_s - lasts_s):.3f}s"
        for number in range(strike.times)
    ]


def check(trial: Trial) -> Checked:
    """Make one run on a server of its own, and count by id what it did."""
    with tempfile.TemporaryDirectory(prefix="bench-faults-") as name, _servers(trial) as servers:
        folder = Path(name)
        record, traffic = _run(trial, servers, folder)
        with redis.Redis.from_url(servers.data_url(), protocol=2) as client:
            held = counting.held_by(client)
        found = count(traffic, held, _log(trial, folder))
    return Checked(trial, record, found, _differences(trial, record, found))


def check_or_tell(trial: Trial) -> Checked | str:
    """``check``; where that fails, its traceback, so that other runs go on."""
    try:
        return check(trial)
    except Exception:
        return traceback.format_exc()


def _differences(trial: Trial, record: RunRecord, found: CountedById) -> list[str]:
    return disagreements(record, found, reports_ends=trial.worker != "plain")


@dataclass(frozen=True)
class _Servers:
    url: str
    open_url: str
    target: ServerTarget
    upstream: str
    master: str
    data_url: Callable[[], str]


@contextlib.contextmanager
def _servers(trial: Trial) -> Iterator[_Servers]:
    strike = trial.strike
    if strike.has_sentinels:
        with own_topology.running(1, with_sentinels=True) as topology:
            target = OwnTopologyServer(topology)
            upstream = str(topology.sentinels[0])
            url, open_url = topology.url, topology.open_url
            yield _Servers(url, open_url, target, upstream, _MASTER, lambda: topology.master().url)
        return
    with embedded.running(config=strike.config, persistent=strike.keeps_data) as server:
        upstream = f"127.0.0.1:{server.port}"
        url = server.url
        yield _Servers(url, server.open_url, OwnServer(server), upstream, "", lambda: url)


def _run(trial: Trial, servers: _Servers, folder: Path) -> tuple[RunRecord, counting.TapTraffic]:
    log, of_clients = folder / "tap", folder / "tap of clients"
    with tapping(log, servers.upstream, servers.master) as port, _proxy_tapped(of_clients):

        def tapped(url: str) -> str:
            return parse(url).moved(host="127.0.0.1", port=port)

        through = tapped(servers.data_url())
        is_proxied = trial.strike.through_network
        request = RunRequest(
            through if is_proxied else servers.url,
            resolve({**_fields(trial, folder)}),
            "a campaign of faults",
            owns_server=True,
            open_url=servers.open_url if not is_proxied else tapped(servers.open_url),
            through_url=None if is_proxied else through,
            server=servers.target,
        )
        record = execute(request, lambda _: None, lambda: False)
    traffic = counting.traffic_of(read_entries(log))
    if is_proxied:
        at_clients = counting.traffic_of(read_entries(of_clients))
        traffic = counting.seen_from_both_sides(at_clients, traffic)
    return record, traffic


@contextlib.contextmanager
def _proxy_tapped(log: Path) -> Iterator[None]:
    """A tap between a run's clients and its proxy, where it has one.

    A reply that has reached the proxy may still be lost when that resets the connection: the tap
    behind it cannot know what a client has heard.
    """

    @contextlib.contextmanager
    def tapped(url: str, seed: int) -> Iterator[NetworkProxy]:
        with proxied(url, seed) as proxy, tapping(log, f"127.0.0.1:{proxy.port}") as port:
            leads_to = proxy.leads_to
            with mock.patch.object(proxy, "leads_to", lambda to: moved(leads_to(to), port)):
                yield proxy

    def moved(url: str, port: int) -> str:
        parts = parse(url)
        return parts.moved(host=parts.host, port=port)

    with mock.patch("bench.run.network.proxied", tapped):
        yield


def _fields(trial: Trial, folder: Path) -> dict[str, Any]:
    queue, strike = LAYOUTS[trial.layout], trial.strike
    fields: dict[str, Any] = {
        "layout": trial.layout,
        "queues": {queue: 1},
        "rate": 300,
        "duration": "2.6s",
        "warmup": "0s",
        "drain_timeout": "8s",
        "seed": trial.seed,
        "faults": list(strike.plan(moments(trial))),
        **strike.fields,
    }
    if trial.worker == "none":
        fields["workers"] = 0
    elif trial.worker == "plain":
        fields |= {"workers": 2, "worker_command": shlex.join(_command(trial, folder))}
    else:
        prefetch = 1 if trial.seed % 2 else 16
        keeps = trial.layout != "runqy"
        fields |= {"workers": 2, "store_results": keeps, "prefetch": prefetch}
    return fields


def _command(trial: Trial, folder: Path) -> list[str]:
    """A plain worker that writes down the ids of what it takes and finishes."""
    queue = LAYOUTS[trial.layout]
    if trial.layout == "runqy":
        program = str(_PEERS / "plain_worker.py")
        return [sys.executable, program, str(folder / "sum"), queue, "--log", str(folder / "log")]
    words = ["-m", "tests.peers.runqy_worker", str(folder / "log"), f"{queue}=1"]
    return [sys.executable, *words, "--storage", "on", "--poll", "0.2"]


def _log(trial: Trial, folder: Path) -> counting.WorkerLog | None:
    if trial.worker != "plain":
        return None
    if trial.layout == "runqy":
        return counting.plain_log(folder / "log")
    return counting.runqy_log(folder / "log.log")
