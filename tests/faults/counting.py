"""What became of each task of a run by its id, found out without anything that the run reports.

Sources are the bytes that passed a tap, the logs of workers, and the keys of the server at the end.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import hiredis

from bench.layouts.asynq import lua_scripts as asynq_scripts
from bench.layouts.runqy_server import lua_scripts as runqy_scripts
from tests.faults.tap import Passage, TapEntry

_ENDING_SCRIPTS = {
    script.digest.encode()
    for script in (
        *(asynq_scripts.FORGET, asynq_scripts.KEEP),
        *(runqy_scripts.FORGET, runqy_scripts.KEEP),
    )
}
_HASH_FIELDS = {b"payload", b"msg"}
"""Fields that nobody writes but who enqueues a task."""
_POPS = {b"BRPOP", b"BLMPOP", b"LMPOP", b"RPOP"}
_ID_LENGTH = 36
_ID = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""A whole id. Four dashes do not make one: one password in five hundred has as many at its end."""


@dataclass
class TapTraffic:
    """What passed a tap, by task id."""

    sent: Counter[str] = field(default_factory=Counter)
    """How often a producer has pushed an id onto a list."""
    begun: set[str] = field(default_factory=set)
    """Ids of which a producer has sent any command whole."""
    answered: dict[str, float] = field(default_factory=dict)
    """Ids whose commands were all answered while the producer listened, and when the last was."""
    refused: set[str] = field(default_factory=set)
    """Ids of which a command was answered with an error."""
    taken: Counter[str] = field(default_factory=Counter)
    """How often an id was popped by a worker that was there to hear of it."""
    ended: Counter[str] = field(default_factory=Counter)
    """How often a worker's last command of a task was carried out."""


@dataclass(frozen=True)
class _Exchange:
    command: Sequence[bytes]
    reply: Any
    """None where none came."""
    at_s: float
    is_heard: bool
    """Whether a reply came before the client left."""


_NOTHING_CAME = object()


def traffic_of(entries: Iterable[TapEntry]) -> TapTraffic:
    """What a tap's log says."""
    by_connection: defaultdict[int, list[TapEntry]] = defaultdict(list)
    for entry in entries:
        by_connection[entry.connection].append(entry)
    found = TapTraffic()
    for each in by_connection.values():
        exchanges = list(_exchanges(each))
        if any(_writes_task(one.command) for one in exchanges):
            _count_producer(found, exchanges)
        else:
            _count_worker(found, exchanges)
    return found


def seen_from_both_sides(clients: TapTraffic, server: TapTraffic) -> TapTraffic:
    """What two taps say, before and behind a proxy that loses what is under way.

    Only at the clients is it known what left them and what they have heard, and only at the server
    what it has carried out.
    """
    return replace(clients, ended=server.ended)


def _exchanges(entries: Sequence[TapEntry]) -> Iterator[_Exchange]:
    """The commands of a connection, with their replies: the first has the first, and so on."""
    commands, replies = hiredis.Reader(), hiredis.Reader()
    asked: list[Sequence[bytes]] = []
    answers: list[tuple[Any, float, bool]] = []
    has_left = False
    for entry in entries:
        if entry.passage is Passage.CLIENT_LEFT:
            has_left = True
            continue
        is_command = entry.passage is Passage.FROM_CLIENT
        reader = commands if is_command else replies
        reader.feed(entry.data)
        while (value := reader.gets()) is not False:
            if is_command:
                asked.append(value)
            else:
                answers.append((value, entry.at_s, not has_left))
    for index, command in enumerate(asked):
        if index < len(answers):
            yield _Exchange(command, *answers[index])
        else:
            yield _Exchange(command, _NOTHING_CAME, 0.0, is_heard=False)


def _writes_task(command: Sequence[bytes]) -> bool:
    return command[0] == b"HSET" and not _HASH_FIELDS.isdisjoint(command[2::2])


