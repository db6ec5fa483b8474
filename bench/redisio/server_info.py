"""Reads a server's description and its counters. Resets nothing."""

import contextlib
from dataclasses import dataclass
from typing import Any

import redis

from bench.secrets import address

_OWN_COMMANDS = frozenset(
    ("info", "llen", "lrange", "ping", "hello", "auth", "select", "client", "config", "time")
)
"""Commands that the harness sends itself. They do not count as a cost of the tasks."""


@dataclass(frozen=True)
class ServerUsage:
    """A server's counters at one moment. All but ``memory_bytes`` only grow."""

    cpu_s: float
    memory_bytes: int
    commands: int
    """Commands of producers and workers."""
    network_bytes: int
    run_id: str = ""
    """Id of the server's process; a restart changes it."""
    flushes: int = 0
    evicted: int = 0


def lost_data(before: ServerUsage, after: ServerUsage) -> str:
    """What happened to a server's data between two moments, as text; empty for nothing."""
    if after.run_id != before.run_id:
        return "was restarted"
    if after.flushes > before.flushes:
        return "was flushed"
    if after.evicted > before.evicted:
        return f"evicted {after.evicted - before.evicted} keys because its memory was full"
    return ""


def read_usage(client: redis.Redis) -> ServerUsage:
    """The current counters. Raises redis-py's errors."""
    info: dict[str, Any] = client.info("everything")
    calls = {
        name.removeprefix("cmdstat_").partition("|")[0]: 0
        for name in info
        if name.startswith("cmdstat_")
    }
    for name, statistics in info.items():
        if name.startswith("cmdstat_"):
            calls[name.removeprefix("cmdstat_").partition("|")[0]] += int(statistics["calls"])
    return ServerUsage(
        cpu_s=cpu_s(info),
        memory_bytes=int(info.get("used_memory", 0)),
        commands=sum(count for name, count in calls.items() if name not in _OWN_COMMANDS),
        network_bytes=int(info.get("total_net_input_bytes", 0))
        + int(info.get("total_net_output_bytes", 0)),
        run_id=str(info.get("run_id", "")),
        flushes=calls.get("flushall", 0) + calls.get("flushdb", 0),
        evicted=int(info.get("evicted_keys", 0)),
    )


def cpu_s(info: dict[str, Any]) -> float:
    """CPU time of the server's process in seconds, from the reply to ``INFO``."""
    return float(info.get("used_cpu_sys", 0)) + float(info.get("used_cpu_user", 0))


def main_cpu_s(info: dict[str, Any]) -> float | None:
    """CPU time of the thread that runs commands, from the reply to ``INFO``; None where the server
    does not tell it apart from others."""
    names = ("used_cpu_sys_main_thread", "used_cpu_user_main_thread")
    if not all(name in info for name in names):
        return None
    return sum(float(info[name]) for name in names)


def describe(client: redis.Redis, url: str) -> dict[str, object]:
    """The server for the record: product, version, relevant settings and address, without secrets.

    Raises redis-py's errors.
    """
    info: dict[str, Any] = client.info("everything")
    settings: dict[str, str] = {}
    for name in ("maxmemory-policy", "save", "appendonly", "io-threads"):
        # Managed servers often forbid CONFIG.
        with contextlib.suppress(redis.exceptions.ResponseError):
            found = client.config_get(name)
            settings.update({str(key): str(value) for key, value in found.items()})
    is_valkey = "valkey_version" in info
    return {
        "product": "valkey" if is_valkey else str(info.get("server_name", "redis")),
        "version": str(info.get("valkey_version" if is_valkey else "redis_version", "")),
        "malloc": str(info.get("mem_allocator", "")),
        "mode": str(info.get("server_mode", info.get("redis_mode", ""))),
        "maxmemory_policy": settings.get("maxmemory-policy", info.get("maxmemory_policy")),
        "save": settings.get("save"),
        "appendonly": settings.get("appendonly"),
        "io_threads": settings.get("io-threads"),
        "address": address(url),
    }
