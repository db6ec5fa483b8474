"""The error tree and the exit codes that scripts rely on."""

import inspect

import pytest

from bench import errors
from bench.errors import (
    BenchError,
    ExitCode,
    InternalError,
    MeasurementError,
    NoResult,
    NothingToVerify,
    RecordError,
    RunAborted,
    ScenarioError,
    ServerUnreachable,
    TaskNotFound,
    UsageError,
    error_of_process,
    nearest,
)

EXIT_CODES: list[tuple[type[BenchError], int]] = [
    (BenchError, 4),
    (UsageError, 2),
    (ScenarioError, 2),
    (RecordError, 2),
    (TaskNotFound, 2),
    (NoResult, 3),
    (NothingToVerify, 3),
    (ServerUnreachable, 6),
    (MeasurementError, 4),
    (RunAborted, 7),
    (InternalError, 70),
]


@pytest.mark.parametrize(("error", "code"), EXIT_CODES)
def test_each_error_ends_in_its_exit_code(error: type[BenchError], code: int) -> None:
    assert error("reason").exit_code == code
    assert str(error("reason")) == "reason"


def test_the_table_above_holds_every_error() -> None:
    defined = {
        value
        for value in vars(errors).values()
        if inspect.isclass(value) and issubclass(value, Exception)
    }
    assert defined == {error for error, _ in EXIT_CODES}


@pytest.mark.parametrize(
    ("error", "parent"),
    [
        (UsageError, BenchError),
        (ScenarioError, UsageError),
        (RecordError, BenchError),
        (ServerUnreachable, BenchError),
        (MeasurementError, BenchError),
    ],
)
def test_the_tree_is_the_documented_one(error: type[BenchError], parent: type[BenchError]) -> None:
    assert error.__bases__ == (parent,)


def test_exit_codes_keep_their_numbers() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "PASSED": 0,
        "REGRESSION": 1,
        "USAGE": 2,
        "INCONCLUSIVE": 3,
        "INVALID": 4,
        "SLO_MISSED": 5,
        "UNREACHABLE": 6,
        "ABORTED": 7,
        "INTERNAL": 70,
        "INTERRUPTED": 130,
    }


@pytest.mark.parametrize(("error", "code"), EXIT_CODES)
def test_no_error_exits_as_success(error: type[BenchError], code: int) -> None:
    assert error.exit_code == code != ExitCode.PASSED


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("rat", ": did you mean 'rate'?"),
        ("worker", ": did you mean 'workers'?"),
        ("xyzzy", ""),
        ("", ""),
    ],
)
def test_the_nearest_name_is_offered_when_there_is_one(name: str, hint: str) -> None:
    assert nearest(name, ["rate", "workers", "duration"]) == hint


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        ("", "Locust printed nothing and ended with exit code 6"),
        ("bench: first\nbench: no server\nafter it\n", "no server"),
        ("Traceback\nValueError: x\n", "ValueError: x"),
    ],
)
def test_the_error_of_a_process_is_its_last_message(printed: str, message: str) -> None:
    error = error_of_process(6, printed, "Locust")
    assert (type(error), str(error)) == (ServerUnreachable, message)
