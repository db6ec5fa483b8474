"""The two moments inside a payload."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.wire import stamps

MOMENTS = st.integers(stamps.MIN_US, stamps.MAX_US)
HEAD = stamps.head(1_700_000_000_000_001, 1_700_000_000_000_002) + b"}"


def test_the_head_of_a_payload_is_this_text() -> None:
    assert stamps.head(1700000000000001, 1700000000000002) == (
        b'{"due_us":1700000000000001,"sent_us":1700000000000002'
    )


@given(
    due_us=MOMENTS,
    sent_us=MOMENTS,
    body=st.binary(max_size=40).filter(lambda body: not body[:1].isdigit()),
)
def test_both_moments_are_read_back_whatever_follows_but_a_digit(
    due_us: int, sent_us: int, body: bytes
) -> None:
    assert stamps.read(stamps.head(due_us, sent_us) + body) == (due_us, sent_us)


@given(due_us=MOMENTS, sent_us=MOMENTS)
def test_the_moments_stand_at_the_documented_places(due_us: int, sent_us: int) -> None:
    head = stamps.head(due_us, sent_us)
    assert len(head) == stamps.HEAD_LENGTH
    assert int(head[stamps.DUE_START :][: stamps.DIGITS]) == due_us
    assert int(head[stamps.SENT_START :][: stamps.DIGITS]) == sent_us


@given(due_us=MOMENTS, sent_us=MOMENTS)
def test_a_closed_head_is_a_json_object_with_the_reserved_names(due_us: int, sent_us: int) -> None:
    payload = json.loads(stamps.head(due_us, sent_us) + b"}")
    assert payload == dict(zip(stamps.RESERVED_NAMES, (due_us, sent_us), strict=True))


@pytest.mark.parametrize("stamp", [-1, 0, 10**15 - 1, 10**16])
def test_a_stamp_without_sixteen_digits_is_refused(stamp: int) -> None:
    with pytest.raises(ValueError, match=f"stamp {stamp} does not have 16 digits"):
        stamps.head(stamp, stamps.MIN_US)
    with pytest.raises(ValueError, match=f"stamp {stamp} does not have 16 digits"):
        stamps.head(stamps.MIN_US, stamp)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b'{"input": "hello world"}',
        b'{"due_us":',
        b'{"due_us":1700000000000001}',
        b'{"due_us":1700000000000001,"sent_us":',
        b'{"due_us":1700000000000001,"sent_us":}',
        b'{"due_us":1700000000000001,"sent_us":null}',
        b'{"due_us":1700000000000001,"sent_us":17}',
        b'{"due_us": 1700000000000001, "sent_us": 1700000000000002}',
        b'{"due_us":17,"sent_us":17}',
        b'{"sent_us":1700000000000001,"due_us":1700000000000002}',
        b'{"due_us":170000000000000x,"sent_us":1700000000000002}',
        b'{"due_us":+700000000000001,"sent_us":1700000000000002}',
        b'{"due_us":1700000000000001,"sent_us": 700000000000002}',
        b'{"due_us":1_00000000000001,"sent_us":1700000000000002}',
        b'{"due_us":1700000000000001,"sent_us":17000000000000023}',
        b'{"due_us":17000000000000011,"sent_us":1700000000000002}',
        b'{"due_us":1700000000000001,"sent_us":170000000000000',
        b'{"due_us":1700000000000001;"sent_us":1700000000000002}',
        b'{"due_us":1700000000000001,"sent_ms":1700000000000002}',
        b'{"run_us":1700000000000001,"sent_us":1700000000000002}',
        b' {"due_us":1700000000000001,"sent_us":1700000000000002}',
    ],
)
def test_a_foreign_payload_has_no_moments(payload: bytes) -> None:
    assert stamps.read(payload) is None


@given(
    st.binary(max_size=stamps.HEAD_LENGTH + 4)
    | st.builds(
        lambda at, byte: HEAD[:at] + bytes([byte]) + HEAD[at + 1 :],
        st.integers(0, len(HEAD) - 1),
        st.integers(0, 255),
    )
)
def test_a_payload_is_ours_only_if_its_head_would_be_written_like_that(payload: bytes) -> None:
    """Nothing is read by way of leniency: signs, blanks and underscores are no digits."""
    read = stamps.read(payload)
    if read is not None:
        written = b'{"due_us":%016d,"sent_us":%016d' % read
        assert payload[: stamps.HEAD_LENGTH] == written
