"""A worker's commands from templates, against the plain encoder."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.layouts import registry
from bench.layouts.asynq import codec
from bench.layouts.runqy.layout import RUNQY
from bench.wire import ids, resp
from bench.wire.ids import TaskId
from bench.wire.layout_contract import Command, Layout, Reservation
from bench.wire.task import Task
from bench.wire.transitions import Transition, Transitions

LAYOUTS = [entry.layout for entry in map(registry.get, ("runqy", "asynq", "runqy-server"))]
QUEUE_NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=12)
OWN_IDS = st.builds(
    TaskId,
    st.integers(0, 2**60 - 1),
    st.integers(0, ids.MAX_PRODUCERS - 1),
    st.integers(0, ids.MAX_SEQUENCE - 1),
).map(ids.format_id)
TASK_IDS = st.lists(
    OWN_IDS | st.text("ab%-{}0", max_size=40) | st.text("%sd", min_size=36), max_size=8
)
RESULTS = st.none() | st.binary(max_size=20)
ERRORS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def plain(
    layout: Layout, name: str, reservation: Reservation, result: bytes | None, error: str
) -> list[Command]:
    """The commands of one move, as the layout gives them."""
    complete = layout.complete(reservation, result)
    archive = layout.archive(reservation, error)
    start = layout.start(reservation)
    retry = layout.retry(reservation, 2.0, error)
    commands: dict[str, Sequence[Command]] = {
        "load": [layout.load(reservation.queue, reservation.id)],
        "start": start,
        "complete": complete,
        "retry": retry,
        "requeue": layout.requeue(reservation),
        "archive": archive,
        "put_back": layout.put_back(reservation),
        "start_and_complete": [*start, *complete],
        "start_and_retry": [*start, *retry],
        "start_and_archive": [*start, *archive],
    }
    return list(commands[name])


MOVES = (
    *("load", "start", "complete", "retry", "requeue", "archive", "put_back"),
    *("start_and_complete", "start_and_retry", "start_and_archive"),
)


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
@pytest.mark.parametrize("name", MOVES)
@given(
    queue=QUEUE_NAMES,
    task_ids=TASK_IDS,
    result=RESULTS,
    error=ERRORS,
    moments_s=st.lists(st.integers(10**9, 10**10 - 1), min_size=1, max_size=3),
    has_messages=st.booleans(),
)
def test_a_move_is_what_the_plain_encoder_makes_of_its_commands(
    layout: Layout,
    name: str,
    queue: str,
    task_ids: list[str],
    result: bytes | None,
    error: str,
    moments_s: list[int],
    has_messages: bool,
) -> None:
    """Task by task, at any moment, for ids of our own length and of any other."""
    step: Transition = getattr(Transitions(layout, queue, result, error, 2.0), name)
    for now_s in moments_s:
        messages = [
            codec.encode(Task(task_id, queue, b"{}")) if has_messages else b""
            for task_id in task_ids
        ]
        names = [task_id.encode() for task_id in task_ids]
        arguments = (names, now_s, messages if has_messages else ())
        commands = [
            command
            for task_id, message in zip(task_ids, messages, strict=True)
            for command in plain(
                layout, name, Reservation(queue, task_id, now_s, message), result, error
            )
        ]
        assert step.render(*arguments) == resp.encode(commands)
        assert step.singly(*arguments) == [resp.encode([command]) for command in commands]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize("task_id", [ids.format_id(TaskId(1, 2, 3)), "my-task-id"])
def test_a_move_has_as_many_replies_as_commands(layout: Layout, name: str, task_id: str) -> None:
    step: Transition = getattr(Transitions(layout, "inference_high", b"{}", "no", 2.0), name)
    commands = plain(layout, name, Reservation("inference_high", task_id), b"{}", "no")
    assert list(step.commands(task_id.encode())) == commands
    assert step.singly([task_id.encode()]) == [resp.encode([command]) for command in commands]
    assert step.replies_per_task == len(commands)


def test_every_move_is_tested() -> None:
    assert set(vars(Transitions(RUNQY, "inference_high", None, "", 1.0))) == set(MOVES)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
@pytest.mark.parametrize("name", MOVES)
def test_a_time_that_a_move_stores_is_that_of_each_call(layout: Layout, name: str) -> None:
    """However often the second changes: templates are laid out for one second."""
    step: Transition = getattr(Transitions(layout, "inference_high", b"{}", "no", 2.0), name)
    task_id = ids.format_id(TaskId(1, 2, 3))
    for now_s in (1_800_000_000, 1_800_000_001, 1_800_000_001, 1_799_999_999):
        commands = plain(layout, name, Reservation("inference_high", task_id, now_s), b"{}", "no")
        assert step.singly([task_id.encode()], now_s) == [resp.encode([each]) for each in commands]
        assert step.render([task_id.encode()], now_s) == resp.encode(commands)


def test_no_tasks_are_no_bytes() -> None:
    step = Transitions(RUNQY, "inference_high", None, "", 1.0).start
    assert (step.render([]), step.singly([])) == (b"", [])
