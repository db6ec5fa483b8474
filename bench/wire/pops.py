"""Taking ids off queues, and what layouts have in common whose pending ids are lists.

A worker that serves its queues in a strict order sends the same few commands over and over, so
each is rendered once and kept.
"""

import functools
from collections.abc import Sequence
from typing import Any

from bench.wire import resp
from bench.wire.layout_contract import Command, Layout, Reservation

UNREADABLE = "the task cannot be read"
"""The reason that is stored with a task that was set aside."""
_KEPT = 1024
"""Rendered commands that are kept; with weighted priority their number has no bound."""


class ListPops:
    """The pop commands of a layout whose pending ids are a list; a base class for layouts."""

    pop_many_command: str | None = "BLMPOP"
    """Redis 7 and later know it."""
    pops_from_head = False
    """Whether workers pop the first id of the list rather than the last one."""

    def pending(self, queue: str) -> str:
        """The key of the list of ids that wait for a worker."""
        raise NotImplementedError

    def pop_one(self, queues: Sequence[str], block_s: int) -> Command:
        """Pops an id of the first of these queues that has one; waits up to ``block_s`` for it."""
        command = "BLPOP" if self.pops_from_head else "BRPOP"
        return (command, *map(self.pending, queues), str(block_s))

    def pop_many(self, queues: Sequence[str], count: int, block_s: int) -> Command:
        """Pops up to ``count`` ids of the first of these queues that has any; waits up to
        ``block_s`` for them."""
        end = "LEFT" if self.pops_from_head else "RIGHT"
        keys = map(self.pending, queues)
        return ("BLMPOP", str(block_s), str(len(queues)), *keys, end, "COUNT", str(count))

    def pop_more(self, queue: str, count: int) -> Command:
        """Pops up to ``count`` ids of a queue without waiting. Answers a list, or nothing.

        Servers before Redis 6.2 pop one at a time: for one id the command has no count, and
        answers the id.
        """
        command = ("LPOP" if self.pops_from_head else "RPOP", self.pending(queue))
        return command if count == 1 else (*command, str(count))

    def popped(self, reply: Any) -> tuple[bytes, Sequence[bytes]] | None:
        """Returns the pending key and the ids of a reply to ``pop_one`` or ``pop_many``; None if
        all queues stayed empty."""
        if reply is None:
            return None
        key, found = reply
        return key, found if isinstance(found, list) else [found]

    def archive(self, reservation: Reservation, error: str) -> Sequence[Command]:
        """Ends a task whose last attempt failed."""
        raise NotImplementedError

    def set_aside(self, reservation: Reservation, fields: Sequence[bytes]) -> Sequence[Command]:
        """Ends a task that was popped and whose hash cannot be read, as one that failed for good.

        ``fields`` are names and values in turn, as ``load`` answered them.
        """
        return self.archive(reservation, UNREADABLE)


class PopRenderer:
    """The pop commands of one worker as bytes, and what their replies say."""

    def __init__(self, layout: Layout, queues: Sequence[str], block_s: int) -> None:
        self._layout = layout
        self._block_s = block_s
        self._queues = {layout.pending(queue).encode(): queue for queue in queues}
        self.one = functools.lru_cache(_KEPT)(self._one)
        self.many = functools.lru_cache(_KEPT)(self._many)
        self.more = functools.lru_cache(_KEPT)(self._more)

    def _one(self, queues: tuple[str, ...]) -> bytes:
        """One id of the first of these queues that has one."""
        return resp.encode([self._layout.pop_one(queues, self._block_s)])

    def _many(self, queues: tuple[str, ...], count: int) -> bytes:
        """Up to ``count`` ids of the first of these queues that has any."""
        return resp.encode([self._layout.pop_many(queues, count, self._block_s)])

    def _more(self, queue: str, count: int) -> bytes:
        """Up to ``count`` ids of that queue, without waiting."""
        return resp.encode([self._layout.pop_more(queue, count)])

    def singly(self, queue: str, count: int) -> bytes:
        """Up to ``count`` ids of that queue, one for each of as many commands."""
        return resp.encode([self._layout.pop_more(queue, 1)] * count)

    def read(self, reply: Any) -> tuple[str, Sequence[bytes]]:
        """Returns the queue and the ids that were popped; ("", ()) if all queues stayed empty.

        Raises ValueError for what answers no pop of these queues.
        """
        try:
            found = self._layout.popped(reply)
            queue, ids = ("", ()) if found is None else (self._queues[found[0]], found[1])
        except (TypeError, KeyError, ValueError):
            raise ValueError(f"no answer to a pop: {str(reply)[:80]}") from None
        if set(map(type, ids)) - {bytes}:
            raise ValueError(f"no ids: {str(ids)[:80]}")
        return queue, ids

    def read_more(self, replies: Sequence[Any]) -> list[bytes]:
        """The ids in the replies to ``more`` or ``singly``: lists, ids or nothing."""
        lists = [reply if isinstance(reply, list) else [reply] for reply in replies]
        return [each for found in lists for each in found if isinstance(each, bytes)]

    def types(self, queues: Sequence[str]) -> bytes:
        """What type the pending key of each of these queues has."""
        return resp.encode([("TYPE", self._layout.pending(queue)) for queue in queues])
