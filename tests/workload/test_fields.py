"""Each field of a scenario: what it reads, what it refuses, and what its declaration promises."""

import re

import pytest

from bench.errors import UsageError
from bench.workload.fields import FIELDS, without_effect
from bench.workload.scenario import Scenario
from tests.sources import ROOT
from tests.workload.written_values import ACCEPTED, REFUSED


def test_every_attribute_of_a_scenario_is_read_by_one_field() -> None:
    assert sorted(field.attribute for field in FIELDS.values()) == sorted(
        Scenario.__struct_fields__
    )


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_says_what_it_is_in_one_sentence(name: str) -> None:
    said = FIELDS[name].declared.help
    assert said[0].isupper()
    assert said.endswith(".")
    assert ". " not in said
    assert "\n" not in said


@pytest.mark.parametrize("name", FIELDS)
def test_a_fields_help_names_every_word_that_may_be_written(name: str) -> None:
    choices = FIELDS[name].declared.type.schema.get("enum", [])
    assert isinstance(choices, list)
    assert [each for each in choices if each not in FIELDS[name].declared.help] == []


@pytest.mark.parametrize("name", FIELDS)
def test_a_default_as_written_is_read_as_the_default(name: str) -> None:
    field = FIELDS[name]
    if field.default_written is not None:
        assert field.read(field.default_written) == field.default


@pytest.mark.parametrize("name", FIELDS)
def test_an_example_is_accepted(name: str) -> None:
    field = FIELDS[name]
    if field.example is not None:
        assert field.read(field.example) not in (None, field.default)


QUANTITIES = [
    name
    for name, field in FIELDS.items()
    if name in ("service_time", "payload_size")
    or (field.attribute.endswith("_s") and not field.attribute.endswith("_per_s"))
]


@pytest.mark.parametrize("written", [50, 0.5, "50", " 50 ", "0.5"])
@pytest.mark.parametrize("name", QUANTITIES)
def test_no_duration_and_no_size_is_read_without_its_unit(name: str, written: object) -> None:
    """50 could be meant in seconds or in milliseconds, and either is wrong for somebody."""
    with pytest.raises(UsageError, match=r"has no unit|expected a text"):
        FIELDS[name].read(written)


def test_what_a_field_replaces_is_a_field() -> None:
    replaced = {each for field in FIELDS.values() for each in field.declared.replaces}
    assert replaced <= set(FIELDS)


@pytest.mark.parametrize(
    ("scenario", "idle"),
    [
        (
            Scenario(queues={"q_a": 1.0}),
            {"worker_command", "counters", "seen_by", "watch", "traced"},
        ),
        (
            Scenario(queues={"q_a": 1.0}, worker="external"),
            {
                *("concurrency", "prefetch", "service_time", "failure_rate", "retry_delay"),
                "store_results",
            },
        ),
    ],
)
def test_some_fields_have_no_effect_on_the_other_kind_of_worker(
    scenario: Scenario, idle: set[str]
) -> None:
    assert {field.name for field in without_effect(scenario)} == idle


@pytest.mark.parametrize(
    ("name", "text", "written"),
    [
        ("tasks", "100,000", 100_000),
        ("tasks", "1_000", 1000),
        ("tasks", "many", "many"),
        ("tasks", "1,0", "1,0"),
        ("tasks", "1.5", "1.5"),
        ("tasks", "9" * 5000, "9" * 5000),
        ("failure_rate", "0.05", "0.05"),
        ("failure_rate", "5%", "5%"),
        ("store_results", "True", True),
        ("store_results", "false", False),
        ("store_results", "perhaps", "perhaps"),
        ("slo", "e2e.p99 < 50ms; lost == 0;", ["e2e.p99 < 50ms", "lost == 0"]),
        ("rate", "5000/s", "5000/s"),
        ("service_time", "exp:2ms", "exp:2ms"),
    ],
)
def test_the_text_of_an_option_becomes_what_toml_would_hold(
    name: str, text: str, written: object
) -> None:
    assert FIELDS[name].declared.type.from_option(text) == written


@pytest.mark.parametrize(("name", "written", "value"), ACCEPTED)
def test_a_field_is_read_in_base_units(name: str, written: object, value: object) -> None:
    assert FIELDS[name].read(written) == value


def test_queues_keep_the_order_in_which_they_are_written() -> None:
    """It is their priority."""
    read = FIELDS["queues"].read({"a_z": 1, "a_b": 1, "a_m": 1})
    assert isinstance(read, dict)
    assert list(read) == ["a_z", "a_b", "a_m"]


@pytest.mark.parametrize(("name", "written", "message"), REFUSED)
def test_what_a_field_cannot_be_is_refused_in_words(
    name: str, written: object, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        FIELDS[name].read(written)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("Durations", "duration"),
        ("rates", "rate"),
        ("sizes", "payload_size"),
        ("shares", "failure_rate"),
    ],
)
def test_the_page_says_how_a_value_may_be_written(kind: str, field: str) -> None:
    text = " ".join((ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8").split())
    found = re.search(rf"\b{kind} (?:are written )?as ([^;.]*(?:\.\d[^;.]*)*)", text)
    assert found is not None
    written = re.findall(r"`([^`]+)`", found[1])
    assert len(written) > 1
    for each in written:
        FIELDS[field].read(each)
