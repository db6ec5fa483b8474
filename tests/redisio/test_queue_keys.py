"""Ids are read from the end of a list, however long the server says that it is."""

from collections.abc import Sequence
from typing import Any

import pytest
import redis

from bench.layouts import registry
from bench.redisio.queue_keys import CHUNK, ids_from_tail, queue_keys_of

LAYOUT = registry.default.layout
KEY = queue_keys_of(LAYOUT, ["a_x"])[0]


class Counting:
    """Counts ids that it does not return, from the call of that number on the true ones."""

    def __init__(self, counted: int, held: Sequence[bytes] = (), true_from: int = 1 << 60) -> None:
        self.counted, self.held, self.true_from = counted, held, true_from
        self.calls = 0

    def execute_command(self, *words: Any) -> Any:
        self.calls += 1
        is_true = self.calls >= self.true_from
        if tuple(words) == tuple(KEY.length):
            return len(self.held) if is_true else self.counted
        return list(self.held) if is_true else []


def test_a_server_that_counts_what_it_does_not_return_is_refused() -> None:
    client: Any = Counting(10**18)
    with pytest.raises(redis.exceptions.ResponseError, match="ids, and returns none"):
        list(ids_from_tail(client, KEY))


def test_a_list_that_became_shorter_is_read_from_its_new_end() -> None:
    client: Any = Counting(40 * CHUNK, [b"a", b"b"], true_from=3)
    assert [each for batch in ids_from_tail(client, KEY) for each in batch] == [b"b", b"a"]
    assert client.calls < 10
