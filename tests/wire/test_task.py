"""A task and its hash."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.wire.task import Task, decode

HASH = {
    b"type": b"task",
    b"payload": b'{"input": "hello world"}',
    b"retry": b"0",
    b"max_retry": b"3",
    b"queue": b"inference_default",
}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def test_a_task_is_written_as_the_seed_document_writes_it() -> None:
    task = Task("my-task-id", "inference_default", b'{"input": "hello world"}')
    assert task.fields() == [
        ("type", b"task"),
        ("payload", b'{"input": "hello world"}'),
        ("retry", b"0"),
        ("max_retry", b"3"),
        ("queue", b"inference_default"),
    ]


def test_a_task_is_read_from_the_hash_of_the_seed_document() -> None:
    assert decode("my-task-id", HASH) == Task(
        id="my-task-id",
        queue="inference_default",
        payload=b'{"input": "hello world"}',
        type="task",
        retry=0,
        max_retry=3,
    )


@given(
    st.builds(
        Task,
        id=TEXT,
        queue=TEXT,
        payload=st.binary(max_size=40),
        type=TEXT,
        retry=st.integers(0, 1000),
        max_retry=st.integers(0, 1000),
    )
)
def test_what_is_written_is_read_back(task: Task) -> None:
    written = {name.encode(): value for name, value in task.fields()}
    assert decode(task.id, written) == task


def test_fields_beside_the_five_are_ignored() -> None:
    assert decode("t", {**HASH, b"state": b"active", b"error": b""}) == decode("t", HASH)


@pytest.mark.parametrize("name", sorted(HASH))
def test_a_missing_field_is_named(name: bytes) -> None:
    partial = {key: value for key, value in HASH.items() if key != name}
    with pytest.raises(ValueError, match=f"task my-id has no field '{name.decode()}'"):
        decode("my-id", partial)


@pytest.mark.parametrize("name", ["retry", "max_retry"])
@pytest.mark.parametrize("value", [b"", b"x", b"-1", b"+1", b" 1", b"1_0", b"1.5", b"\xc2\xb2"])
def test_a_field_that_should_be_a_number_and_is_none_is_named(name: str, value: bytes) -> None:
    with pytest.raises(ValueError, match=f"^task my-id: field '{name}' is not a number: b'"):
        decode("my-id", {**HASH, name.encode(): value})
