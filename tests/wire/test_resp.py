"""The plain encoder."""

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.wire import resp
from bench.wire.layout_contract import Argument, Command

ARGUMENTS: st.SearchStrategy[Argument] = st.binary(max_size=30) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=30
)
COMMANDS: st.SearchStrategy[list[Command]] = st.lists(
    st.lists(ARGUMENTS, min_size=1, max_size=8).map(tuple), min_size=1, max_size=6
)


@pytest.mark.parametrize(
    ("commands", "encoded"),
    [
        ([], b""),
        ([("PING",)], b"*1\r\n$4\r\nPING\r\n"),
        (
            [("LPUSH", "asynq:inference_default:pending", "my-task-id")],
            b"*3\r\n$5\r\nLPUSH\r\n$31\r\nasynq:inference_default:pending\r\n$10\r\nmy-task-id\r\n",
        ),
        ([("SET", "k", b"")], b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n"),
        ([("SET", "é", b"\r\n")], b"*3\r\n$3\r\nSET\r\n$2\r\n\xc3\xa9\r\n$2\r\n\r\n\r\n"),
        ([("A",), ("B",)], b"*1\r\n$1\r\nA\r\n*1\r\n$1\r\nB\r\n"),
    ],
)
def test_commands_are_arrays_of_bulk_strings(commands: list[Command], encoded: bytes) -> None:
    assert resp.encode(commands) == encoded


@given(COMMANDS)
def test_a_parser_finds_the_commands_in_their_order(commands: list[Command]) -> None:
    reader = hiredis.Reader()
    reader.feed(resp.encode(commands))
    for command in commands:
        assert reader.gets() == [
            argument.encode() if isinstance(argument, str) else argument for argument in command
        ]
    assert not reader.has_data()


@given(first=COMMANDS, second=COMMANDS)
def test_encoding_is_concatenation(first: list[Command], second: list[Command]) -> None:
    assert resp.encode([*first, *second]) == resp.encode(first) + resp.encode(second)
