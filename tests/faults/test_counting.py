"""The count by id: what is an id, and on which side of a proxy it is known what was heard."""

import pytest

from bench.wire import resp
from bench.wire.ids import TaskId, format_id
from tests.faults.counting import seen_from_both_sides, traffic_of
from tests.faults.tap import Passage, TapEntry

FIRST, SECOND = (format_id(TaskId(1 << 50, 0, number)) for number in (1, 2))
PENDING = "asynq:{q}:pending"


def enqueueing(task_id: str) -> bytes:
    write = ("HSET", f"asynq:{{q}}:t:{task_id}", "msg", b"\x01", "state", "pending")
    return resp.encode([write, ("LPUSH", PENDING, task_id)])


def tapped(*passages: tuple[Passage, bytes]) -> list[TapEntry]:
    """One connection."""
    return [TapEntry(1, passage, float(at), data) for at, (passage, data) in enumerate(passages)]


@pytest.mark.parametrize(
    "password",
    [
        "0123456Ab_xyz0-12Zxyz0-12axyz0-1_axyz0-12xyz",
        "-" * 4 + "a" * 32,
    ],
)
def test_a_password_that_ends_with_four_dashes_in_36_characters_is_no_task(password: str) -> None:
    assert password[-36:].count("-") == 4
    login = resp.encode([("AUTH", "default", password)])
    found = traffic_of(
        tapped(
            (Passage.FROM_CLIENT, login),
            (Passage.FROM_SERVER, b"+OK\r\n"),
            (Passage.FROM_CLIENT, enqueueing(FIRST)),
            (Passage.FROM_SERVER, b":2\r\n:1\r\n"),
        )
    )
    assert found.begun == set(found.answered) == {FIRST}


def test_a_task_has_begun_with_its_first_whole_command_wherever_the_stream_is_cut() -> None:
    sent = enqueueing(FIRST)
    push = len(resp.encode([("LPUSH", PENDING, FIRST)]))
    for cut in range(len(sent) + 1):
        found = traffic_of(
            tapped((Passage.FROM_CLIENT, enqueueing(SECOND)), (Passage.FROM_CLIENT, sent[:cut]))
        )
        assert found.begun == ({FIRST, SECOND} if cut >= len(sent) - push else {SECOND})
        assert not found.answered
        assert found.sent[FIRST] == (cut == len(sent))


def test_a_reply_that_came_after_its_client_had_left_was_not_heard() -> None:
    found = traffic_of(
        tapped(
            (Passage.FROM_CLIENT, enqueueing(FIRST) + enqueueing(SECOND)),
            (Passage.FROM_SERVER, b":2\r\n:1\r\n:2\r\n"),
            (Passage.CLIENT_LEFT, b""),
            (Passage.FROM_SERVER, b":2\r\n"),
        )
    )
    assert set(found.answered) == {FIRST}
    assert found.begun == {FIRST, SECOND}


def test_a_reply_that_a_proxy_lost_was_not_heard_and_what_it_tells_was_done() -> None:
    """The second reply got as far as the proxy, which then reset the connection."""
    enqueued = (Passage.FROM_CLIENT, enqueueing(FIRST))
    half, rest = (Passage.FROM_SERVER, b":2\r\n"), (Passage.FROM_SERVER, b":1\r\n")
    done = resp.encode([("HSET", f"asynq:{{q}}:t:{FIRST}", "state", "completed")])
    worker = [
        TapEntry(2, Passage.FROM_CLIENT, 9.0, done),
        TapEntry(2, Passage.FROM_SERVER, 9.1, b":0\r\n"),
    ]
    server = traffic_of([*tapped(enqueued, half, rest), *worker])
    clients = traffic_of([*tapped(enqueued, half, (Passage.CLIENT_LEFT, b"")), *worker[:1]])
    assert set(server.answered) == {FIRST}
    found = seen_from_both_sides(clients, server)
    assert not found.answered
    assert found.begun == {FIRST}
    assert found.ended == {FIRST: 1}
