"""Reads a server's description and its counters. Resets nothing.

A server may hide any of its figures, and its counters may go back: a restart resets them, and so
does ``CONFIG RESETSTAT``. What cannot be told is None, and never zero.
"""

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis

from bench.redisio import command_latencies, failover
from bench.redisio.cluster.client import ClusterClient
from bench.redisio.command_latencies import CommandLatencies
from bench.redisio.server_config import worth_recording
from bench.redisio.url import parse

_OWN_COMMANDS = frozenset(
    (
        *("info", "llen", "lrange", "ping", "hello", "auth", "select", "client", "config", "time"),
        *("cluster", "asking", "latency", "slowlog"),
    )
)
"""Commands that the harness sends itself. They do not count as a cost of the tasks."""
_RESET = "config|resetstat"


@dataclass(frozen=True)
class ServerUsage:
    """A server's counters at one moment; None where it does not tell."""

    cpu_s: float | None
    memory_bytes: int | None
    commands: int | None
    """Commands of producers and workers."""
    network_bytes: int | None
    run_id: str = ""
    """Id of the server's process; a restart changes it. Empty where the server hides it."""
    uptime_s: int | None = None
    """Since that process was started."""
    flushes: int | None = 0
    evicted: int | None = 0
    calls: Mapping[str, int] = field(default_factory=dict)
    """Calls of every command."""
    command_us: Mapping[str, int] = field(default_factory=dict)
    """Time in which the server executed each of them, in µs."""
    latencies: CommandLatencies = field(default_factory=CommandLatencies)
    nodes: Mapping[str, "ServerUsage"] = field(default_factory=dict)
    """Those of each master of a cluster, by address, of which this is the sum; empty otherwise."""


def is_same_process(before: ServerUsage, after: ServerUsage) -> bool:
    """Whether both were read from one process of the server, as far as it tells."""
    if before.uptime_s is None or after.uptime_s is None:
        return after.run_id == before.run_id
    # A server that hides its id shows a restart by its age.
    return after.run_id == before.run_id and after.uptime_s >= before.uptime_s


def have_counters_gone_on(before: ServerUsage, after: ServerUsage) -> bool:
    """Whether the counters of the server only grew in between, so that they may be subtracted.

    They did not if the server was restarted, or its statistics were reset. After a reset no
    counter of a command can have kept its value, unless that command was called again: the reset
    counts itself, and the commands with which a run begins are not called again.
    """
    if not is_same_process(before, after):
        return False
    if before.nodes:  # the ids of the processes, and so the addresses, are the same
        return all(
            have_counters_gone_on(usage, after.nodes[address])
            for address, usage in before.nodes.items()
        )
    if after.calls.get(_RESET, 0) != before.calls.get(_RESET, 0):
        return False
    return all(after.calls.get(name, 0) >= calls for name, calls in before.calls.items())


def read_usage(client: redis.Redis) -> ServerUsage:
    """The current counters; of a cluster, those of its masters. Raises redis-py's errors."""
    if isinstance(client, ClusterClient):
        return _together({name: read_usage(node) for name, node in client.masters.items()})
    info = everything(client)
    by_name = {
        name.removeprefix("cmdstat_"): int(statistics["calls"])
        for name, statistics in info.items()
        if name.startswith("cmdstat_") and "calls" in statistics
    }
    calls: dict[str, int] = {}
    for name, count in by_name.items():
        command = name.partition("|")[0]
        calls[command] = calls.get(command, 0) + count
    tasks = sum(count for name, count in calls.items() if name not in _OWN_COMMANDS)
    return ServerUsage(
        cpu_s=cpu_s(info),
        memory_bytes=_whole(info, "used_memory"),
        commands=tasks if by_name else None,
        network_bytes=_whole(info, "total_net_input_bytes", "total_net_output_bytes"),
        run_id=run_id(info),
        uptime_s=_whole(info, "uptime_in_seconds"),
        flushes=calls.get("flushall", 0) + calls.get("flushdb", 0) if by_name else None,
        evicted=_whole(info, "evicted_keys"),
        calls=by_name,
        command_us={
            name.removeprefix("cmdstat_"): int(statistics["usec"])
            for name, statistics in info.items()
            if name.startswith("cmdstat_") and "usec" in statistics
        },
        latencies=command_latencies.read(client, info),
    )


def is_own(command: str) -> bool:
    """Whether the harness sends a command itself, so that it is no cost of the tasks; a transaction
    is none either, as each of its commands counts on its own."""
    return command.partition("|")[0] in {*_OWN_COMMANDS, "multi", "exec"}


