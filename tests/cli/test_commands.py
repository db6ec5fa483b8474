"""The small commands: what they print, and that what they print can be used."""

import importlib
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import redis

from bench.cli.app import COMMANDS
from bench.records import run_record
from bench.reports import exports
from bench.reports.data_tables import table_of, to_csv
from bench.version import __version__
from bench.workload import library
from tests import golden
from tests.cli.conftest import Bench
from tests.records.fixtures import example_record


@pytest.fixture
def saved() -> Path:
    """The example record in the current folder."""
    run_record.save(example_record(), Path("record.json"))
    return Path("record.json")


def test_a_report_is_printed_from_the_file_alone(bench: Bench, saved: Path) -> None:
    outcome = bench("report", str(saved))
    assert (outcome.code, outcome.err) == (0, "")
    golden.check("valid.txt", outcome.out)


def test_a_report_as_json_is_the_record(bench: Bench, saved: Path) -> None:
    outcome = bench("report", str(saved), "--json")
    assert (outcome.code, outcome.err) == (0, "")
    assert json.loads(outcome.out) == json.loads(saved.read_text())


def test_a_record_that_was_cut_off_is_refused_in_one_line(bench: Bench, saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-100])
    outcome = bench("report", str(saved))
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert outcome.err.startswith("bench: record.json: not a run record")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{}", "it has no format that begins runqy-bench/"),
        ('{"format": "asynq/1"}', "it has no format that begins runqy-bench/"),
        ('{"format": "runqy-bench/99"}', "format runqy-bench/99; this version of bench reads"),
        ('{"format": "runqy-bench/1"}', "`id`"),
        ("[]", "not a run record"),
        ("\xff", "not a run record"),
    ],
)
def test_a_foreign_record_is_refused_in_one_line_that_says_why(
    bench: Bench, text: str, part: str
) -> None:
    Path("foreign.json").write_text(text, encoding="latin-1")
    for words in (["report"], ["export", "--csv"], ["clean"]):
        outcome = bench(*words, "foreign.json")
        assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
        assert outcome.err.startswith("bench: foreign.json: ")
        assert part in outcome.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--hgrm"], exports.hgrm(example_record(), "e2e", "all")),
        (
            ["--hgrm", "--interval", "queue_wait", "--queue", "inference_low"],
            exports.hgrm(example_record(), "queue_wait", "inference_low"),
        ),
        (["--hdr"], exports.hdr(example_record())),
    ],
    ids=["hgrm", "hgrm of one interval and queue", "hdr"],
)
def test_an_export_is_printed_from_the_file_alone(
    bench: Bench, saved: Path, words: list[str], expected: str
) -> None:
    outcome = bench("export", str(saved), *words)
    assert (outcome.code, outcome.out, outcome.err) == (0, expected, "")


def test_the_former_name_of_interval_works_and_says_so_once(bench: Bench, saved: Path) -> None:
    outcome = bench("export", str(saved), "--hgrm", "--stage", "service")
    assert (outcome.code, outcome.out) == (0, exports.hgrm(example_record(), "service", "all"))
    assert outcome.err == "bench: --stage is now --interval; the old name still works\n"


def test_interval_under_both_names_is_refused(bench: Bench, saved: Path) -> None:
    outcome = bench("export", str(saved), "--hgrm", "--stage", "e2e", "--interval", "e2e")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == "bench: --stage is the former name of --interval; remove --stage\n"


def test_the_exported_series_has_the_records_columns(bench: Bench, saved: Path) -> None:
    outcome = bench("export", str(saved), "--csv")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines()[0] == ",".join(example_record().series.columns)
    assert len(outcome.out.splitlines()) == 1 + len(example_record().series.rows)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--interval", "e3e"], "the record has no 'e3e'; intervals: "),
        (["--queue", "inference_hihg"], "the record has no 'inference_hihg'"),
    ],
)
def test_an_unknown_interval_or_queue_is_refused_with_those_there_are(
    bench: Bench, saved: Path, words: list[str], part: str
) -> None:
    outcome = bench("export", str(saved), "--hgrm", *words)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert part in outcome.err
    assert "e2e" in outcome.err
    assert "inference_high" in outcome.err


