"""A worker's commands from templates, against the plain encoder."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.wire import ids, resp
from bench.wire.ids import TaskId
from bench.wire.layout import RUNQY, Command
from bench.wire.steps import Step, Steps

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


def plain(name: str, queue: str, task_id: str, result: bytes | None, error: str) -> list[Command]:
    """The commands of one move, as the layout gives them."""
    complete = RUNQY.complete(queue, task_id, result)
    archive = RUNQY.archive(queue, task_id, error)
    start = RUNQY.start(queue, task_id)
    retry = RUNQY.retry(queue, task_id)
    commands: dict[str, Sequence[Command]] = {
        "load": [RUNQY.load(queue, task_id)],
        "start": start,
        "complete": complete,
        "retry": retry,
        "requeue": RUNQY.requeue(queue, task_id),
        "archive": archive,
        "put_back": RUNQY.put_back(queue, task_id),
        "start_and_complete": [*start, *complete],
        "start_and_retry": [*start, *retry],
        "start_and_archive": [*start, *archive],
    }
    return list(commands[name])


MOVES = (
    *("load", "start", "complete", "retry", "requeue", "archive", "put_back"),
    *("start_and_complete", "start_and_retry", "start_and_archive"),
)


@pytest.mark.parametrize("name", MOVES)
@given(queue=QUEUE_NAMES, task_ids=TASK_IDS, result=RESULTS, error=ERRORS)
def test_a_move_is_what_the_plain_encoder_makes_of_its_commands(
    name: str, queue: str, task_ids: list[str], result: bytes | None, error: str
) -> None:
    """Task by task, for ids of our own length and of any other."""
    step: Step = getattr(Steps(RUNQY, queue, result, error), name)
    rendered = step.render([task_id.encode() for task_id in task_ids])
    commands = [
        command for task_id in task_ids for command in plain(name, queue, task_id, result, error)
    ]
    assert rendered == resp.encode(commands)


@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize("task_id", [ids.format_id(TaskId(1, 2, 3)), "my-task-id"])
def test_a_move_has_as_many_replies_as_commands(name: str, task_id: str) -> None:
    step: Step = getattr(Steps(RUNQY, "inference_high", b"{}", "no"), name)
    commands = plain(name, "inference_high", task_id, b"{}", "no")
    assert list(step.commands(task_id.encode())) == commands
    assert step.replies_per_task == len(commands)


def test_every_move_is_tested() -> None:
    assert set(vars(Steps(RUNQY, "inference_high", None, ""))) == set(MOVES)


def test_no_tasks_are_no_bytes() -> None:
    assert Steps(RUNQY, "inference_high", None, "").start.render([]) == b""
