"""What a scenario says about itself, and how changes go on top of one."""

import math
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.workload.override import override
from bench.workload.scenario import Scenario
from bench.workload.schedule import RateStage

QUEUES = {"inference_default": 1.0}
RAMP = (RateStage(20, 200, 10_000), RateStage(10, 10_000, 10_000))


@pytest.mark.parametrize(
    ("scenario", "planned_s", "asked_per_s"),
    [
        (Scenario(queues=QUEUES, rate_per_s=1000, duration_s=5), 5, 1000),
        (Scenario(queues=QUEUES, rate_per_s=1000, tasks=500), 0.5, 1000),
        (Scenario(queues=QUEUES, rate_per_s=1000, tasks=500, duration_s=5), 0.5, 1000),
        (Scenario(queues=QUEUES, rate_per_s=1000, tasks=9000, duration_s=5), 5, 1000),
        (Scenario(queues=QUEUES, stages=RAMP), 30, (102_000 + 100_000) / 30),
        (Scenario(queues=QUEUES, arrivals="max", tasks=500), None, None),
        (Scenario(queues=QUEUES, arrivals="max", duration_s=15), 15, None),
    ],
)
def test_a_scenario_knows_how_long_it_will_enqueue_and_how_fast(
    scenario: Scenario, planned_s: float | None, asked_per_s: float | None
) -> None:
    assert scenario.planned_duration_s == planned_s
    assert scenario.asked_per_s == asked_per_s


@pytest.mark.parametrize(
    ("scenario", "duration_s", "total"),
    [
        (Scenario(queues=QUEUES, rate_per_s=1000, duration_s=5), 5, 5000),
        (Scenario(queues=QUEUES, rate_per_s=1000, tasks=500), math.inf, math.inf),
        (Scenario(queues=QUEUES, stages=RAMP), 30, 202_000),
    ],
)
def test_the_profile_is_that_of_the_rate_or_of_the_stages(
    scenario: Scenario, duration_s: float, total: float
) -> None:
    assert scenario.profile.duration_s == duration_s
    assert scenario.profile.total == pytest.approx(total)


def test_a_closed_loop_has_no_profile() -> None:
    with pytest.raises(ValueError, match="a closed loop has no rate profile"):
        _ = Scenario(queues=QUEUES, arrivals="max", tasks=5).profile


@pytest.mark.parametrize(
    ("scenario", "closed"),
    [
        (Scenario(queues=QUEUES, arrivals="max"), True),
        (Scenario(queues=QUEUES, arrivals="constant"), False),
        (Scenario(queues=QUEUES, arrivals="poisson"), False),
    ],
)
def test_only_arrivals_max_is_a_closed_loop(scenario: Scenario, closed: bool) -> None:
    assert scenario.is_closed_loop == closed


@pytest.mark.parametrize(
    ("workers", "external", "expected"),
    [(1, False, True), (0, True, True), (2, True, True), (0, False, False)],
)
def test_workers_are_our_own_or_somebody_elses(
    workers: int, external: bool, expected: bool
) -> None:
    scenario = Scenario(queues=QUEUES, workers=workers, external_workers=external)
    assert scenario.has_workers == expected


def test_a_scenario_cannot_be_changed() -> None:
    scenario = Scenario(queues=QUEUES)
    with pytest.raises(AttributeError):
        scenario.seed = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("base", "changes", "merged"),
    [
        ({"rate": 1, "seed": 1}, {}, {"rate": 1, "seed": 1}),
        ({"rate": 1, "seed": 1}, {"seed": 2}, {"rate": 1, "seed": 2}),
        ({"rate": 1}, {"workers": 2}, {"rate": 1, "workers": 2}),
        ({"stages": "5s@1/s"}, {"rate": 2}, {"rate": 2}),
        ({"rate": 1, "duration": 5}, {"stages": "5s@1/s"}, {"stages": "5s@1/s"}),
        ({"rate": 1, "tasks": 5}, {"stages": "5s@1/s"}, {"stages": "5s@1/s"}),
        ({"arrivals": "max", "tasks": 5}, {"stages": "5s@1/s"}, {"stages": "5s@1/s"}),
        ({"rate": 1, "duration": 5}, {"tasks": 9}, {"rate": 1, "tasks": 9}),
        ({"rate": 1, "tasks": 9}, {"duration": 5}, {"rate": 1, "duration": 5}),
        ({"stages": "5s@1/s"}, {"duration": 5, "rate": 3}, {"duration": 5, "rate": 3}),
        ({"stages": "5s@1/s"}, {"tasks": 9}, {"stages": "5s@1/s", "tasks": 9}),
        (
            {"rate": 1, "duration": 5},
            {"tasks": 9, "duration": 6},
            {"rate": 1, "tasks": 9, "duration": 6},
        ),
        ({"arrivals": "max", "tasks": 9}, {"rate": 7}, {"tasks": 9, "rate": 7}),
        (
            {"arrivals": "max", "tasks": 9},
            {"rate": "max"},
            {"tasks": 9, "rate": "max"},
        ),
        ({"arrivals": "poisson", "rate": 1}, {"rate": "max"}, {"rate": "max"}),
        ({"rate": "max", "max_backlog": 5}, {"rate": 7}, {"rate": 7}),
        ({"arrivals": "max", "max_backlog": 5}, {"rate": 7}, {"rate": 7}),
        ({"rate": "max", "max_backlog": 5}, {"rate": "max"}, {"rate": "max", "max_backlog": 5}),
        (
            {"rate": "max", "max_backlog": 5},
            {"rate": 7, "max_backlog": 6},
            {"rate": 7, "max_backlog": 6},
        ),
        (
            {"arrivals": "max"},
            {"rate": 7, "arrivals": "poisson"},
            {"rate": 7, "arrivals": "poisson"},
        ),
        ({"rate": 1, "duration": 5}, {"arrivals": "max"}, {"duration": 5, "arrivals": "max"}),
        (
            {"rate": 1},
            {"arrivals": "max", "rate": "max"},
            {"arrivals": "max", "rate": "max"},
        ),
        ({"rate": 1}, {"arrivals": "poisson"}, {"rate": 1, "arrivals": "poisson"}),
        (
            {"arrivals": "poisson", "rate": 1},
            {"rate": 7},
            {"arrivals": "poisson", "rate": 7},
        ),
        ({"payload_size": 64}, {"payload_file": "x"}, {"payload_file": "x"}),
        ({"payload_file": "x"}, {"payload_size": 64}, {"payload_size": 64}),
    ],
)
def test_a_change_also_takes_away_what_it_contradicts(
    base: dict[str, object], changes: dict[str, object], merged: dict[str, object]
) -> None:
    assert override(MappingProxyType(base), MappingProxyType(changes)) == merged


FIELDS: st.SearchStrategy[dict[str, object]] = st.dictionaries(
    st.sampled_from(
        ["rate", "stages", "duration", "tasks", "arrivals", "payload_size", "payload_file", "seed"]
    ),
    st.integers(1, 9),
)


@given(base=FIELDS, changes=FIELDS)
def test_every_change_is_in_the_result_and_nothing_is_invented(
    base: dict[str, object], changes: dict[str, object]
) -> None:
    merged = override(base, changes)
    assert {name: merged[name] for name in changes} == changes
    rest = {name: value for name, value in merged.items() if name not in changes}
    assert rest.items() <= base.items()


@given(base=FIELDS, changes=FIELDS)
def test_the_same_changes_twice_are_the_same_as_once(
    base: dict[str, object], changes: dict[str, object]
) -> None:
    once = override(base, changes)
    assert override(once, changes) == once
