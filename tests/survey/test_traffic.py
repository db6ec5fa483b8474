"""Readings of queues, and the rates that they show."""

import pytest

from bench.survey.observed import QueueReading, SampledTask
from bench.survey.traffic import traffic
from tests.survey.surveys import readings, survey


def test_arrivals_are_what_ended_for_good_and_what_the_queues_gained() -> None:
    seen = traffic(survey())
    # high: 40 attempts, 2 of them failed, and 2 more unfinished; low: 100, 2 failed, of which one
    # was the last attempt, and 7 more unfinished.
    assert seen.arrived == {"a.high": 40 - 2 + 2, "a.low": 100 - 2 + 1 + 7}
    assert (seen.is_lower_bound, seen.watched_s, seen.rate_per_s) == (False, 2.0, 73.0)


def test_where_totals_count_tasks_the_failed_ones_are_tasks_too() -> None:
    seen = traffic(survey("runqy-server"))
    assert seen.arrived == {"a.high": 40 + 2 + 2, "a.low": 100 + 2 + 7}
    assert seen.attempts == 0


def test_the_time_of_an_attempt_is_by_littles_law() -> None:
    seen = traffic(survey())
    mean_active = (6 + 7 + 7) / 3
    assert seen.service_s == pytest.approx(mean_active * 2.0 / 140)
    assert (seen.mean_active, seen.peak_active) == (mean_active, 7)


def test_without_an_end_no_time_is_told() -> None:
    still = {"a.high": QueueReading(3, 2, 0, 5, 0), "a.low": QueueReading(0, 0, 0, 5, 0)}
    seen = traffic(survey(readings=readings(still, still)))
    assert (seen.service_s, seen.total) == (None, 0)


def test_counters_that_went_back_count_nothing() -> None:
    before = {"a.high": QueueReading(0, 0, 0, 900, 9), "a.low": QueueReading(0, 0, 0, 9, 0)}
    after = {"a.high": QueueReading(4, 0, 0, 2, 0), "a.low": QueueReading(0, 0, 0, 9, 0)}
    seen = traffic(survey(readings=readings(before, after)))
    assert seen.arrived == {"a.high": 4, "a.low": 0}


def test_in_a_layout_that_keeps_tasks_new_keys_are_tasks_or_their_results() -> None:
    before = {"a_high": QueueReading(0, 1), "a_low": QueueReading(0, 1)}
    found = survey(
        "runqy",
        tasks=[SampledTask("a_high", 100, has_result=True), SampledTask("a_low", 100)],
        readings=readings(before, before, keys=[1000, 1080]),
    )
    seen = traffic(found)
    assert seen.arrived == {"a_high": 20, "a_low": 20}
    assert seen.service_s == pytest.approx(2 * 1.0 / 40)


def test_what_lists_gain_is_a_lower_bound() -> None:
    before = {"a_high": QueueReading(0, 1), "a_low": QueueReading(9, 1)}
    after = {"a_high": QueueReading(30, 1), "a_low": QueueReading(3, 1)}
    seen = traffic(survey("runqy", readings=readings(before, after, keys=[50, 50])))
    assert seen.arrived == {"a_high": 30, "a_low": 0}
    assert seen.is_lower_bound
