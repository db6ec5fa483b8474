"""What the tests of the layout contract share: the entries, and a queue of any of them on a real
server, moved by the layout's own commands alone.

A new layout joins ``ENTRIES``, and must pass all of these tests.
"""

import json
import time
from collections.abc import Sequence
from typing import Any

from bench.layouts import registry
from bench.layouts.entry import LayoutEntry
from bench.measure.endings import CountedEnds
from bench.wire import stamps
from bench.wire.layout_contract import (
    Command,
    KeyRole,
    Layout,
    Reservation,
    state_of,
)
from bench.wire.task import Task
from tests.layouts.third.entry import ENTRY as THIRD
from tests.talk import talk

ENTRIES = [*registry.loaded(), THIRD]
VARIANTS = [
    (entry, layout)
    for entry in ENTRIES
    for layout in (entry.layout, entry.unique_layout)
    if layout is not None
]
VARIANT_IDS = [
    entry.name + ("" if layout is entry.layout else "-unique") for entry, layout in VARIANTS
]
ERROR = "boom"
RESULT = b'{"ok":true}'


def names_of(layout: Layout) -> tuple[str, str]:
    """Two queue names as the layout writes them."""
    return f"orders{layout.separator}high", f"orders{layout.separator}low"


def of_same_keys(entry: LayoutEntry) -> list[LayoutEntry]:
    """All entries whose queues have the keys of this one's; they include it."""
    queue, _ = names_of(entry.layout)
    pending = entry.layout.pending(queue)
    return [each for each in ENTRIES if each.layout.pending(queue) == pending]


class ContractQueue:
    """One queue of a layout, on a server that holds nothing else."""

    def __init__(self, port: int, entry: LayoutEntry, layout: Layout) -> None:
        self.port = port
        self.entry = entry
        self.layout = layout
        self.name, self.other = names_of(layout)
        self.now_s = int(time.time())
        self.do([("SCRIPT", "LOAD", text) for text in layout.scripts])
        registry_key = layout.registry()
        if registry_key is not None:
            self.do([("SADD", registry_key, self.name)])

    def do(self, commands: Sequence[Command]) -> list[Any]:
        """Sends the commands; no reply may be an error."""
        replies = talk(self.port, commands)
        assert not [reply for reply in replies if isinstance(reply, Exception)]
        return replies

    def ask(self, command: Command) -> Any:
        """Sends one command and returns its reply."""
        return self.do([command])[0]

    def task(self, number: int, queue: str = "") -> Task:
        """Task number N, with the content that ``bench clients`` expects, and stamps."""
        payload = json.dumps({"input": f"hello {number}"}).encode()
        sent_us = time.time_ns() // 1000
        stamped = stamps.head(sent_us, sent_us) + b"," + payload[1:]
        return Task(f"id-{number}", queue or self.name, stamped, sent_us=sent_us)

    def enqueue(self, *numbers: int, queue: str = "") -> int:
        """Enqueues these tasks; returns the reply to the last command."""
        return int([self.do(self.layout.enqueue(self.task(n, queue))) for n in numbers][-1][-1])

    def pop(self, *queues: str) -> tuple[bytes, Sequence[bytes]] | None:
        """Pops one id, in a transaction, so that empty queues answer at once."""
        return self._popped(self.layout.pop_one(queues or (self.name,), 1))

    def pop_many(self, count: int, *queues: str) -> tuple[bytes, Sequence[bytes]] | None:
        """Pops several ids with one command; empty queues answer at once."""
        return self._popped(self.layout.pop_many(queues or (self.name,), count, 1))

    def _popped(self, command: Command) -> tuple[bytes, Sequence[bytes]] | None:
        return self.layout.popped(self.do([("MULTI",), command, ("EXEC",)])[-1][0])

    def take(self) -> Reservation:
        """Pops a task, reads it and starts it, as a worker does."""
        popped = self.pop()
        assert popped is not None
        task_id = popped[1][0].decode()
        hashes = self.layout.read([self.ask(self.layout.load(self.name, task_id))])
        message = hashes.messages[0] if hashes.messages else b""
        reservation = Reservation(self.name, task_id, self.now_s, message)
        self.do(self.layout.start(reservation))
        return reservation

    def where(self, number: int) -> set[KeyRole]:
        """The roles of the keys that hold a task's id."""
        return {key.role for key in self.layout.queue_keys(self.name) if self._holds(key, number)}

    def _holds(self, key: Any, number: int) -> bool:
        return f"id-{number}".encode() in self.ask(key.range(0, 1000))

    def state(self, number: int) -> str | None:
        """A task's state; None if its hash does not exist."""
        return state_of(self.ask(self.layout.state(self.name, f"id-{number}")))

    def retries(self, number: int) -> int:
        """Retries of a task so far, as a worker reads them."""
        return self.layout.read([self.ask(self.layout.load(self.name, f"id-{number}"))]).retries[0]

    def successes(self) -> int | None:
        """What the queue's counters say; None if there are none."""
        pair = self.layout.end_counters(self.name)
        if pair is None:
            return None
        done, failed = (int(value or 0) for value in self.do([("GET", key) for key in pair]))
        return CountedEnds(done, failed).successes(self.layout.counter_rules)

    def keys(self) -> set[str]:
        """All keys of the server."""
        return {key.decode() for key in self.ask(("KEYS", "*"))}

    def expected_keys(self, *numbers: int) -> set[str]:
        """All keys that may exist while only these tasks have been enqueued."""
        of_tasks = (self.layout.keys_of(self.name, f"id-{number}") for number in numbers)
        return {
            *(key for keys in of_tasks for key in keys),
            *(key.key for key in self.layout.queue_keys(self.name)),
            *self.layout.counters(self.name, self.now_s).keys,
            str(self.layout.registry()),
        }
