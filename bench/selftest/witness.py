"""The server's own account of what a built-in worker did: its ``MONITOR``, read into bounds.

The server stamps each command with its own clock as it executes it. A worker that serves one task
at a time waits for each reply, so its moments lie between two of its commands: it took a task
between the pop and reading the task's hash, and it had finished between the last command of the
task and the next one on the same connection.
"""

import contextlib
import re
import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.analysis.selftest import KnownLatencies
from bench.redisio.connection import open_client

_STAMPS = re.compile(r'due_us[\\"]+:(\d{16}),[\\"]+sent_us[\\"]+:(\d{16})')
_TASK = "asynq:t:"


@dataclass(frozen=True)
class SeenCommand:
    """A command as the server has logged it."""

    time_us: float
    """On the server's clock."""
    address: str
    """Of the connection."""
    text: str
    """The command and its arguments, separated by spaces."""


@contextlib.contextmanager
def witnessed(url: str) -> Iterator[list[SeenCommand]]:
    """Yields a list that holds, once the block has ended, the commands that were executed in it.

    Raises ServerUnreachable.
    """
    seen: list[SeenCommand] = []
    watching, marking = open_client(url, None), open_client(url)
    mark = secrets.token_hex(8)

    def note() -> None:
        with watching.monitor() as monitor:  # type: ignore[no-untyped-call]
            begun.set()
            while mark not in (command := monitor.next_command())["command"]:
                address = f"{command['client_address']}:{command['client_port']}"
                seen.append(SeenCommand(command["time"] * 1e6, address, command["command"]))

    begun = threading.Event()
    thread = threading.Thread(target=note, daemon=True)
    thread.start()
    begun.wait()
    try:
        yield seen
    finally:
        marking.echo(mark)
        thread.join()
        watching.close()
        marking.close()


@dataclass
class _TaskBounds:
    due_us: int = 0
    sent_us: int = 0
    pushed_us: float = 0.0
    started_us: tuple[float, float] | None = None
    finished_us: tuple[float, float] | None = None


def known_latencies(commands: Sequence[SeenCommand]) -> Mapping[str, KnownLatencies]:
    """Returns bounds of ``queue_wait``, ``service`` and ``e2e`` of every task of the runqy layout
    that a built-in worker with a prefetch of 1 has completed, in the order of completion."""
    tasks = _bounds(commands)
    done = [each for each in tasks.values() if each.started_us and each.finished_us]
    started = np.array([each.started_us for each in done]).reshape(-1, 2)
    finished = np.array([each.finished_us for each in done]).reshape(-1, 2)
    due = np.array([each.due_us for each in done])
    sent = np.array([each.sent_us for each in done])
    bounds = {
        "queue_wait": (started[:, 0] - sent, started[:, 1] - sent),
        "service": (finished[:, 0] - started[:, 1], finished[:, 1] - started[:, 0]),
        "e2e": (finished[:, 0] - due, finished[:, 1] - due),
    }
    return {name: KnownLatencies(low / 1e6, high / 1e6) for name, (low, high) in bounds.items()}


def _bounds(commands: Sequence[SeenCommand]) -> Mapping[str, _TaskBounds]:
    tasks: dict[str, _TaskBounds] = {}
    last: dict[str, SeenCommand] = {}
    open_ends: dict[str, tuple[_TaskBounds, float]] = {}
    """By connection, a task that was completed there, and when."""
    for command in commands:
        if ended := open_ends.pop(command.address, None):
            ended[0].finished_us = (ended[1], command.time_us)
        verb, _, rest = command.text.partition(" ")
        key = rest.partition(" ")[0]
        task = tasks.setdefault(key, _TaskBounds()) if key.startswith(_TASK) else None
        if verb == "LPUSH" and key.endswith(":pending"):
            for task_id in rest.split(" ")[1:]:
                tasks.setdefault(f"{_TASK}{task_id}", _TaskBounds()).pushed_us = command.time_us
        elif task is None:
            pass
        elif found := _STAMPS.search(rest):
            task.due_us, task.sent_us = int(found[1]), int(found[2])
        elif verb == "HGETALL":
            popped_us = last[command.address].time_us if command.address in last else 0.0
            task.started_us = (max(popped_us, task.pushed_us), command.time_us)
        elif rest.endswith(" state completed"):
            open_ends[command.address] = (task, command.time_us)
        last[command.address] = command
    for task, time_us in open_ends.values():  # nothing followed on that connection
        task.finished_us = (time_us, max(commands[-1].time_us, time_us))
    return tasks
