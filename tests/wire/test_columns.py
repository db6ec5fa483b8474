"""Many ids and payload heads at once, against one by one."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.wire import columns, ids, stamps
from bench.wire.columns import read_ids, read_stamps
from bench.wire.ids import TaskId

VECTOR_FROM = columns._VECTOR_FROM
SIZES = (0, 1, VECTOR_FROM - 1, VECTOR_FROM, VECTOR_FROM + 1, 3 * VECTOR_FROM)
RUN = 0x0A1B2C3D4E5F607
OTHER_RUN = RUN ^ 1
MOMENTS = st.integers(stamps.MIN_US, stamps.MAX_US)


def of_run(run: int) -> st.SearchStrategy[bytes]:
    parts = st.tuples(st.integers(0, ids.MAX_PRODUCERS - 1), st.integers(0, ids.MAX_SEQUENCE - 1))
    return parts.map(lambda each: ids.format_id(TaskId(run, *each)).encode())


@st.composite
def broken(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """One byte changed, so that the length stays."""
    text = bytearray(draw(whole))
    text[draw(st.integers(0, len(text) - 1))] = draw(
        st.sampled_from(b"0189afgAF-:/@`{ \x00\xff") | st.integers(0, 255)
    )
    return bytes(text)


OWN, OTHER = of_run(RUN), of_run(OTHER_RUN)
FOREIGN = st.sampled_from(
    [b"", b"my-task-id", b"0191d1f0-7a5e-7c3a-8f1d-2b1f6d3c9a10", b"x" * 36, b"\xff" * 36]
)
HEADS = st.tuples(MOMENTS, MOMENTS).map(lambda each: stamps.head(*each))
OURS = st.tuples(HEADS, st.sampled_from([b"}", b" }", b',"data":"x"}', b""])).map(b"".join)
STRANGE = st.sampled_from(
    [
        b"",
        b"{}",
        b'{"input": "hello world"}',
        stamps.head(stamps.MIN_US, stamps.MIN_US) + b"7}",
        b'{"due_us": 700000000000001,"sent_us":1700000000000002}',
        b"x" * 100,
    ]
)


def mixed(
    *kinds: st.SearchStrategy[bytes],
) -> st.SearchStrategy[list[bytes]]:
    """Lists on both sides of the threshold: of one kind alone, or with others in between."""
    return st.tuples(
        st.sampled_from(SIZES), st.integers(1, len(kinds)).map(lambda n: st.one_of(kinds[:n]))
    ).flatmap(lambda each: st.lists(each[1], min_size=each[0], max_size=each[0]))


def plain_ids(task_ids: Sequence[bytes], run: int | None) -> list[tuple[int, int]]:
    parsed = [ids.parse_id(each.decode("ascii", "replace")) for each in task_ids]
    return [
        (each.producer, each.sequence) if each is not None and run in (None, each.run) else (-1, -1)
        for each in parsed
    ]


def found_ids(task_ids: Sequence[bytes], run: int | None) -> list[tuple[int, int]]:
    found = read_ids(task_ids, run)
    return list(zip(found.producer.tolist(), found.sequence.tolist(), strict=True))


def found_stamps(payloads: Sequence[bytes]) -> list[tuple[int, int]]:
    found = read_stamps(payloads)
    return list(zip(found.due_us.tolist(), found.sent_us.tolist(), strict=True))


@pytest.mark.parametrize("run", [RUN, None])
@given(task_ids=mixed(OWN, OTHER, broken(OWN), FOREIGN))
def test_ids_are_read_as_one_by_one(run: int | None, task_ids: list[bytes]) -> None:
    """Of the run at hand, of another one, broken and foreign, in any order."""
    assert found_ids(task_ids, run) == plain_ids(task_ids, run)


@pytest.mark.parametrize("run", [RUN, None])
@given(task_ids=mixed(OWN), bad=broken(OWN) | OTHER | FOREIGN, at=st.integers(0, 100))
def test_one_id_that_is_not_of_the_run_does_not_spoil_the_others(
    run: int | None, task_ids: list[bytes], bad: bytes, at: int
) -> None:
    task_ids.insert(at % (len(task_ids) + 1), bad)
    assert found_ids(task_ids, run) == plain_ids(task_ids, run)


CHANGES = b"0f189aAFg/:@`{- \x00\xff"


def with_byte(text: bytes, at: int, byte: int) -> bytes:
    return text[:at] + bytes([byte]) + text[at + 1 :]


@pytest.mark.parametrize("at", range(ids.ID_LENGTH))
@pytest.mark.parametrize("run", [RUN, None])
def test_any_byte_of_an_id_may_be_another_one(run: int | None, at: int) -> None:
    """At any place, in the first id of many or in the last."""
    good = [ids.format_id(TaskId(RUN, 0x5A3, n)).encode() for n in range(VECTOR_FROM)]
    for byte in CHANGES:
        bad = with_byte(good[3], at, byte)
        for task_ids in ([bad, *good], [*good, bad]):
            assert found_ids(task_ids, run) == plain_ids(task_ids, run)


@given(task_ids=mixed(OWN, OTHER, broken(OWN), FOREIGN))
def test_all_are_ours_exactly_when_each_one_is(task_ids: list[bytes]) -> None:
    expected = all(producer >= 0 for producer, _ in plain_ids(task_ids, RUN))
    assert read_ids(task_ids, RUN).all_ours == expected


@pytest.mark.parametrize("count", [1, VECTOR_FROM])
@pytest.mark.parametrize(
    "expected",
    [(0, 0), (ids.MAX_PRODUCERS - 1, ids.MAX_SEQUENCE - 1), (0x123, 0x456789ABCDEF)],
)
def test_every_digit_of_an_id_has_its_weight(count: int, expected: tuple[int, int]) -> None:
    task_ids = [ids.format_id(TaskId(RUN, *expected)).encode()] * count
    assert found_ids(task_ids, RUN) == [expected] * count


@pytest.mark.slow
@given(payloads=mixed(OURS, broken(HEADS.map(lambda head: head + b"}")), STRANGE))
def test_stamps_are_read_as_one_by_one(payloads: list[bytes]) -> None:
    """Our own, broken and foreign payloads, in any order."""
    assert found_stamps(payloads) == [stamps.read(each) or (-1, -1) for each in payloads]


@given(
    payloads=mixed(OURS),
    bad=broken(HEADS.map(lambda head: head + b"}")) | STRANGE,
    at=st.integers(0, 100),
)
def test_one_payload_without_stamps_does_not_spoil_the_others(
    payloads: list[bytes], bad: bytes, at: int
) -> None:
    payloads.insert(at % (len(payloads) + 1), bad)
    assert found_stamps(payloads) == [stamps.read(each) or (-1, -1) for each in payloads]


@pytest.mark.parametrize("at", range(stamps.HEAD_LENGTH + 1))
def test_any_byte_of_a_head_may_be_another_one(at: int) -> None:
    """At any place, and the one after it."""
    good = [stamps.head(stamps.MIN_US + n, stamps.MAX_US - n) + b"}" for n in range(VECTOR_FROM)]
    for byte in CHANGES:
        payloads = [*good, with_byte(good[3], at, byte)]
        assert found_stamps(payloads) == [stamps.read(each) or (-1, -1) for each in payloads]


@pytest.mark.parametrize("count", [1, VECTOR_FROM])
@pytest.mark.parametrize(
    "expected",
    [
        (stamps.MIN_US, stamps.MAX_US),
        (stamps.MAX_US, stamps.MIN_US),
        (1_234_567_890_123_456, 6_543_210_987_654_321),
    ],
)
def test_every_digit_of_a_stamp_has_its_weight(count: int, expected: tuple[int, int]) -> None:
    assert found_stamps([stamps.head(*expected) + b"}"] * count) == [expected] * count
