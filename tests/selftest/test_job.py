"""The order of the steps, and what is saved however they end."""

import shutil
from pathlib import Path

import pytest

from bench.errors import MeasurementError, ServerUnreachable, UsageError
from bench.jobs.runs import RunInterrupted
from bench.records import selftest_record
from bench.records.selftest_record import SelftestRecord
from bench.redisio import embedded
from bench.selftest import job
from bench.selftest.plan import QUICK
from bench.selftest.steps import Setting
from tests.records.selftest_fixtures import good

EMPTY = SelftestRecord(started_at="2026-01-12T09:30:00+00:00", command="bench selftest")


def first(_: Setting) -> SelftestRecord:
    return SelftestRecord(started_at="", command="", counts=good().counts[:1])


def second(_: Setting) -> SelftestRecord:
    return SelftestRecord(started_at="", command="", counts=good().counts[1:])


def failing(_: Setting) -> SelftestRecord:
    raise MeasurementError("the run could not begin")


def refused(_: Setting) -> SelftestRecord:
    raise UsageError("there is no place")


def interrupted(_: Setting) -> SelftestRecord:
    raise RunInterrupted


def test_what_each_step_finds_is_joined_and_saved(tmp_path: Path) -> None:
    path, seen = tmp_path / "s.json", []
    end = job.measure(
        EMPTY,
        path,
        QUICK,
        lambda: False,
        lambda record, step: seen.append((len(record.steps), step)),
        {"a": first, "b": failing, "c": second},
    )
    assert end.failure is None
    assert end.record.counts == good().counts
    assert [(each.step, each.reason) for each in end.record.problems] == [
        ("b", "the run could not begin")
    ]
    assert end.record.ended == "finished"
    assert selftest_record.load(path) == end.record
    assert seen == [(0, "a"), (1, "b"), (2, "c"), (3, None)]


@pytest.mark.parametrize("step", [interrupted, refused])
def test_what_was_found_before_an_early_end_is_kept(tmp_path: Path, step: job.Step) -> None:
    path = tmp_path / "s.json"
    end = job.measure(
        *(EMPTY, path, QUICK, lambda: False, lambda *_: None),
        {"a": first, "b": step, "c": second},
    )
    found = selftest_record.load(path)
    assert found.counts == good().counts[:1]
    assert found.steps == ["a"]
    assert (found.ended, end.failure is None) == (
        ("interrupted", True) if step is interrupted else ("failed", False)
    )


def test_no_step_begins_once_the_end_was_asked_for(tmp_path: Path) -> None:
    end = job.measure(
        EMPTY, tmp_path / "s.json", QUICK, lambda: True, lambda *_: None, {"a": failing}
    )
    assert (end.record.ended, end.record.steps, end.record.problems) == ("interrupted", [], [])


def test_a_step_that_the_interrupt_broke_was_not_carried_out(tmp_path: Path) -> None:
    asked: list[bool] = []

    def broken(_: Setting) -> SelftestRecord:
        asked.append(True)
        raise MeasurementError("the stand-in for a worker did not start")

    end = job.measure(
        *(EMPTY, tmp_path / "s.json", QUICK, lambda: bool(asked), lambda *_: None), {"a": broken}
    )
    assert (end.record.ended, end.record.steps, end.record.problems) == ("interrupted", [], [])
    assert end.failure is None


@pytest.mark.parametrize("is_asked", [True, False])
def test_a_server_that_does_not_start_is_a_failure_unless_the_end_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_asked: bool
) -> None:
    """Ctrl-C ends a server that is only just being started."""
    monkeypatch.setattr(embedded, "find_binary", lambda _: shutil.which("false"))
    path = tmp_path / "s.json"
    end = job.measure(EMPTY, path, QUICK, lambda: is_asked, lambda *_: None, {"a": first})
    assert isinstance(end.failure, ServerUnreachable) is not is_asked
    assert end.record.ended == ("interrupted" if is_asked else "failed")
    assert selftest_record.load(path) == end.record
