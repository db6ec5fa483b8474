"""Plans: from a record alone, and never more than it can say."""

import msgspec
import pytest

from bench.analysis.capacity.plan import make_plan
from bench.analysis.capacity.plan_request import PlanRequest
from bench.errors import UsageError
from tests.records.capacity_fixtures import broken, capacity_of, found


def request(**values: object) -> PlanRequest:
    return PlanRequest(**{"rate_per_s": 1000.0, "headroom": 0.3, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize("rate", [100.0, 400.0, 1000.0, 2000.0])
def test_the_fewest_workers_that_leave_the_headroom(rate: float) -> None:
    plan = make_plan(found(), request(rate_per_s=rate))
    assert plan.chosen is not None
    assert plan.chosen.headroom >= 0.3
    assert capacity_of(plan.chosen.units) * 0.7 >= rate
    fewer = [option for option in plan.options if option.units < plan.chosen.units]
    assert all(option.rejected for option in fewer)


def test_what_was_measured_is_taken_before_what_is_modelled() -> None:
    plan = make_plan(found(), request())
    basis = {option.units: option.basis for option in plan.options}
    assert all(basis[level.units] == "measured" for level in found().levels)
    assert basis[3] == basis[5] == "modelled"
    assert max(basis) == 12


def test_a_law_reaches_to_twice_the_largest_level_and_says_where_it_was_not_measured() -> None:
    fitted = [level for level in found().levels if not level.is_held_out]
    plan = make_plan(msgspec.structs.replace(found(), levels=fitted), request(rate_per_s=2100.0))
    basis = {option.units: option.basis for option in plan.options}
    assert {basis[number] for number in (9, 12, 16)} == {"extrapolated"}
    assert max(basis) == 16
    assert plan.chosen is not None
    assert plan.chosen.units > 8
    (note,) = [each for each in plan.notes if "extrapolated" in each]
    assert "beyond the largest measured number, 8 (low end of its interval)" in note
    assert (
        f"measure it: bench capacity capacity --service-time=2ms --slots={plan.chosen.units}"
        in note
    )


def test_a_rejected_law_plans_with_measured_levels_only() -> None:
    plan = make_plan(broken(), request(rate_per_s=300.0))
    assert {option.basis for option in plan.options} == {"measured"}
    assert any("rejected by a check" in note for note in plan.notes)


def test_a_rate_beyond_all_is_said_to_be_so() -> None:
    plan = make_plan(found(), request(rate_per_s=50_000.0))
    assert plan.chosen is None
    assert any("no measured or modelled number of slots sustains 50,000/s" in n for n in plan.notes)
    assert plan.drain_s is None


def test_queues_are_placed_on_servers_that_keep_the_headroom() -> None:
    """A core of Redis is full at 25,000/s, and 30% are to stay free: 17,500/s for each server."""
    plan = make_plan(found(), request(rate_per_s=50_000.0))
    assert plan.placement is not None
    assert plan.placement.least_servers == 3
    assert [split.queue for split in plan.placement.splits] == ["inference_default"]
    assert plan.shards == len(plan.placement.servers) == 4  # four queues of 12,500/s
    assert plan.server_share == pytest.approx(0.5)
    assert any(note.startswith("3 servers sustain the load if") for note in plan.notes)


def test_the_placement_is_for_the_mix_that_is_asked_for() -> None:
    plan = make_plan(found(), request(rate_per_s=24_000.0, mix={"high": 1, "low": 3}))
    assert plan.placement is not None
    queues = [[queue.name for queue in server.queues] for server in plan.placement.servers]
    assert queues == [["low_1", "high"], ["low_2"]]
    assert plan.server_share == pytest.approx(24_000 * 0.625 / 25_000)


def test_a_record_without_the_load_of_a_server_places_nothing() -> None:
    unknown = msgspec.structs.replace(found(), redis=None)
    plan = make_plan(unknown, request(keep_s=60.0, memory_bytes=10**9))
    assert (plan.placement, plan.shards, plan.server_share) == (None, None, None)
    assert plan.memory_full_at is None
    assert plan.memory.kept_tasks == 60_000
    assert any("add --kept-bytes" in note for note in plan.notes)


def test_kept_tasks_leave_less_memory_for_queued_ones() -> None:
    plan = make_plan(found(), request(memory_bytes=4_000_000_000, keep_s=3_600.0))
    assert plan.memory.kept_tasks == 3_600_000
    assert plan.memory.kept_bytes == 3_600_000 * 400
    assert plan.memory_full_at == 6_400_000
    assert any("counted like a queued one, 400 B" in note for note in plan.notes)
    larger = make_plan(found(), request(memory_bytes=4_000_000_000, keep_s=3_600.0, kept_bytes=800))
    assert larger.memory_full_at == 2_800_000
    assert not any("counted like a queued one" in note for note in larger.notes)


@pytest.mark.parametrize(("keep_s", "is_said"), [(None, True), (0.0, False), (3_600.0, False)])
def test_stored_results_that_are_not_counted_are_said_to_be_so(
    keep_s: float | None, is_said: bool
) -> None:
    scenario = msgspec.structs.replace(found().scenario, store_results=True)
    storing = msgspec.structs.replace(found(), scenario=scenario)
    notes = make_plan(storing, request(keep_s=keep_s)).notes
    assert any("such as --keep 24h" in note for note in notes) == is_said
    assert not any("--keep" in note for note in make_plan(found(), request()).notes)


def test_a_backlog_drains_with_what_the_rate_leaves() -> None:
    plan = make_plan(found(), request(rate_per_s=400.0, backlog=100_000))
    assert plan.chosen is not None
    assert plan.chosen.units == 2
    saturation = capacity_of(2) * 1.05
    assert plan.drain_s == pytest.approx(100_000 / (saturation - 400))
    assert plan.drain_idle_s == pytest.approx(100_000 / saturation)


def test_memory_is_full_when_nobody_serves_for_long_enough() -> None:
    plan = make_plan(found(), request(memory_bytes=4_000_000_000))
    assert plan.memory_full_at == 10_000_000
    assert plan.memory_full_s == pytest.approx(10_000)
    assert make_plan(found(), request()).memory_full_at is None


def test_slower_tasks_need_more_workers() -> None:
    service = found().service
    assert service is not None
    slower = make_plan(found(), request(service_s=service.mean_s * 2))
    as_it_is = make_plan(found(), request())
    assert slower.chosen is None or (
        as_it_is.chosen is not None and slower.chosen.units > as_it_is.chosen.units
    )
    assert "measured" not in {option.basis for option in slower.options}
    assert any("service time is hypothetical" in note for note in slower.notes)


def test_the_first_in_line_wait_the_least() -> None:
    checked = msgspec.structs.replace(
        found(), predictions=[each for each in found().predictions if each.what == "capacity"]
    )
    plan = make_plan(checked, request(rate_per_s=1300.0, mix={"high": 1, "default": 2, "low": 1}))
    assert list(plan.waits_s) == ["high", "default", "low"]
    assert list(plan.waits_s.values()) == sorted(plan.waits_s.values())


def test_an_objective_that_was_not_searched_for_is_refused() -> None:
    with pytest.raises(UsageError, match="is not an objective of the search"):
        make_plan(found(), request(slo=("e2e.p99 < 10ms",)))
    make_plan(found(), request(slo=("e2e.p99<0.05s",)))


def test_the_first_bottleneck_is_named() -> None:
    assert make_plan(found(), request(rate_per_s=400.0)).first_bottleneck.startswith(
        "the workers, at "
    )
    redis = found().redis
    assert redis is not None
    slow_server = msgspec.structs.replace(
        found(), redis=msgspec.structs.replace(redis, ceiling_per_s=600.0)
    )
    assert make_plan(slow_server, request(rate_per_s=400.0)).first_bottleneck == "Redis, at 600/s"
    full = request(rate_per_s=400.0, keep_s=3600.0, kept_bytes=1_000, memory_bytes=10**9)
    assert make_plan(found(), full).first_bottleneck == "the memory for kept tasks, at 278/s"
