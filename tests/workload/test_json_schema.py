"""The JSON Schema of a scenario's fields agrees with what their readers accept and refuse."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from bench.errors import UsageError
from bench.workload.fields import FIELDS
from bench.workload.json_schema import scenario_schema
from tests.workload.written_values import ACCEPTED, REFUSED

UNKNOWN_TO_A_SCHEMA = {
    "queues": "the pairs of a text",
    "layout": "layouts of other packages",
    "payload_size": "limits of a size that has a unit",
    "stages": "a stage of no length",
    "rate": "a rate of zero with its unit",
    "duration": "how long a duration may be",
    "warmup": "how long a duration may be",
    "retry_delay": "how long a duration may be",
    "failure_rate": "how large a percentage may be",
    "service_time": "how long a duration may be",
    "name": "characters that cannot be shown",
    "description": "characters that cannot be shown",
    "payload_file": "characters that no file's name has",
    "slo": "the grammar of objectives",
    "faults": "the grammar of faults",
    "network": "how long a round trip may be",
    "worker_command": "quotes and passwords",
}
"""Field to what only its reader finds out, where TOML holds a text."""


def accepts(name: str, written: object) -> bool:
    return Draft202012Validator(FIELDS[name].declared.type.schema).is_valid(written)


def as_toml_holds(written: object) -> bool:
    """Whether TOML can hold it: no None, no number beyond 64 bits, nothing infinite."""
    if isinstance(written, dict):
        return all(map(as_toml_holds, written.values()))
    if isinstance(written, list):
        return all(map(as_toml_holds, written))
    if isinstance(written, float):
        return math.isfinite(written)
    if isinstance(written, int):
        return abs(written) < 2**63
    return written is not None


KNOWN_TO_A_SCHEMA = [
    (name, written)
    for name, written, message in REFUSED
    if as_toml_holds(written)
    and not (name in UNKNOWN_TO_A_SCHEMA and isinstance(written, str | list))
    and "must be finite" not in message
]


@pytest.mark.parametrize(("name", "written", "_value"), ACCEPTED)
def test_what_a_field_accepts_fits_its_schema(name: str, written: object, _value: object) -> None:
    assert accepts(name, written)


@pytest.mark.parametrize(("name", "written"), KNOWN_TO_A_SCHEMA)
def test_what_a_field_refuses_does_not_fit_its_schema(name: str, written: object) -> None:
    assert not accepts(name, written)


NUMBERS = st.integers(-5, 5) | st.floats(0, 2)
TEXTS = st.from_regex(
    r"\A(exp:|uniform:)?[0-9.]{0,3}(ms|s|m|k|KiB|/s|/min|%)?(-2s)?\Z", fullmatch=True
)


@given(name=st.sampled_from(sorted(FIELDS)), written=NUMBERS | TEXTS | st.booleans())
def test_a_schema_refuses_nothing_that_the_field_accepts(name: str, written: Any) -> None:
    try:
        read = FIELDS[name].read(written)
    except UsageError:
        return
    if read != {}:  # resolve refuses a scenario without a queue
        assert accepts(name, written)


def test_a_field_of_another_name_does_not_fit() -> None:
    whole = Draft202012Validator(scenario_schema())
    assert whole.is_valid({"queues": {"a_b": 1}, "rate": 5, "duration": "5s"})
    assert not whole.is_valid({"queues": {"a_b": 1}, "rates": 5, "duration": "5s"})
    assert not whole.is_valid({"rate": 5, "duration": "5s"})
    assert not whole.is_valid({"queues": {"a_b": 1}, "duration": "5s"})
