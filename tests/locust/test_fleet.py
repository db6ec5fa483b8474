"""Locust's processes as the run sees them: which of their reports are taken."""

from typing import Any

import pytest

from bench.clock import host_identity
from bench.ipc.messages import Begin, StartProducer
from bench.locust.fleet import LOCAL, LocustProcess
from bench.locust.messages import Ack, Assignment, CoordinatorMessage
from bench.measure.reports import ProducerReport
from bench.measure.window import TimeLine
from tests.run.values import LINE, producer, scenario

LEFT_OUT = "a report of producer 0, Locust's client, was left out, because "


class Process(LocustProcess):
    """A process that was assigned as producer 0 and has begun, and what was posted to it."""

    def __init__(self, client: str = "client", line: TimeLine | None = LINE, **fields: Any) -> None:
        self.posted: list[CoordinatorMessage] = []
        super().__init__(client, self.posted.append, 1, host_identity(), name="producer 0")
        self.send(StartProducer("redis://h", scenario(**fields), 1, 0, 0))
        if line is not None:
            self.send(Begin(line))


def test_a_report_that_agrees_with_itself_is_taken_and_acknowledged() -> None:
    process = Process()
    final = producer()
    process.receive_message(final)
    assert process.report is final
    assert process.is_done
    assert process.exit_reason() is None
    assert process.posted[-1].message == Ack()


def test_a_report_that_cannot_be_the_producer_s_makes_the_run_go_on_without_it() -> None:
    """Whatever it counts, it is in no figure, and the run says so."""
    process = Process()
    light = ProducerReport(number=0, revision=1, due=3, sent=3)
    process.receive_message(light)
    process.receive_message(producer(acknowledged=b"garbage", revision=2))
    assert process.report is light
    assert process.is_done
    reason = process.exit_reason() or ""
    assert reason.startswith(f"{LEFT_OUT}not a set of numbers: ")
    assert not any(isinstance(each.message, Ack) for each in process.posted)


@pytest.mark.parametrize(("fields", "count"), [({"tasks": 99}, 100), ({}, 10**9)])
def test_no_report_counts_more_tasks_than_the_run_has_or_a_process_can_send(
    fields: dict[str, Any], count: int
) -> None:
    process = Process(**fields)
    process.receive_message(ProducerReport(number=0, revision=1, due=count, sent=count))
    assert process.report is None
    assert (process.exit_reason() or "").startswith(f"{LEFT_OUT}it counts {count:,} tasks")


def test_a_report_before_the_run_begins_is_left_out() -> None:
    process = Process(line=None)
    process.receive_message(ProducerReport(number=0, revision=1))
    assert (process.exit_reason() or "").startswith(f"{LEFT_OUT}the run had not begun")


def test_only_locusts_single_process_is_told_that_its_clock_is_the_run_s() -> None:
    for client in ("client", LOCAL):
        (assignment, *_) = [each.message for each in Process(client).posted]
        assert isinstance(assignment, Assignment)
        assert assignment.host == host_identity()
        assert assignment.is_same_process == (client == LOCAL)
