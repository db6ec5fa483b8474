"""Ids: valid UUIDs, and everything in them comes back."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.wire import ids
from bench.wire.ids import TaskId

TASK_IDS = st.builds(
    TaskId,
    run=st.integers(0, 2**60 - 1),
    producer=st.integers(0, 2**12 - 1),
    sequence=st.integers(0, 2**48 - 1),
)


@pytest.mark.parametrize(
    ("task_id", "text"),
    [
        (TaskId(0, 0, 0), "00000000-0000-8000-8000-000000000000"),
        (TaskId(1, 0, 0), "00000000-0000-8000-8001-000000000000"),
        (TaskId(0, 1, 0), "00000000-0000-8001-8000-000000000000"),
        (TaskId(0, 0, 1), "00000000-0000-8000-8000-000000000001"),
        (TaskId(0x123456789ABCDEF, 0x321, 0xFEDCBA98), "12345678-9abc-8321-8def-0000fedcba98"),
        (TaskId(2**60 - 1, 2**12 - 1, 2**48 - 1), "ffffffff-ffff-8fff-8fff-ffffffffffff"),
    ],
)
def test_run_producer_and_sequence_have_their_places(task_id: TaskId, text: str) -> None:
    assert ids.format_id(task_id) == text
    assert ids.parse_id(text) == task_id


@given(TASK_IDS)
def test_an_id_comes_back_as_it_went_out(task_id: TaskId) -> None:
    assert ids.parse_id(ids.format_id(task_id)) == task_id


@given(TASK_IDS)
def test_an_id_is_an_rfc_9562_uuid_of_version_8(task_id: TaskId) -> None:
    text = ids.format_id(task_id)
    parsed = uuid.UUID(text)
    assert parsed.version == 8
    assert parsed.variant == uuid.RFC_4122
    assert str(parsed) == text


@given(TASK_IDS)
def test_an_id_has_its_sequence_at_the_documented_place(task_id: TaskId) -> None:
    text = ids.format_id(task_id)
    assert len(text) == ids.ID_LENGTH
    assert text[: ids.SEQUENCE_START] == ids.prefix(task_id.run, task_id.producer)
    digits = text[ids.SEQUENCE_START :]
    assert len(digits) == ids.SEQUENCE_DIGITS
    assert int(digits, 16) == task_id.sequence


@given(st.sets(TASK_IDS, min_size=2, max_size=10))
def test_different_tasks_have_different_ids(task_ids: set[TaskId]) -> None:
    assert len({ids.format_id(task_id) for task_id in task_ids}) == len(task_ids)


@pytest.mark.parametrize(
    ("task_id", "message"),
    [
        (TaskId(2**60, 0, 0), "run number 1152921504606846976 does not fit into 60 bits"),
        (TaskId(-1, 0, 0), "run number -1 does not fit into 60 bits"),
        (TaskId(0, 2**12, 0), "producer 4096 does not fit into 12 bits"),
        (TaskId(0, -1, 0), "producer -1 does not fit into 12 bits"),
        (TaskId(0, 0, 2**48), "sequence 281474976710656 does not fit into 48 bits"),
        (TaskId(0, 0, -1), "sequence -1 does not fit into 48 bits"),
    ],
)
def test_what_does_not_fit_its_bits_is_refused(task_id: TaskId, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ids.format_id(task_id)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "my-task-id",
        "a4a1c5ab-0a3b-4a8e-8b59-0f1b6c2d3e4f",  # version 4
        "00000000-0000-7000-8000-000000000000",  # version 7
        "00000000-0000-8000-9000-000000000000",  # another digit of the same variant
        "00000000-0000-8000-8000-00000000000",  # one digit short
        "00000000-0000-8000-8000-0000000000000",  # one digit more
        "00000000-0000-8000-8000-000000000000\n",
        " 00000000-0000-8000-8000-000000000000",
        "00000000-0000-8000-8000-00000000000G",
        "ABCDEF00-0000-8000-8000-000000000000",  # we never write capitals
        "000000000000800080000000000000000000",
        "{0000000-0000-8000-8000-00000000000}",
        "٠0000000-0000-8000-8000-000000000000",  # a digit, but not ours  # noqa: RUF001
    ],
)
def test_a_foreign_id_is_nobodys(text: str) -> None:
    assert ids.parse_id(text) is None


@given(st.uuids(version=1) | st.uuids(version=4) | st.uuids(version=5))
def test_the_ids_of_other_clients_are_nobodys(foreign: uuid.UUID) -> None:
    assert ids.parse_id(str(foreign)) is None


@given(task_id=TASK_IDS, at=st.integers(0, ids.ID_LENGTH - 1), character=st.characters())
def test_only_text_that_we_would_write_is_parsed(task_id: TaskId, at: int, character: str) -> None:
    """One character of an id of ours is replaced by any other."""
    ours = ids.format_id(task_id)
    text = ours[:at] + character + ours[at + 1 :]
    parsed = ids.parse_id(text)
    written = None if parsed is None else ids.format_id(parsed)
    fixed = at in (8, 13, 14, 18, 19, 23)
    still_ours = character == ours[at] if fixed else character in "0123456789abcdef"
    assert written == (text if still_ours else None)


def test_a_new_run_has_a_number_of_its_own_that_fits() -> None:
    runs = {ids.new_run() for _ in range(100)}
    assert len(runs) == 100
    for run in runs:
        assert ids.parse_id(ids.format_id(TaskId(run, 0, 0))) == TaskId(run, 0, 0)


@pytest.mark.parametrize(
    ("run", "text"),
    [(0, "000000000000000"), (0xABC, "000000000000abc"), (2**60 - 1, "f" * 15)],
)
def test_a_run_number_is_shown_as_fifteen_digits(run: int, text: str) -> None:
    assert ids.run_text(run) == text
