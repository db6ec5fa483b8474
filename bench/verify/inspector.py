"""Reads what is in a server's queues, by reading commands only and in chunks.

A long list is never read in one piece.
"""

from collections.abc import Iterator, Sequence

import redis

from bench.layouts.entry import LayoutEntry
from bench.layouts.inspected import InspectedKey, InspectedTask, key_of
from bench.redisio.pipelined_reads import read
from bench.verify.sampling import Span
from bench.wire.layout_contract import Command, KeyRole

_CHUNK = 100
_CHUNK_BYTES = 4_000_000
"""Tasks are read in chunks of so many, or fewer if they are larger together: the server keeps
replies in memory until they have been taken."""


class Inspector:
    """Reads what one layout's rules ask for, over one connection. Raises redis-py's errors."""

    def __init__(self, client: redis.Redis, entry: LayoutEntry) -> None:
        self._client = client
        self._ruleset = entry.ruleset
        self._layout = entry.layout
        self._leases: dict[str, str] = {}
        """Keys of the lease sets that can be read, by queue."""

    def keys(self, queues: Sequence[str]) -> list[InspectedKey]:
        """Returns every key of these queues, in the layout's order."""
        named = [(queue, key) for queue in queues for key in self._layout.queue_keys(queue)]
        kinds = read(self._client, [("TYPE", key.key) for _, key in named])
        lengths = read(self._client, [key.length for _, key in named])
        made = [
            InspectedKey(queue, key, kind.decode(), length or 0)
            for (queue, key), kind, length in zip(named, kinds, lengths, strict=True)
        ]
        self._leases.update(
            (each.queue, each.key) for each in made if self.is_lease(each) and each.is_of_its_type
        )
        return made

    def is_lease(self, key: InspectedKey) -> bool:
        """Whether a key is its queue's lease set, whose ids are also under the active key."""
        return key.key == self._layout.leases(key.queue)

    def ids(self, key: InspectedKey, spans: Sequence[Span]) -> list[list[bytes]]:
        """Returns the ids of each span, the one that is popped next first."""
        replies = read(
            self._client, [key.queue_key.next_popped(span.start, span.stop) for span in spans]
        )
        return [key.queue_key.in_turn(reply) if reply else [] for reply in replies]

    def tasks(self, found: Sequence[tuple[InspectedKey, bytes]]) -> Iterator[InspectedTask]:
        """Yields the tasks of these ids as they are now."""
        for start in range(0, len(found), _CHUNK):
            for chunk in self._small_enough(found[start : start + _CHUNK]):
                yield from self._chunk(chunk)

    def _small_enough(
        self, found: Sequence[tuple[InspectedKey, bytes]]
    ) -> Iterator[Sequence[tuple[InspectedKey, bytes]]]:
        large = self._ruleset.large
        replies = read(
            self._client,
            [("HSTRLEN", self._task_key(*each), name) for each in found for name in large],
        )
        begin, total = 0, 0
        for number in range(len(found)):
            size = sum(reply or 0 for reply in replies[number * len(large) :][: len(large)])
            if total + size > _CHUNK_BYTES and number > begin:
                yield found[begin:number]
                begin, total = number, 0
            total += size
        yield found[begin:]

    def _task_key(self, key: InspectedKey, task_id: bytes) -> bytes:
        return key_of(self._layout, key.queue, task_id).encode(errors="surrogateescape")

    def _chunk(self, chunk: Sequence[tuple[InspectedKey, bytes]]) -> Iterator[InspectedTask]:
        task_keys = [self._task_key(*each) for each in chunk]
        leased = [
            (self._leases[key.queue], task_id) for key, task_id in chunk if self._is_leased(key)
        ]
        commands: list[Command] = [("TYPE", task_key) for task_key in task_keys]
        commands += [("HMGET", task_key, *self._ruleset.fields) for task_key in task_keys]
        commands += [("ZSCORE", lease_key, task_id) for lease_key, task_id in leased]
        commands += [("TIME",)] if leased else []
        replies = read(self._client, commands)
        kinds, hashes = replies[: len(chunk)], replies[len(chunk) : 2 * len(chunk)]
        scores = iter(replies[2 * len(chunk) :])
        now_s = _seconds(replies[-1]) if leased else 0.0
        for (key, task_id), kind, values in zip(chunk, kinds, hashes, strict=True):
            until_s = next(scores) if self._is_leased(key) else now_s
            yield InspectedTask(
                id=task_id,
                queue=key.queue,
                found_under=key.queue_key,
                key=key_of(self._layout, key.queue, task_id),
                kind=kind.decode(),
                fields=self._fields(values),
                has_lease=until_s is not None,
                lease_left_s=0.0 if until_s is None else until_s - now_s,
            )

    def _is_leased(self, key: InspectedKey) -> bool:
        return key.queue_key.role is KeyRole.ACTIVE and key.queue in self._leases

    def _fields(self, values: Sequence[bytes | None] | None) -> dict[str, bytes]:
        return {
            name: value
            for name, value in zip(self._ruleset.fields, values or (), strict=False)
            if value is not None
        }


def _seconds(time: tuple[int, int]) -> float:
    return time[0] + time[1] / 1e6
