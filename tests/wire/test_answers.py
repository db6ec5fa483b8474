"""Which tasks replies answer, against a plain list of commands."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.wire.answers import Answered, Answers
from bench.wire.replies import Replies

GROUPS = st.lists(st.integers(1, 6), min_size=1, max_size=6)
CUTS = st.lists(st.integers(0, 12), max_size=40)


@dataclass
class Model:
    """The commands of groups of tasks, as (task, answers it)."""

    commands: list[tuple[int, bool]]
    """(task, whether the reply answers it) for each command."""

    @classmethod
    def of(cls, groups: Sequence[int], per_task: int, by_command: bool) -> "Model":
        commands, first = [], 0
        for size in groups:
            tasks = range(first, first + size)
            places = range(per_task)
            pairs = (
                [(task, place) for place in places for task in tasks]
                if by_command
                else [(task, place) for task in tasks for place in places]
            )
            commands += [(task, place == per_task - 1) for task, place in pairs]
            first += size
        return cls(commands)


@given(
    groups=GROUPS,
    per_task=st.integers(1, 4),
    by_command=st.booleans(),
    cuts=CUTS,
    wrong=st.sets(st.integers(0, 140)),
)
def test_a_task_is_answered_by_its_last_command_and_refused_by_any_wherever_the_stream_is_cut(
    groups: list[int], per_task: int, by_command: bool, cuts: list[int], wrong: set[int]
) -> None:
    model = Model.of(groups, per_task, by_command).commands
    answers = Answers(per_task, by_command)
    for size in groups:
        answers.expect(size)
    bad = {model[at][0] for at in wrong if at < len(model)}
    answered, refused, at = 0, [], 0
    for cut in [*cuts, len(model)]:
        end = min(at + cut, len(model))
        errors = [(index - at, "no") for index in sorted(wrong) if at <= index < end]
        got = answers.take(Replies(end - at, errors))
        refused += [answered + index for index in got.refused]
        answered += got.tasks
        assert answered == sum(is_answer for _, is_answer in model[:end])
        assert answers.missing == len(model) - end
        if end > at:
            assert got.ends_with_task is model[end - 1][1]
        at = end
    assert answered == sum(groups)
    assert refused == sorted(bad)


@pytest.mark.parametrize(
    ("by_command", "expected"),
    [
        (False, Answered(2, [0, 1], False)),  # HSET (refused) LPUSH, HSET LPUSH (refused), HSET
        (True, Answered(2, [0], True)),  # HSET (refused), two HSETs, LPUSH (refused), LPUSH
    ],
)
def test_an_error_hits_the_task_that_it_answers(by_command: bool, expected: Answered) -> None:
    answers = Answers(2, by_command)
    answers.expect(3)
    assert answers.take(Replies(5, [(0, "no"), (3, "no")])) == expected


@pytest.mark.parametrize("by_command", [False, True])
def test_a_reply_to_nothing_is_refused(by_command: bool) -> None:
    answers = Answers(2, by_command)
    answers.expect(1)
    with pytest.raises(ValueError, match="1 replies to no command"):
        answers.take(Replies(3))
