"""Each step on a real server: what is planted is found, and a wrong measurement is found out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from bench.analysis.selftest import disagreements
from bench.jobs import runs
from bench.records.run_record import RunRecord
from bench.records.selftest_record import SelftestRecord
from bench.redisio import embedded as embedded_server
from bench.selftest import steps
from bench.selftest.plan import QUICK, PlannedDelay
from bench.selftest.stand_in import StandInPlan
from bench.selftest.steps import Setting

pytestmark = pytest.mark.slow

TINY = replace(
    QUICK,
    observed_s=(0.02,),
    observed_rate_per_s=100,
    observed_duration_s=0.5,
    served=(PlannedDelay(0.005, 50, 1, 0.5),),
    network_s=(0.0, 0.02),
    network_duration_s=1.2,
    tasks=300,
    drop_every=10,
    drop_wait_s=1.0,
)
Tamper = Callable[[RunRecord], RunRecord]


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Callable[..., Setting]]:
    """``setting(tamper)``: where steps take place, with records that are changed before they are
    compared."""
    with embedded_server.running() as server:

        def made(tamper: Tamper = lambda record: record) -> Setting:
            def make(arguments: Sequence[str], url: str) -> RunRecord:
                options = runs.RunOptions(arguments, tmp_path / "run.json", url)
                return tamper(runs.make(options, lambda: False, lambda: None))

            return Setting(server.url, server.port, tmp_path, make, TINY)

        yield made


def later(interval: str, by: float) -> Tamper:
    """A measurement whose latencies of an interval are too large by a factor."""

    def tamper(record: RunRecord) -> RunRecord:
        queues = {
            queue: msgspec.structs.replace(
                each, p50_s=(each.p50_s or 0.0) * by, p99_s=(each.p99_s or 0.0) * by
            )
            for queue, each in record.latency[interval].items()
        }
        return msgspec.structs.replace(record, latency={**record.latency, interval: queues})

    return tamper


def wrong_intervals(found: SelftestRecord) -> set[str]:
    return {each.interval for each in found.delays if not each.agrees}


def test_the_observer_sees_a_completion_when_it_was(setting: Callable[..., Setting]) -> None:
    found = steps.observed_delays(setting())
    (check,) = found.delays
    assert (check.path, check.planted_s, check.samples) == ("observer", 0.02, 50)
    assert check.agrees
    assert check.compared[0].known_low_s >= 0.02 - check.compared[0].error_s


def test_a_stand_in_that_lies_about_its_delay_fails_the_row(
    setting: Callable[..., Setting],
) -> None:
    """It says that it completed each task half a second earlier than it did."""
    lie = StandInPlan(delays_us={"selftest_lie": 20_000}, misreported_us=500_000)
    found = steps.check_observed(setting(), lie)
    assert wrong_intervals(found) == {"e2e"}
    assert disagreements(found) == 1


def test_a_worker_s_records_are_what_the_server_has_seen(setting: Callable[..., Setting]) -> None:
    found = steps.served_delays(setting())
    assert {each.interval for each in found.delays} == {"queue_wait", "service", "e2e"}
    assert {each.samples for each in found.delays} == {25}
    assert wrong_intervals(found) == set()
    service = next(each for each in found.delays if each.interval == "service")
    assert service.compared[0].measured_low_s >= 0.005


def test_a_recorder_that_is_wrong_in_one_interval_fails_that_row_alone(
    setting: Callable[..., Setting],
) -> None:
    found = steps.served_delays(setting(later("service", 3.0)))
    assert wrong_intervals(found) == {"service"}


def test_a_delay_of_the_network_shows_in_enqueue(setting: Callable[..., Setting]) -> None:
    found = steps.network_delays(setting())
    (check,) = found.delays
    assert check.agrees
    assert check.compared[0].known_low_s >= 0.02
    assert check.compared[0].measured_low_s >= 0.02


def test_an_enqueue_that_leaves_out_the_delay_is_found_out(
    setting: Callable[..., Setting],
) -> None:
    """As a clock would that starts with the reply."""
    found = steps.network_delays(setting(later("enqueue", 0.5)))
    assert wrong_intervals(found) == {"enqueue"}


def test_losses_and_doubles_are_found_to_the_task(setting: Callable[..., Setting]) -> None:
    found = steps.lost_and_doubled(setting())
    assert {each.what: each.measured for each in found.counts} == {
        "lost": TINY.popped + TINY.deleted,
        "duplicated": TINY.doubled,
        "completed": TINY.tasks - TINY.popped - TINY.deleted,
    }
    assert disagreements(found) == 0


def test_a_ledger_that_is_wrong_by_one_task_is_found_out(setting: Callable[..., Setting]) -> None:
    def one_fewer(record: RunRecord) -> RunRecord:
        counts = msgspec.structs.replace(record.counts, duplicated=record.counts.duplicated - 1)
        return msgspec.structs.replace(record, counts=counts)

    found = steps.lost_and_doubled(setting(one_fewer))
    assert [each.what for each in found.counts if not each.agrees] == ["duplicated"]


def test_tasks_that_an_external_worker_drops_are_lost(setting: Callable[..., Setting]) -> None:
    found = steps.dropped(setting())
    planted = {each.what: each.planted for each in found.counts}
    assert planted == {"lost": 10, "completed": 90}
    assert disagreements(found) == 0