def _count_producer(found: TapTraffic, exchanges: Sequence[_Exchange]) -> None:
    open_ids: defaultdict[str, list[_Exchange]] = defaultdict(list)
    for each in exchanges:
        for task_id in _ids_in(each.command):
            open_ids[task_id].append(each)
            if each.command[0] == b"LPUSH":
                found.sent[task_id] += 1
    for task_id, own in open_ids.items():
        found.begun.add(task_id)
        if any(isinstance(each.reply, hiredis.ReplyError) for each in own):
            found.refused.add(task_id)
        is_whole = own[-1].command[0] == b"LPUSH"
        if is_whole and all(each.is_heard for each in own):
            found.answered[task_id] = own[-1].at_s


def _count_worker(found: TapTraffic, exchanges: Sequence[_Exchange]) -> None:
    """A task has ended once everything was answered that its worker sent before the next pop."""
    is_confirmed = True
    for each in reversed(exchanges):
        if each.command[0] in _POPS:
            is_confirmed = True
            if each.is_heard and isinstance(each.reply, list):
                found.taken.update(_ids_in([b"", *_flat(each.reply)]))
            continue
        is_confirmed &= each.reply is not _NOTHING_CAME
        is_done = is_confirmed and not isinstance(each.reply, hiredis.ReplyError)
        if is_done and _ends_task(each.command):
            found.ended.update(_ids_in(each.command))


def _flat(reply: Sequence[Any]) -> Iterator[bytes]:
    for each in reply:
        if isinstance(each, list):
            yield from _flat(each)
        else:
            yield each


def _ends_task(command: Sequence[bytes]) -> bool:
    if command[0] == b"HSET":
        return tuple(command[2:4]) == (b"state", b"completed")
    return command[0] == b"EVALSHA" and command[1] in _ENDING_SCRIPTS


def _ids_in(command: Sequence[bytes]) -> set[str]:
    """The ids that arguments are, or that keys end with."""
    found = set()
    for argument in command[1:4] if command[0] == b"HSET" else command[1:]:
        last = argument[-_ID_LENGTH:]
        if _ID.fullmatch(last):
            found.add(last.decode())
    return found


@dataclass(frozen=True)
class HeldTasks:
    """What a server holds of tasks, by id."""

    states: Mapping[str, str]
    """The state in each hash; ``pending`` where it has none."""
    pending: Counter[str]
    """How often an id is on a pending list, or waits for a retry."""
    active: Counter[str]
    archived: frozenset[str]
    """Ids of archives, also those of which a part was refused, so that none could read them."""


def held_by(client: Any) -> HeldTasks:
    """Reads all keys of a server."""
    states: dict[str, str] = {}
    pending: Counter[str] = Counter()
    active: Counter[str] = Counter()
    archived: set[str] = set()
    for name in client.scan_iter(count=5000):
        key = name.decode()
        kind, _, task_id = key.rpartition(":t:")
        is_hash = bool(kind) and len(task_id) == _ID_LENGTH
        if is_hash and (fields := client.hmget(name, "state", "payload", "msg"))[1:] != [None] * 2:
            states[task_id] = (fields[0] or b"pending").decode()
        elif key.endswith(":pending"):
            pending.update(each.decode() for each in client.lrange(name, 0, -1))
        elif key.endswith(":active"):
            active.update(each.decode() for each in client.lrange(name, 0, -1))
        elif key.endswith((":retry", ":scheduled")):
            pending.update(each.decode() for each in client.zrange(name, 0, -1))
        elif key.endswith(":archived"):
            archived.update(each.decode() for each in client.zrange(name, 0, -1))
    return HeldTasks(states, pending, active, frozenset(archived))


@dataclass(frozen=True)
class WorkerLog:
    """What workers of others have written down, by id."""

    taken: Counter[str]
    finished: Counter[str]


def plain_log(path: Path) -> WorkerLog:
    """The log of ``tests/peers/plain_worker.py``."""
    return _log_of(line.split() for line in _whole_lines(path))


def _log_of(events: Iterable[Sequence[str]]) -> WorkerLog:
    taken: Counter[str] = Counter()
    finished: Counter[str] = Counter()
    for event, task_id in events:
        (finished if event in ("finished", "succeeded") else taken)[task_id] += 1
    return WorkerLog(taken, finished)


def runqy_log(path: Path) -> WorkerLog:
    """The log of ``tests/peers/runqy_worker.py``."""
    events = (json.loads(line) for line in _whole_lines(path))
    return _log_of((each["event"], each["id"]) for each in events)


def _whole_lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
