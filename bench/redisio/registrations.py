"""What the counters of a run's queues mean, by which workers say that they serve the queues."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis

from bench.wire import resp
from bench.wire.layout_contract import CounterRules, Layout, Registration

_MOST_MEMBERS = 1_000
"""Registered workers that are looked at: the newest ones."""


@dataclass(frozen=True)
class RegisteredRules:
    """The rules of the workers that are registered for some queues."""

    rules: frozenset[CounterRules]
    commands: int
    """Commands that finding out has cost."""


def registered_rules(client: redis.Redis, layout: Layout, queues: Sequence[str]) -> RegisteredRules:
    """By whose rules the counters of these queues may be kept. Raises redis-py's errors."""
    found: set[CounterRules] = set()
    commands = 0
    for registration in layout.registrations():
        texts = _descriptions(client, registration)
        commands += 1 + len(texts)
        if any(registration.serves(text, queue) for text in texts if text for queue in queues):
            found.add(registration.rules)
    return RegisteredRules(frozenset(found), commands)


def has_live_worker(client: redis.Redis, registration: Registration) -> bool:
    """Whether a worker is registered there that is alive. Raises redis-py's errors."""
    return any(text is not None for text in _descriptions(client, registration))


def _descriptions(client: redis.Redis, registration: Registration) -> list[Any]:
    members: Any = client.zrange(registration.key, -_MOST_MEMBERS, -1)
    with client.pipeline(transaction=False) as pipeline:
        for member in members:
            command = registration.query(member.decode(errors="surrogateescape"))
            pipeline.execute_command(*map(resp.as_bytes, command))  # type: ignore[no-untyped-call]
        return list(pipeline.execute())
