"""The clock of a Locust process, which may be on another host than the run."""

from dataclasses import replace

import pytest

from bench.clock import Offset, host_identity
from bench.ipc.messages import StartProducer
from bench.locust.messages import Assignment
from bench.locust.phases import Assigned, assign, note_clock
from bench.measure.reports import ProducerReport
from bench.redisio import clock_sync
from bench.redisio.embedded import EmbeddedServer
from tests.run.values import scenario

RUN_OFFSET_US = 9_000_000
OTHER_HOST = "another boot"


class Mapped:
    """A process that was assigned; its clock is mapped with these results, one after another."""

    def __init__(
        self, url: str, monkeypatch: pytest.MonkeyPatch, offsets: list[Offset], *host: object
    ) -> None:
        monkeypatch.setattr(clock_sync, "measure_offset", lambda _: offsets.pop(0))
        start = StartProducer(url, scenario(), 1, 0, RUN_OFFSET_US)
        self.assigned: Assigned = assign(Assignment(start, *host), None)  # type: ignore[arg-type]
        self.report = ProducerReport(number=0)
        note_clock(self.report, self.assigned)

    @property
    def figures(self) -> tuple[int, float, int | None, float, bool]:
        """The offset that its stamps have, and what the report says of it."""
        report = self.report
        return (
            self.assigned.clock.offset_us,
            report.clock_error_us,
            report.clock_offset_us,
            report.clock_offset_error_us,
            report.shares_clock,
        )


def test_on_another_host_the_clock_is_mapped_and_its_drift_is_in_the_bound_of_the_error(
    embedded: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    offsets = [Offset(40, 30.0), Offset(100, 25.0)]
    mapped = Mapped(embedded.url, monkeypatch, offsets, OTHER_HOST)
    assert mapped.figures == (40, 85.0, 100, 25.0, False)


def test_on_the_run_s_host_its_clock_is_used_and_the_own_mapping_is_reported_as_well(
    embedded: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run compares it: a copy of a machine looks like the same host, and has another clock."""
    offsets = [Offset(8_000_000, 30.0), Offset(8_000_001, 25.0)]
    mapped = Mapped(embedded.url, monkeypatch, offsets, host_identity())
    assert mapped.figures == (RUN_OFFSET_US, 0.0, 8_000_001, 25.0, True)


def test_in_the_run_s_own_process_nothing_is_mapped(
    embedded: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a host has no identity to compare."""
    mapped = Mapped(embedded.url, monkeypatch, [], "", True)
    assert mapped.figures == (RUN_OFFSET_US, 0.0, None, 0.0, True)


def test_a_server_that_is_gone_at_the_end_leaves_the_first_mapping(
    embedded: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    offsets = [Offset(40, 30.0), Offset(40, 30.0)]
    mapped = Mapped(embedded.url, monkeypatch, offsets, OTHER_HOST)
    report = ProducerReport(number=0)
    note_clock(report, replace(mapped.assigned, url="redis://127.0.0.1:1/0"))
    assert (report.clock_offset_us, report.clock_error_us) == (40, 30.0)
