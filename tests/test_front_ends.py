"""Every front end shows what a scenario's fields declare: names, helps, types and groups."""

import re
import tomllib
from typing import Any, cast

import configargparse  # type: ignore[import-untyped]
import msgspec
import pytest
from rich.console import Console

from bench.cli.app import app, main
from bench.locust.arguments import add_options
from bench.workload.declaration import FieldGroup, FrontEnd
from bench.workload.fields import FIELDS, Field, shown_by
from bench.workload.json_schema import scenario_schema
from bench.workload.resolve import resolve
from bench.workload.scenario import Scenario

COMMON = "Most used"
HEADINGS = [COMMON, *(group.value for group in FieldGroup)]
_BOX = re.compile(r"╭─ ([\w ]+) ─+╮\n(.*?)╰", re.DOTALL)
_ROW = re.compile(r"│ (--[\w-]+(?: -\w)?)(?: ([A-Za-z]\S*))? {2,}(.*?)(?: \[default: .*)? *│")


def flags_in_help(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> dict[str, list[tuple[str, str, str]]]:
    """Heading to the (flag, type, help) under it, as ``--help`` prints them on a wide terminal."""
    # Not COLUMNS: the application keeps the console, and its width, that another test made.
    monkeypatch.setattr(app, "console", Console(width=400))
    assert main([command, "--help"]) == 0
    boxes = _BOX.findall(capsys.readouterr().out)
    listed = {heading: _ROW.findall(rows) for heading, rows in boxes if heading in HEADINGS}
    options = {field.option for field in FIELDS.values()}
    return {
        heading: [row for row in rows if row[0].split()[0] in options]
        for heading, rows in listed.items()
    }


def as_flag(field: Field) -> tuple[str, str, str]:
    declared, option = field.declared, field.option
    several = " May be given several times." if declared.type.flag == list[str] else ""
    example = "" if declared.example is None else f" Example: {declared.example}"
    placeholder = "" if declared.type.flag is bool else declared.type.placeholder
    names = option if declared.short is None else f"{option} {declared.short}"
    return names, placeholder, f"{declared.help}{several}{example}"


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("run", list(FIELDS.values())),
        ("ab", [each for each in FIELDS.values() if each.name != "until"]),
        ("worker", shown_by(FrontEnd.WORKER)),
    ],
)
def test_a_commands_help_lists_the_fields_under_their_groups(
    command: str,
    shown: list[Field],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected: dict[str, list[tuple[str, str, str]]] = {}
    for field in shown:
        heading = field.declared.group.value if field.declared.short is None else COMMON
        expected.setdefault(heading, []).append(as_flag(field))
    assert flags_in_help(command, capsys, monkeypatch) == expected


def test_locusts_options_are_the_fields_that_it_shows() -> None:
    parser: Any = configargparse.ArgumentParser()
    add_options(parser)
    helps = {name: each.help for each in parser._actions for name in each.option_strings}
    shown = shown_by(FrontEnd.LOCUST)
    assert len(shown) == 24
    assert [option for option in helps if option in {each.option for each in shown}] == [
        field.option for field in shown
    ]
    for field in shown:
        assert helps[field.option].replace("%%", "%").startswith(field.declared.help)


def test_the_schema_describes_every_field_in_the_same_words() -> None:
    properties = cast(dict[str, dict[str, object]], scenario_schema()["properties"])
    assert {name: each["description"] for name, each in properties.items()} == {
        name: field.declared.help for name, field in FIELDS.items()
    }


def test_every_attribute_of_a_scenario_is_a_field_under_its_name_without_the_unit() -> None:
    assert [field.attribute for field in FIELDS.values()] == list(Scenario.__struct_fields__)
    assert {name: field.attribute for name, field in FIELDS.items() if name != field.attribute} == {
        "rate": "rate_per_s",
        "duration": "duration_s",
        "overrun": "overrun_s",
        "retry_delay": "retry_delay_s",
        "warmup": "warmup_s",
        "drain_timeout": "drain_timeout_s",
    }


def test_a_scenario_of_toml_has_the_declared_defaults() -> None:
    written = tomllib.loads('queues = {a_b = 1}\nrate = "max"\ntasks = 1\n')
    resolved = resolve(written)
    given = {"queues", "arrivals", "tasks"}
    for field in FIELDS.values():
        if field.attribute not in given:
            assert field.default is not msgspec.NODEFAULT
            assert getattr(resolved, field.attribute) == field.default