def _together(nodes: Mapping[str, ServerUsage]) -> ServerUsage:
    """The sums over the masters of a cluster; None where one of them does not tell."""
    usages = list(nodes.values())
    calls, command_us = Counter[str](), Counter[str]()
    for usage in usages:
        calls.update(usage.calls)
        command_us.update(usage.command_us)
    return ServerUsage(
        cpu_s=total(usage.cpu_s for usage in usages),
        memory_bytes=whole_total(usage.memory_bytes for usage in usages),
        commands=whole_total(usage.commands for usage in usages),
        network_bytes=whole_total(usage.network_bytes for usage in usages),
        run_id=" ".join(f"{name}={usage.run_id}" for name, usage in sorted(nodes.items())),
        uptime_s=whole_total(usage.uptime_s for usage in usages),
        flushes=whole_total(usage.flushes for usage in usages),
        evicted=whole_total(usage.evicted for usage in usages),
        calls=calls,
        command_us=command_us,
        latencies=command_latencies.together(
            {name: usage.latencies for name, usage in nodes.items()}
        ),
        nodes=nodes,
    )


def total(values: Iterable[float | None]) -> float | None:
    """The sum; None where one of the values is not known."""
    known = list(values)
    return None if None in known else sum(each for each in known if each is not None)


def whole_total(values: Iterable[int | None]) -> int | None:
    """The sum; None where one of the values is not known."""
    known = list(values)
    return None if None in known else sum(each for each in known if each is not None)


def run_id(info: Mapping[str, Any]) -> str:
    """Id of the server's process, from the reply to ``INFO``; empty where it does not tell."""
    return str(info.get("run_id", ""))


def cpu_s(info: Mapping[str, Any]) -> float | None:
    """CPU time of the server's process in seconds, from the reply to ``INFO``; None where it does
    not tell."""
    return _sum(info, "used_cpu_sys", "used_cpu_user")


def main_cpu_s(info: Mapping[str, Any]) -> float | None:
    """CPU time of the thread that runs commands, from the reply to ``INFO``; None where the server
    does not tell it apart from others."""
    return _sum(info, "used_cpu_sys_main_thread", "used_cpu_user_main_thread")


def memory_bytes(info: Mapping[str, Any]) -> int | None:
    """Memory that the server has allocated, from the reply to ``INFO``; None where it does not
    tell."""
    return _whole(info, "used_memory")


@dataclass(frozen=True)
class MemoryLimit:
    """What bounds a server's memory."""

    size_bytes: int
    of: str
    """What it is, for a sentence: ``maxmemory`` or ``its machine's memory``."""


def memory_limit(info: Mapping[str, Any]) -> MemoryLimit | None:
    """What bounds the server's memory, from the reply to ``INFO``: ``maxmemory``, or where none is
    set, the memory of its machine; None where it tells neither."""
    for name, of in (("maxmemory", "maxmemory"), ("total_system_memory", "its machine's memory")):
        size_bytes = _whole(info, name)
        if size_bytes:
            return MemoryLimit(size_bytes, of)
    return None


def fullest(infos: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Of the replies to ``INFO`` of several nodes, at least one, that of the node whose memory is
    nearest to its limit."""

    def share(info: Mapping[str, Any]) -> float:
        limit, used = memory_limit(info), memory_bytes(info)
        return 0.0 if limit is None or used is None else used / limit.size_bytes

    return max(infos, key=share)


def describe(client: redis.Redis, url: str) -> dict[str, object]:
    """The server for the record: product, version, relevant settings and address, without secrets.

    Raises redis-py's errors.
    """
    info = everything(client)
    settings: dict[str, str] = {}
    with contextlib.suppress(redis.exceptions.ResponseError):  # managed servers often forbid it
        settings = {str(key): str(value) for key, value in client.config_get("*").items()}
    is_valkey = "valkey_version" in info
    masters = {"masters": list(client.masters)} if isinstance(client, ClusterClient) else {}
    return {
        **masters,
        "product": "valkey" if is_valkey else str(info.get("server_name", "redis")),
        "version": str(info.get("valkey_version" if is_valkey else "redis_version", "")),
        "malloc": str(info.get("mem_allocator", "")),
        "mode": str(info.get("server_mode", info.get("redis_mode", ""))),
        "maxmemory_policy": settings.get("maxmemory-policy", info.get("maxmemory_policy")),
        "save": settings.get("save"),
        "appendonly": settings.get("appendonly"),
        "io_threads": settings.get("io-threads"),
        "settings": worth_recording(settings),
        "address": parse(url).address,
        **failover.describe(url, info),
    }


def everything(client: redis.Redis) -> dict[str, Any]:
    """The reply to ``INFO``; empty for a user who may not ask."""
    try:
        found: dict[str, Any] = client.info("everything")
    except redis.exceptions.NoPermissionError:
        return {}
    return found


def _sum(info: Mapping[str, Any], *names: str) -> float | None:
    """The sum of these fields; None where the server lacks any of them."""
    values = [value for name in names if isinstance(value := info.get(name), int | float)]
    return sum(values) if len(values) == len(names) else None


def _whole(info: Mapping[str, Any], *names: str) -> int | None:
    total = _sum(info, *names)
    return None if total is None else int(total)
