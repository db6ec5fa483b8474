"""Reads what a server's queues are like, by reading commands only, each of them bounded.

Queues are found by SCAN, ids are read in pieces from both ends of a list and between, and of each
hash only the layout's own fields, once their size is known. Nothing is written, and no command is
used that a user with the rights ``+@read +info +ping`` may not send.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import redis

from bench.errors import UsageError
from bench.layouts import registry
from bench.layouts.entry import LayoutEntry
from bench.redisio.checked_replies import CheckingClient
from bench.redisio.pipelined_reads import read
from bench.redisio.registrations import registered_rules
from bench.redisio.url import parse
from bench.survey import sampled_tasks, watch
from bench.survey.observed import Survey
from bench.verify import discovery
from bench.wire.layout_contract import CounterRules, Layout

MOST_QUEUES = 100
"""Queues that are read; of more, the first by name."""


@dataclass(frozen=True)
class SurveyRequest:
    """What to read."""

    url: str
    layout: str | None
    """None for the one that the server's keys have."""
    sample: int
    """Most tasks to read."""
    watch_s: float
    """How long to watch the queues for arrivals."""


@dataclass(frozen=True)
class _Family:
    """Layouts that have the same keys, and their queues."""

    entries: Sequence[LayoutEntry]
    names: frozenset[str]

    @property
    def layout(self) -> Layout:
        """The first of them, whose keys are those of all."""
        return self.entries[0].layout


def survey(
    client: CheckingClient,
    request: SurveyRequest,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Survey:
    """Reads the queues of a server. Writes nothing.

    Raises UsageError if there is no queue of a known layout, or none of the requested one, and
    redis-py's errors.
    """
    began_s, sent = clock(), client.answered.replies
    families, is_whole = _families(client)
    chosen = _chosen(client, families, request)
    layout = chosen.layout
    names = sorted(chosen.names)[:MOST_QUEUES]
    found = sampled_tasks.sample(client, chosen.entries, names, request.sample)
    names = sorted({*names, *(task.queue for task in found.tasks if task.queue)})[:MOST_QUEUES]
    if not names:
        raise UsageError(_nothing(request, families))
    entry = _member(client, chosen.entries, names, found, request)
    return Survey(
        layout=entry.layout,
        address=parse(request.url).address,
        queues=names,
        left_out=len({*chosen.names} - {*names}),
        tasks=found.tasks,
        unreadable=found.unreadable,
        readings=watch.readings(client, layout, names, request.watch_s, sleep, clock),
        rules=_rules(client, entry.layout, names),
        day_ends=watch.day_ends(client, entry.layout, names, time.time()),
        others=[
            each.layout.name
            for each in families
            if each.names and each.layout.pending("q") != layout.pending("q")
        ],
        is_whole=is_whole,
        commands=client.answered.replies - sent,
        took_s=clock() - began_s,
    )


def _families(client: redis.Redis) -> tuple[list[_Family], bool]:
    """The known layouts by their keys, with the queues that were found of each, and whether all
    keys were searched."""
    entries = registry.loaded()
    found, is_whole = discovery.queues_with_tasks(client, [each.layout for each in entries])
    by_key: dict[str, list[LayoutEntry]] = {}
    for each in entries:
        by_key.setdefault(each.layout.pending("q"), []).append(each)
    families = []
    for members in by_key.values():
        registered = discovery.registered_queues(client, members[0].layout) or frozenset()
        names = registered.union(*(found[each.name] for each in members))
        families.append(_Family(members, names))
    return families, is_whole


def _chosen(client: redis.Redis, families: Sequence[_Family], request: SurveyRequest) -> _Family:
    """The family of the requested layout; else that with the most tasks, or without any with the
    most queues."""
    if request.layout is not None:
        wanted = registry.get(request.layout)
        for each in families:
            if wanted in each.entries:
                return each
    return max(families, key=lambda each: (_tasks_of(client, each), len(each.names)))


def _tasks_of(client: redis.Redis, family: _Family) -> int:
    names = sorted(family.names)[:MOST_QUEUES]
    keys = [key for name in names for key in family.layout.queue_keys(name)]
    return sum(length or 0 for length in read(client, [key.length for key in keys]))


def _member(
    client: redis.Redis,
    entries: Sequence[LayoutEntry],
    names: Sequence[str],
    found: sampled_tasks.SampleOfTasks,
    request: SurveyRequest,
) -> LayoutEntry:
    """Which of the layouts with the same keys it is: by fields that only its tasks have, else by
    its workers, else the first."""
    if request.layout is not None:
        return registry.get(request.layout)
    shared = set.intersection(*(set(each.ruleset.fields) for each in entries))
    for each in entries:
        own = set(each.ruleset.fields) - shared
        if own and own & found.fields_of_most:
            return each
    if not found.tasks:
        for each in entries:
            if each.layout.counter_rules in registered_rules(client, each.layout, names).rules:
                return each
    return entries[0]


def _rules(client: redis.Redis, layout: Layout, names: Sequence[str]) -> CounterRules:
    rules = registered_rules(client, layout, names).rules
    return next(iter(rules)) if len(rules) == 1 else layout.counter_rules


def _nothing(request: SurveyRequest, families: Sequence[_Family]) -> str:
    """Says that there is no queue to read, and where there may be one."""
    address = parse(request.url).address
    others = [each.layout.name for each in families if each.names]
    if request.layout is not None and others:
        return (
            f"no queue of the {request.layout} layout at {address}: it has queues of the layout "
            f"{' and '.join(others)}; leave out --layout, or name that one"
        )
    return (
        f"no queue of a known layout ({', '.join(registry.names())}) at {address}: check the URL "
        "and its database, or leave the server out and answer questions"
    )
