"""Counting one-line replies, wherever the network cuts the stream."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.wire.replies import LineReplies, Replies, is_one_number

LINE = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF), max_size=20)
NUMBERS = st.integers(-(2**63), 2**63 - 1).map(lambda number: f":{number}")
REPLIES = st.lists(NUMBERS | LINE.map("+{}".format) | LINE.map("-{}".format), max_size=20)
CUTS = st.lists(st.integers(0, 400), max_size=12)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", Replies(0)),
        (b":1", Replies(0)),
        (b":1\r", Replies(0)),
        (b":1\r\n", Replies(1, [], 1)),
        (b":5\r\n:12\r\n", Replies(2, [], 12)),
        (b":5\r\n:1", Replies(1, [], 5)),
        (b":-3\r\n", Replies(1, [], -3)),
        (b"+OK\r\n", Replies(1, [], None)),
        (b":5\r\n+OK\r\n", Replies(2, [], None)),
        (b"+OK\r\n:5\r\n", Replies(2, [], 5)),
        (b"+a-b\r\n:5\r\n", Replies(2, [], 5)),
        (b"+$*\r\n", Replies(1, [], None)),
        (b"+:5\r\n", Replies(1, [], None)),
        (b"+a:b:c\r\n:5\r\n", Replies(2, [], 5)),
        (b":5\r\n+12:30\r\n", Replies(2, [], None)),
        (b"-ERR 1:2\r\n:5\r\n", Replies(2, [(0, "ERR 1:2")], 5)),
        (b"-ERR no\r\n", Replies(1, [(0, "ERR no")], None)),
        (
            b":1\r\n-OOM over memory\r\n:2\r\n-ERR x\r\n",
            Replies(4, [(1, "OOM over memory"), (3, "ERR x")], None),
        ),
        (b"-ERR x\r\n:7\r\n", Replies(2, [(0, "ERR x")], 7)),
        (b":7\r\n-ERR", Replies(1, [], 7)),
        (b"-ERR \xff\r\n", Replies(1, [(0, "ERR \N{REPLACEMENT CHARACTER}")], None)),
    ],
)
def test_a_piece_of_the_stream_is_counted(data: bytes, expected: Replies) -> None:
    assert LineReplies().feed(data) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"$2\r\nab\r\n",
        b"$-1\r\n",
        b"*1\r\n:1\r\n",
        b"*0\r\n",
        b":1\r\n$2\r\nab\r\n",
        b":1\r\n$2\r\n12\r\n",
        b"*2\r\n:1\r\n:2\r\n",
        b"12\r\n",
        b":1\r\n12\r\n",
        b"12\r\n:1\r\n",
        b"\r\n",
        b":1\r\n\r\n",
        b"_\r\n",
        b"#t\r\n",
        b",1.5\r\n",
    ],
)
def test_a_reply_of_more_than_one_line_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a one-line reply"):
        LineReplies().feed(data)


@given(
    REPLIES.map(lambda replies: "".join(f"{reply}\r\n" for reply in replies).encode())
    | st.text(":+-$*1 \r\n", max_size=8).map(str.encode)
)
def test_what_is_one_number_at_a_glance_is_so_for_the_reader_of_lines(data: bytes) -> None:
    reader = LineReplies()
    try:
        read = reader.feed(data)
    except ValueError:
        assert not is_one_number(data)
        return
    is_number = read.count == 1 and read.last_number is not None and not reader.has_data
    has_sign = data.startswith(b":-")
    assert is_one_number(data) == (is_number and not has_sign)


@given(replies=REPLIES, cuts=CUTS)
def test_any_cut_of_the_stream_gives_the_same_totals(replies: list[str], cuts: list[int]) -> None:
    stream = "".join(f"{reply}\r\n" for reply in replies).encode()
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reader = LineReplies()
    count = 0
    errors: list[tuple[int, str]] = []
    for start, end in pairwise(places):
        piece = reader.feed(stream[start:end])
        errors += [(count + index, message) for index, message in piece.errors]
        count += piece.count
    assert count == len(replies)
    assert errors == [
        (index, reply[1:]) for index, reply in enumerate(replies) if reply.startswith("-")
    ]


@given(replies=REPLIES, cuts=CUTS)
def test_each_piece_tells_the_number_in_its_last_complete_reply(
    replies: list[str], cuts: list[int]
) -> None:
    stream = "".join(f"{reply}\r\n" for reply in replies).encode()
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reader = LineReplies()
    count = 0
    for start, end in pairwise(places):
        piece = reader.feed(stream[start:end])
        count += piece.count
        last = replies[count - 1] if piece.count else ""
        assert piece.last_number == (int(last[1:]) if last.startswith(":") else None)


@given(REPLIES)
def test_a_stream_that_comes_byte_by_byte_loses_nothing(replies: list[str]) -> None:
    reader = LineReplies()
    stream = "".join(f"{reply}\r\n" for reply in replies).encode()
    counts = [reader.feed(stream[at : at + 1]).count for at in range(len(stream))]
    assert sum(counts) == len(replies)
    assert set(counts) <= {0, 1}