def test_scenarios_are_listed_with_what_they_answer(bench: Bench) -> None:
    outcome = bench("scenarios")
    assert (outcome.code, outcome.err) == (0, "")
    listed = [line.split()[0] for line in outcome.out.splitlines()[2:] if line[0] != " "]
    assert listed == library.names()
    unwrapped = " ".join(outcome.out.split())
    assert "Five seconds at a gentle rate: does everything work here?" in unwrapped


@pytest.mark.parametrize("name", library.names())
def test_a_scenario_is_printed_as_toml_to_be_copied(bench: Bench, name: str) -> None:
    outcome = bench("scenarios", name)
    assert (outcome.code, outcome.err) == (0, "")
    assert {"name": name, **tomllib.loads(outcome.out)} == library.load(name)[1]


def test_the_version_is_the_packages(bench: Bench) -> None:
    assert bench("--version").out.strip() == __version__


@pytest.mark.parametrize(
    "command", ["run", "report", "export", "scenarios", "worker", "clean", "verify"]
)
def test_help_is_not_an_error(bench: Bench, command: str) -> None:
    outcome = bench(command, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"Usage: bench {command}")


def test_the_list_of_commands_says_what_each_docstring_says() -> None:
    for name, (function, description) in COMMANDS.items():
        module, _, attribute = function.partition(":")
        docstring = getattr(importlib.import_module(f"bench.cli.{module}"), attribute).__doc__
        assert docstring.splitlines()[0] == description, name


def test_a_commands_own_help_shows_its_whole_docstring(bench: Bench) -> None:
    text = " ".join(bench("ab", "--help").out.split())
    assert "Exits 0 when the candidate is no worse, 1 for a regression, and 3" in text


def test_a_task_is_enqueued_looked_at_and_waited_for(
    bench: Bench, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_REDIS_URL", url)
    enqueued = bench("enqueue", "guide_default", '{"input": "hello"}', "--max-retry", "5")
    assert (enqueued.code, enqueued.err) == (0, "")
    task_id = enqueued.out.removesuffix("\n")
    with redis.Redis.from_url(url, decode_responses=True) as client:
        assert client.lrange("asynq:guide_default:pending", 0, -1) == [task_id]
        looked_at = bench("status", task_id)
        assert (looked_at.code, looked_at.err) == (0, "")
        status = json.loads(looked_at.out)
        assert (status["state"], status["max_retry"]) == ("pending", "5")
        client.set(f"asynq:result:{task_id}", '{"output": 1}')
        finished = bench("result", task_id, "--timeout", "1s")
    assert (finished.code, finished.err) == (0, "")
    assert json.loads(finished.out) == {"output": 1}


def test_what_a_task_has_not_is_told_in_one_line(bench: Bench, url: str) -> None:
    enqueued = bench("enqueue", "guide_low", "{}", "--redis-url", url)
    task_id = enqueued.out.removesuffix("\n")
    for words, part in (
        (["status", "no-such-task"], "no task no-such-task"),
        (["result", "no-such-task"], "no task no-such-task"),
        (["result", task_id, "--timeout", "0s"], "no result after 0 s (state: pending)"),
    ):
        outcome = bench(*words, "--redis-url", url)
        assert (outcome.out, outcome.err.count("\n")) == ("", 1)
        assert outcome.code != 0
        assert part in outcome.err


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_is_no_error(saved: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        ended = subprocess.run(
            [sys.executable, "-m", "bench", "report", str(saved)],
            stdout=pipe,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="there is no /dev/full here")
@pytest.mark.parametrize("words", [["report"], ["report", "--json"], ["export", "--csv"]])
def test_output_that_cannot_be_written_is_one_line(saved: Path, words: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "bench", *words, str(saved)],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert ended.returncode not in (0, 1)
    assert ended.stderr.count(b"\n") == 1


def test_a_report_as_json_is_the_file(bench: Bench, saved: Path) -> None:
    assert bench("report", str(saved), "--json").out == saved.read_text()


def test_an_exported_series_has_whole_numbers_where_the_record_has(
    bench: Bench, saved: Path
) -> None:
    assert bench("export", str(saved), "--csv").out == to_csv(table_of(example_record()))
