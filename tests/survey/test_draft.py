"""Surveys become scenarios that can be run, with an origin for each value."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.cli.scenarios import SCHEMA_LINES
from bench.errors import UsageError
from bench.survey.draft import draft_of
from bench.survey.drafted import Draft
from bench.survey.next_commands import next_commands
from bench.survey.observed import QueueReading, SampledTask
from bench.survey.toml_text import scenario_of, text_of
from bench.workload.metrics import parse_objective
from tests import golden
from tests.survey.surveys import readings, survey

_COUNTS = st.integers(0, 10**7)
_READING = st.builds(QueueReading, _COUNTS, _COUNTS, _COUNTS, _COUNTS, _COUNTS)
_QUEUES = st.fixed_dictionaries({"a.high": _READING, "a.low": _READING})
_TASK = st.builds(
    SampledTask,
    st.sampled_from(["a.high", "a.low", ""]),
    st.integers(1, 10**9),
    st.none() | st.booleans(),
    st.none() | st.integers(0, 10**9),
    st.none() | st.integers(0, 2**31 - 1),
    st.sampled_from(["pending", "completed", "archived", "x"]),
    st.none() | st.booleans(),
)


def value(draft: Draft, name: str) -> Any:
    return draft.value(name)


def origin(draft: Draft, name: str) -> str:
    return next(each.origin for each in draft.fields if each.name == name)


def test_a_drafted_file_as_a_person_has_read_it() -> None:
    golden.check("init-drafted.toml.txt", text_of(draft_of(survey()), SCHEMA_LINES))


@given(first=_QUEUES, last=_QUEUES, tasks=st.lists(_TASK, max_size=20), layout=st.booleans())
def test_whatever_a_server_shows_becomes_a_scenario_and_commands_that_can_be_used(
    first: Mapping[str, QueueReading],
    last: Mapping[str, QueueReading],
    tasks: list[SampledTask],
    layout: bool,
) -> None:
    name = "asynq" if layout else "runqy-server"
    found = survey(name, readings=readings(dict(first), dict(last)), tasks=tasks)
    scenario = scenario_of(text_of(draft_of(found), SCHEMA_LINES))
    assert set(scenario.queues) == {"a.high", "a.low"}
    # Enough slots for the load, where these are known.
    slots = scenario.workers * scenario.concurrency
    assert isinstance(scenario.rate_per_s, float)
    busy = scenario.rate_per_s * scenario.service_time.mean
    assert slots > min(busy, 256 * 500 - 1)
    capacity = next_commands("my.toml", scenario, url_is_set=False)[1]
    parse_objective(capacity.partition("--slo ")[2].strip("'"))


def test_nothing_seen_is_assumed_and_said() -> None:
    still = {"a.high": QueueReading(processed=0, failed=0), "a.low": QueueReading(processed=0)}
    draft = draft_of(survey(readings=readings(still, still), tasks=[]))
    for name in ("queues", "rate", "payload_size"):
        assert origin(draft, name).startswith("assumed: ")
    assert len(draft.notes) == 2


def test_without_arrivals_the_rate_is_yesterdays_mean() -> None:
    still = {"a.high": QueueReading(processed=5, failed=0), "a.low": QueueReading(processed=5)}
    day = {"a.high": 86_400 * 4, "a.low": 86_400}
    draft = draft_of(survey(readings=readings(still, still), day_ends=day))
    assert (value(draft, "rate"), value(draft, "queues")) == ("5/s", {"a.high": 800, "a.low": 200})


def test_a_rate_below_one_a_second_is_per_hour_and_the_run_longer() -> None:
    before = {"a.high": QueueReading(processed=0, failed=0), "a.low": QueueReading(processed=0)}
    after = {"a.high": QueueReading(1, processed=0, failed=0), "a.low": QueueReading(processed=0)}
    draft = draft_of(survey(readings=readings(before, *[before] * 8, after)))
    assert (value(draft, "rate"), value(draft, "duration")) == ("400/h", "120s")


def test_payloads_that_would_fill_the_memory_lower_the_rate_and_it_is_said() -> None:
    draft = draft_of(survey(tasks=[SampledTask("a.high", 50_000_000)]))
    assert value(draft, "rate") == "1/s"
    assert "lowered from 73.0/s" in origin(draft, "rate")


def test_queues_of_one_parent_are_taken_and_the_others_named() -> None:
    reading = {
        name: QueueReading(waiting)
        for name, waiting in (("a_low", 3), ("a_high", 3), ("b_high", 5), ("c", 9))
    }
    draft = draft_of(survey("runqy", queues=list(reading), readings=readings(reading), tasks=[]))
    assert list(value(draft, "queues")) == ["a_high", "a_low"]
    assert [each.partition(",")[0] for each in draft.notes[:2]] == [
        "left out: c",
        "left out: the queues of b",
    ]


@pytest.mark.parametrize("name", ["x y", "all", "a,b", "a\nb", "{a}"])
def test_names_that_no_scenario_may_have_are_refused_in_one_line(name: str) -> None:
    reading = {name: QueueReading(1)}
    with pytest.raises(UsageError, match="can be used in a scenario"):
        draft_of(survey(queues=[name], readings=readings(reading)))


def test_a_text_of_others_cannot_leave_its_comment() -> None:
    reading = {"ok": QueueReading(1), "a\nrate = 1": QueueReading(1)}
    text = text_of(draft_of(survey(queues=list(reading), readings=readings(reading))), "# s\n")
    assert "\nrate = 1" not in text.replace('\nrate = "100/s"', "")
