"""What the counters of a run's queues mean, by which workers say that they serve the queues."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis

from bench.wire.layout_contract import CounterRules, Layout, Registration


@dataclass(frozen=True)
class RegisteredRules:
    """The rules of the workers that are registered for some queues."""

    rules: frozenset[CounterRules]
    commands: int
    """Commands that finding out has cost."""


def registered_rules(client: redis.Redis, layout: Layout, queues: Sequence[str]) -> RegisteredRules:
    """By whose rules the counters of these queues may be kept. Raises redis-py's errors."""
    names = [queue.encode() for queue in queues]
    found: set[CounterRules] = set()
    commands = 0
    for registration in layout.registrations():
        texts = _descriptions(client, registration)
        commands += 1 + len(texts)
        if any(text is not None and name in text for text in texts for name in names):
            found.add(registration.rules)
    return RegisteredRules(frozenset(found), commands)


def has_live_worker(client: redis.Redis, registration: Registration) -> bool:
    """Whether a worker is registered there that is alive. Raises redis-py's errors."""
    return any(text is not None for text in _descriptions(client, registration))


def _descriptions(client: redis.Redis, registration: Registration) -> list[Any]:
    members: Any = client.zrange(registration.key, 0, -1)
    return [
        client.execute_command(*registration.query(member.decode(errors="surrogateescape")))  # type: ignore[no-untyped-call]
        for member in members
    ]
