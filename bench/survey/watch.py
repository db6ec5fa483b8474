"""Watches queues for a few seconds: their lengths and totals, again and again."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import redis

from bench.redisio.pipelined_reads import read
from bench.survey.observed import QueueReading, Reading
from bench.wire.layout_contract import KeyRole, Layout, QueueKey

_MOST_COMMANDS = 3_000
"""Commands of all readings together, where there are few queues."""
_FEWEST, _MOST = 4, 31
_ARCHIVED = "archived"
_DAY_S = 86_400


def readings(
    client: redis.Redis,
    layout: Layout,
    queues: Sequence[str],
    watch_s: float,
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> list[Reading]:
    """Returns readings that are spread evenly over a time, fewer of them where there are many
    queues. Raises redis-py's errors."""
    probe = _Probe(client, layout, queues)
    count = min(max(_MOST_COMMANDS // max(probe.size, 1), _FEWEST), _MOST)
    began_s = clock()
    taken = [probe.reading(clock)]
    for number in range(1, count):
        sleep(max(began_s + watch_s * number / (count - 1) - clock(), 0.0))
        taken.append(probe.reading(clock))
    return taken


def day_ends(
    client: redis.Redis, layout: Layout, queues: Sequence[str], now_s: float
) -> dict[str, int]:
    """Returns the tasks that ended yesterday (UTC) in each queue whose layout counts them by the
    day. Raises redis-py's errors."""
    found = {}
    for queue in queues:
        counters = layout.counters(queue, int(now_s) - _DAY_S)
        totals = layout.end_counters(queue) or ()
        ended = [key for key in counters.attempts if key not in totals]
        failed = [key for key in counters.failures if key not in totals]
        if ended:
            values = [_number(each) for each in read(client, [("MGET", *ended, *failed)])[0]]
            done, lost = sum(values[: len(ended)]), sum(values[len(ended) :])
            is_by_attempt = layout.counter_rules == "attempts"
            found[queue] = max(done - lost, 0) if is_by_attempt else done + lost
    return found


class _Probe:
    """The commands of one reading."""

    def __init__(self, client: redis.Redis, layout: Layout, queues: Sequence[str]) -> None:
        self._client = client
        self._queues = queues
        self._keys: Mapping[str, Sequence[QueueKey]] = {
            queue: [key for key in layout.queue_keys(queue) if _counts(key)] for queue in queues
        }
        totals = [layout.end_counters(queue) for queue in queues]
        self._totals = [key for pair in totals if pair is not None for key in pair]
        self._asks_for_keys = not self._totals
        self.size = sum(map(len, self._keys.values())) + 1

    def reading(self, clock: Callable[[], float]) -> Reading:
        lengths: list[Any] = [key.length for keys in self._keys.values() for key in keys]
        last = ("DBSIZE",) if self._asks_for_keys else ("MGET", *self._totals)
        *replies, reply = read(self._client, [*lengths, last])
        counts = iter(replies)
        totals = iter([] if self._asks_for_keys else reply)
        queues = {}
        for queue, keys in self._keys.items():
            found = {key.name: (key.role, int(next(counts) or 0)) for key in keys}
            ends = () if self._asks_for_keys else (_number(next(totals)), _number(next(totals)))
            queues[queue] = QueueReading(
                _total(found.values(), KeyRole.PENDING),
                _total(found.values(), KeyRole.ACTIVE),
                found.get(_ARCHIVED, (None, 0))[1],
                *ends,
            )
        return Reading(clock(), queues, int(reply) if self._asks_for_keys else None)


def _counts(key: QueueKey) -> bool:
    return key.role is not KeyRole.ELSEWHERE or key.name == _ARCHIVED


def _total(found: Any, role: KeyRole) -> int:
    return sum(length for each, length in found if each is role)


def _number(text: bytes | None) -> int:
    return int(text) if text is not None and text.isdigit() else 0
