"""``bench schema``: what it prints, and that all that bench ships and writes fits it."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from jsonschema import Draft202012Validator

from bench.records import comparison_record
from bench.records.formats import encode
from bench.records.schemas import FormatName, schema_of
from bench.workload import library
from bench.workload.resolve import resolve
from tests.cli.conftest import Bench
from tests.records import data
from tests.records.capacity_fixtures import searched
from tests.records.fixtures import example_record
from tests.reports.test_clients import example as example_clients
from tests.reports.test_gate import gate

RESULTS = Path(__file__).parents[2] / "results"


def validator(name: FormatName) -> Draft202012Validator:
    return Draft202012Validator(schema_of(name))


@pytest.mark.parametrize("name", get_args(FormatName))
def test_a_schema_is_one_and_says_what_it_is_of(bench: Bench, name: str) -> None:
    outcome = bench("schema", name)
    assert (outcome.code, outcome.err) == (0, "")
    printed = json.loads(outcome.out)
    Draft202012Validator.check_schema(printed)
    assert printed["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert printed["$id"].startswith(f"urn:runqy-bench:schema:{name}:")
    assert printed["title"]
    assert printed["description"].endswith(".")


def test_another_format_is_refused_in_one_line_with_those_there_are(bench: Bench) -> None:
    outcome = bench("schema", "nonsense")
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert [name for name in get_args(FormatName) if name not in outcome.err] == []


@pytest.mark.slow
def test_a_schema_into_a_closed_pipe_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        ended = subprocess.run(
            [sys.executable, "-m", "bench", "schema", "record"],
            stdout=pipe,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.name)
def test_the_example_in_the_repository_fits(path: Path) -> None:
    validator("record").validate(json.loads(path.read_bytes()))


@pytest.mark.parametrize(("file", "name"), data.FORMATS.items())
def test_records_of_earlier_versions_fit(file: str, name: FormatName) -> None:
    """As they are, or as ``bench report --json`` writes them in the format of today."""
    record = json.loads((data.FOLDER / file).read_bytes())
    if record["format"] in comparison_record.FORMATS[1:]:
        record = json.loads(comparison_record.encode(comparison_record.load(data.FOLDER / file)))
    validator(name).validate(record)


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("record", example_record()),
        ("capacity", searched([1, 2])),
        ("comparison", gate()),
        ("clients", example_clients()),
    ],
)
def test_records_as_written_today_fit_and_others_do_not(
    name: FormatName, record: msgspec.Struct
) -> None:
    written = json.loads(encode(record))
    validator(name).validate(written)
    assert not validator(name).is_valid({**written, "format": "runqy-bench/0"})
    del written["format"]
    assert not validator(name).is_valid(written)


@pytest.mark.parametrize("name", library.names())
def test_a_built_in_scenario_fits_and_its_print_names_the_schema(bench: Bench, name: str) -> None:
    validator("scenario").validate(tomllib.loads(library.text_of(name)))
    printed = bench("scenarios", name).out
    assert printed.startswith("#:schema ./scenario.schema.json\n")
    assert printed.endswith(library.text_of(name))
    validator("scenario").validate(tomllib.loads(printed))


def test_a_printed_scenario_is_a_file_that_runs_as_the_built_in_one(
    bench: Bench, folder: Path
) -> None:
    (folder / "ramp.toml").write_text(bench("scenarios", "ramp").out, encoding="utf-8")
    copied, built_in = (resolve(library.load(name)[1]) for name in ("ramp.toml", "ramp"))
    assert copied == built_in
