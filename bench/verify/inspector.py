"""Reading what is in a server's queues: reading commands alone, in chunks, and never a long list
whole."""

from collections.abc import Iterator, Sequence
from typing import Any

import redis

from bench.layouts.inspected import InspectedKey, InspectedTask, key_of
from bench.layouts.rules import Ruleset
from bench.verify.sampling import Span
from bench.wire.layout import STATE_ACTIVE, Command, QueueKey

_CHUNK = 100
_CHUNK_BYTES = 4_000_000
"""Tasks are read so many at a time, or so few that they are not larger together: the server keeps
replies in memory until they are taken."""
_MOST_AT_ONCE = 400
"""Commands in a pipeline."""
LEASE = "lease"
"""The place that holds no tasks of its own: those of the active list are in it too."""


class Inspector:
    """Reads by one layout's rules, over one connection. All raise redis-py's errors."""

    def __init__(self, client: redis.Redis, ruleset: Ruleset) -> None:
        self._client = client
        self._ruleset = ruleset
        self._layout = ruleset.layout
        self._leases: dict[str, str] = {}
        """Keys of the sets of leases that can be read, by queue."""

    def places(self, queues: Sequence[str]) -> list[InspectedKey]:
        """Every place of these queues, in the layout's order."""
        named = [(queue, place) for queue in queues for place in self._layout.queue_keys(queue)]
        kinds = self._pipeline([("TYPE", place.key) for _, place in named])
        lengths = self._pipeline([(_length_command(place), place.key) for _, place in named])
        made = [
            InspectedKey(
                queue=queue,
                name=place.key.rpartition(":")[2],
                key=place.key,
                is_sorted_set=place.is_sorted_set,
                kind=kind.decode(),
                length=length or 0,
            )
            for (queue, place), kind, length in zip(named, kinds, lengths, strict=True)
        ]
        self._leases.update(
            (each.queue, each.key) for each in made if each.name == LEASE and each.is_of_its_type
        )
        return made

    def ids(self, place: InspectedKey, spans: Sequence[Span]) -> list[list[bytes]]:
        """The ids of each span, beginning with the one that is popped next."""
        command = "ZRANGE" if place.is_sorted_set else "LRANGE"
        # From the end first: what is popped meanwhile is then not seen twice.
        replies = self._pipeline(
            [(command, place.key, str(-span.stop), str(-span.start - 1)) for span in spans]
        )
        return [reply[::-1] if reply else [] for reply in replies]

    def tasks(self, seen: Sequence[tuple[InspectedKey, bytes]]) -> Iterator[InspectedTask]:
        """What is under these ids now."""
        for start in range(0, len(seen), _CHUNK):
            for chunk in self._small_enough(seen[start : start + _CHUNK]):
                yield from self._chunk(chunk)

    def _small_enough(
        self, seen: Sequence[tuple[InspectedKey, bytes]]
    ) -> Iterator[Sequence[tuple[InspectedKey, bytes]]]:
        large = self._ruleset.large
        replies = self._pipeline(
            [("HSTRLEN", self._key(*each), name) for each in seen for name in large]
        )
        begin, total = 0, 0
        for number in range(len(seen)):
            size = sum(reply or 0 for reply in replies[number * len(large) :][: len(large)])
            if total + size > _CHUNK_BYTES and number > begin:
                yield seen[begin:number]
                begin, total = number, 0
            total += size
        yield seen[begin:]

    def _key(self, place: InspectedKey, task_id: bytes) -> bytes:
        return key_of(self._layout, place.queue, task_id).encode(errors="surrogateescape")

    def _chunk(self, chunk: Sequence[tuple[InspectedKey, bytes]]) -> Iterator[InspectedTask]:
        names = [self._key(*each) for each in chunk]
        leased = [
            (self._leases[place.queue], task_id)
            for place, task_id in chunk
            if self._is_leased(place)
        ]
        commands: list[Command] = [("TYPE", name) for name in names]
        commands += [("HMGET", name, *self._ruleset.fields) for name in names]
        commands += [("ZSCORE", key, task_id) for key, task_id in leased]
        commands += [("TIME",)] if leased else []
        replies = self._pipeline(commands)
        kinds, hashes = replies[: len(chunk)], replies[len(chunk) : 2 * len(chunk)]
        scores = iter(replies[2 * len(chunk) :])
        now_s = _seconds(replies[-1]) if leased else 0.0
        for (place, task_id), kind, values in zip(chunk, kinds, hashes, strict=True):
            until_s = next(scores) if self._is_leased(place) else now_s
            yield InspectedTask(
                id=task_id,
                queue=place.queue,
                place=place.name,
                place_key=place.key,
                key=key_of(self._layout, place.queue, task_id),
                kind=kind.decode(),
                fields=self._fields(values),
                has_lease=until_s is not None,
                lease_left_s=0.0 if until_s is None else until_s - now_s,
            )

    def _is_leased(self, place: InspectedKey) -> bool:
        return place.name == STATE_ACTIVE and place.queue in self._leases

    def _fields(self, values: Sequence[bytes | None] | None) -> dict[str, bytes]:
        return {
            name: value
            for name, value in zip(self._ruleset.fields, values or (), strict=False)
            if value is not None
        }

    def _pipeline(self, commands: Sequence[Command]) -> list[Any]:
        """The replies, asked for in chunks; None where a key is of another type."""
        replies: list[Any] = []
        for start in range(0, len(commands), _MOST_AT_ONCE):
            pipeline: Any  # its types know no plain commands
            with self._client.pipeline(transaction=False) as pipeline:
                for command in commands[start : start + _MOST_AT_ONCE]:
                    pipeline.execute_command(*command)
                replies += pipeline.execute(raise_on_error=False)
        return [_or_none(reply) for reply in replies]


def _length_command(place: QueueKey) -> str:
    return "ZCARD" if place.is_sorted_set else "LLEN"


def _or_none(reply: Any) -> Any:
    if isinstance(reply, redis.exceptions.ResponseError) and str(reply).startswith("WRONGTYPE"):
        return None
    if isinstance(reply, Exception):
        raise reply
    return reply


def _seconds(time: tuple[int, int]) -> float:
    return time[0] + time[1] / 1e6
