"""The words of ``bench verify`` that its other tests do not bring about."""

import pytest
from msgspec.structs import replace
from rich.text import Text

from bench.reports.verify import render
from bench.verify.verification import KeyRow, Verification

ANSWER = Verification(
    layout="asynq",
    address="redis://host:1/0",
    follows=True,
    ids=5,
    looked_at=5,
    wrong=0,
    moved_on=0,
    places=[KeyRow(queue="a", place="pending", ids=5, looked_at=5, wrong=0)],
    findings=[],
    notes=[],
)


def texts(answer: Verification) -> list[str]:
    return [part.plain for part in render(answer) if isinstance(part, Text)]


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({}, "follows the asynq layout: 5 tasks checked, none wrong"),
        (
            {"ids": 5000},
            "follows the asynq layout: 5 tasks checked (out of 5,000), none wrong",
        ),
        (
            {"follows": False, "wrong": 2},
            "does not follow the asynq layout: 2 of 5 tasks checked",
        ),
        (
            {"follows": False, "looked_at": 0, "ids": 0},
            "does not follow the asynq layout: 0 tasks checked, and keys of the wrong type",
        ),
        (
            {"follows": False, "looked_at": 1, "ids": 2, "wrong": 1},
            "does not follow the asynq layout: 1 of 1 task checked (out of 2)",
        ),
    ],
)
def test_the_first_line_is_the_answer(changes: dict[str, object], first: str) -> None:
    assert texts(replace(ANSWER, **changes))[0] == first


def test_ids_that_moved_on_are_reported_last() -> None:
    answer = replace(ANSWER, moved_on=1, notes=["a note"])
    assert texts(answer)[-2:] == [
        "a note",
        "1 id looked wrong at first, but had moved on or was correct when checked again",
    ]
