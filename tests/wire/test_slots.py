"""The slot of a key is the one that a node computes, and each command goes by its first key."""

from collections.abc import Sequence
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from bench.layouts import registry
from bench.wire.resp import encode
from bench.wire.resp_bounds import end_of, head_of
from bench.wire.slots import key_of, queue_slot, slot_of

_KEYS = [
    *(b"", b"a", b"123456789", b"asynq:queues", b"asynq:{inference.high}:pending"),
    *(b"{}", b"{}a", b"a{b}c{d}", b"{{a}}", b"a{", b"a}b{c}", b"\x00\xff{\xfe}", b"x" * 300),
]


def test_the_check_value_of_the_specification() -> None:
    assert slot_of(b"123456789") == 0x31C3


def test_slots_are_those_that_a_server_computes(cluster_port: int) -> None:
    with redis.Redis(port=cluster_port, protocol=2) as node:
        client: Any = node
        keys = [*_KEYS, *(b"key-%d" % number for number in range(50))]
        assert [slot_of(key) for key in keys] == [
            client.execute_command("CLUSTER", "KEYSLOT", key) for key in keys
        ]


@pytest.mark.parametrize(
    ("command", "key"),
    [
        ((b"GET", b"a"), b"a"),
        ((b"hset", b"a", b"f", b"v"), b"a"),
        ((b"EVALSHA", b"digest", b"2", b"a", b"b"), b"a"),
        ((b"EVALSHA", b"digest", b"0"), None),
        ((b"BLMPOP", b"2", b"1", b"a", b"RIGHT"), b"a"),
        ((b"LMPOP", b"1", b"a", b"LEFT"), b"a"),
        ((b"BRPOP", b"a", b"2"), b"a"),
        ((b"PING",), None),
        ((b"script", b"LOAD", b"text"), None),
    ],
)
def test_the_key_by_which_a_command_goes(command: Sequence[bytes], key: bytes | None) -> None:
    assert key_of(command) == key


@pytest.mark.parametrize(
    ("layout", "is_one"), [("asynq", True), ("runqy", False), ("runqy-server", False)]
)
def test_only_a_layout_with_one_hash_tag_keeps_a_queue_in_one_slot(
    layout: str, is_one: bool
) -> None:
    assert (queue_slot(registry.get(layout).layout, "inference.high") is not None) is is_one


_values = st.recursive(
    st.integers() | st.binary(max_size=20) | st.none(),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=12,
)


def _written(value: Any) -> bytes:
    if value is None:
        return b"$-1\r\n"
    if isinstance(value, int):
        return b":%d\r\n" % value
    if isinstance(value, bytes):
        return b"$%d\r\n%s\r\n" % (len(value), value)
    return b"*%d\r\n%s" % (len(value), b"".join(map(_written, value)))


@given(_values, st.binary(max_size=10))
def test_a_value_ends_where_it_was_written_to_and_not_before_it_is_whole(
    value: Any, behind: bytes
) -> None:
    text = _written(value)
    assert end_of(text + behind, 0) == len(text)
    assert all(end_of(text[:length], 0) == -1 for length in range(len(text)))


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=6))
def test_the_first_arguments_of_a_command(command: list[bytes]) -> None:
    text = b"+before\r\n" + encode([tuple(command)])
    assert head_of(text, 9, 4) == command[:4]
    assert end_of(text, 9) == len(text)


def test_what_is_no_reply_is_refused() -> None:
    with pytest.raises(ValueError, match="no RESP"):
        end_of(b"HTTP/1.1 200 OK\r\n", 0)
