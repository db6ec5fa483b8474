"""Reads how long a server took for each command, and its slow log. Resets and configures nothing.

Either may be missing: Redis before version 7 has no ``LATENCY HISTOGRAM``, other products may have
neither, and a user may be forbidden both. The reason is then given, and nothing is raised for it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import redis

from bench.measure.server_commands import Steps, added
from bench.redisio.checked_replies import not_valid

_NAME = re.compile(r"[\w|.-]{1,60}", re.ASCII)
_MOST_COMMANDS, _MOST_BOUNDS, _MOST_SLOW = 1000, 200, 1024
_SINCE_START = "latency_percentiles_usec_"
_RESHAPED = (TypeError, ValueError, LookupError, AttributeError)
_Found = TypeVar("_Found")


@dataclass(frozen=True)
class SlowEntry:
    """An entry of the slow log."""

    number: int
    at_s: int
    """Unix time on the server's clock."""
    duration_us: int
    command: str
    keys: Sequence[bytes] = field(repr=False)
    """Its first arguments, of which only those that are keys of queues may be shown."""


@dataclass(frozen=True)
class CommandLatencies:
    """How long the calls of each command took, cumulatively; the slow log."""

    histograms: Mapping[str, Steps] = field(default_factory=dict)
    since_start: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Percentiles (``p50``, ``p99``, …) in µs of all calls since the server's start, from ``INFO
    latencystats``; empty where it has none."""
    unknown: str = ""
    """Why there are no histograms, as a clause; empty where there are."""
    slow: Sequence[SlowEntry] = field(default=(), repr=False)
    """The newest first."""
    slow_unknown: str = ""
    """Why the slow log could not be read."""


def read(client: redis.Redis, info: Mapping[str, Any]) -> CommandLatencies:
    """The histograms and the slow log of one server, with its reply to ``INFO``.

    Raises redis-py's errors of the connection.
    """
    steps, unknown = _asked(client, ("LATENCY", "HISTOGRAM"), _histograms)
    slow, slow_unknown = _asked(client, ("SLOWLOG", "GET", str(_MOST_SLOW)), _slow)
    return CommandLatencies(steps or {}, _since_start(info), unknown, slow or (), slow_unknown)


def together(nodes: Mapping[str, CommandLatencies]) -> CommandLatencies:
    """The sums over the masters of a cluster; their slow logs cannot be put in one order of
    numbers, so each entry is known by its node in ``ServerUsage.nodes`` only."""
    names = {name for each in nodes.values() for name in each.histograms}
    reasons = [each.unknown for each in nodes.values() if each.unknown]
    return CommandLatencies(
        {name: added(each.histograms.get(name, {}) for each in nodes.values()) for name in names},
        {},
        reasons[0] if reasons else "",
        (),
        next((each.slow_unknown for each in nodes.values() if each.slow_unknown), ""),
    )


def command_name(name: object) -> str:
    """A command's name in lower case, as statistics have it; ``?`` for what can be none."""
    text = name.decode("ascii", "replace") if isinstance(name, bytes) else str(name)
    return text.lower() if _NAME.fullmatch(text) else "?"


def _asked(
    client: redis.Redis, command: Sequence[str], read_reply: Callable[[Any], _Found]
) -> tuple[_Found | None, str]:
    """What a server answers, or why it does not."""
    name = " ".join(command[:2])
    try:
        reply = client.execute_command(*command)  # type: ignore[no-untyped-call]
    except redis.exceptions.NoPermissionError:
        return None, f"the user may not send {name} ('bench acl' prints what to grant)"
    except redis.exceptions.ResponseError:
        return None, f"the server does not know {name}"
    try:
        return read_reply(reply), ""
    except _RESHAPED as error:
        return None, not_valid(name, error)


def _histograms(reply: Any) -> dict[str, Steps]:
    found: dict[str, Steps] = {}
    for name, fields in list(zip(reply[::2], reply[1::2], strict=True))[:_MOST_COMMANDS]:
        named = dict(zip(fields[::2], fields[1::2], strict=True))
        flat = [int(each) for each in named[b"histogram_usec"]][: 2 * _MOST_BOUNDS]
        found[command_name(name)] = dict(zip(flat[::2], flat[1::2], strict=True))
    return found


def _slow(reply: Any) -> list[SlowEntry]:
    return [
        SlowEntry(
            int(number),
            int(at_s),
            int(duration_us),
            command_name(arguments[0]),
            [each for each in arguments[1:6] if isinstance(each, bytes)],
        )
        for number, at_s, duration_us, arguments, *_ in reply[:_MOST_SLOW]
    ]


def _since_start(info: Mapping[str, Any]) -> dict[str, Mapping[str, float]]:
    return {
        command_name(name.removeprefix(_SINCE_START)): {
            str(key): float(value)
            for key, value in percentiles.items()
            if isinstance(value, int | float)
        }
        for name, percentiles in info.items()
        if name.startswith(_SINCE_START) and isinstance(percentiles, Mapping)
    }
