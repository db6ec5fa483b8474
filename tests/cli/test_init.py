"""``bench init``: a scenario for the user's own queue, which no server notices."""

import io
import shlex
import sys
import tomllib
from pathlib import Path
from typing import Any

import cyclopts
import pytest

from bench.cli.app import app
from bench.cli.init_questions import draft_of_answers
from bench.errors import UsageError
from bench.records import run_record
from bench.survey.toml_text import scenario_of
from tests.cli.conftest import Bench, expected_code
from tests.survey.test_reader import fill
from tests.talk import as_user

QUICK = ("--watch", "10ms")
SECRET = "s3cret-pass"  # noqa: S105 - of a server of the test's own


def comments_above_values(text: str) -> list[str]:
    """The line above each value."""
    lines = text.splitlines()
    return [
        lines[number - 1]
        for number, line in enumerate(lines)
        if " = " in line and not line.startswith("#")
    ]


def test_a_user_with_read_rights_only_gets_a_scenario_and_the_server_no_write(
    bench: Bench, client: Any, url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(client, "asynq", "orders", 40)
    client.acl_setuser(
        "reader",
        enabled=True,
        passwords=[f"+{SECRET}"],
        categories=["+@read"],
        commands=["+info", "+ping"],
        keys=["*"],
    )
    client.config_resetstat()
    monkeypatch.setenv("BENCH_REDIS_URL", as_user(url, "reader", SECRET))
    outcome = bench("init", *QUICK)
    called = [
        name.removeprefix("cmdstat_").partition("|")[0]
        for name, each in client.info("commandstats").items()
        if each["calls"] > each["rejected_calls"]
    ]
    kinds = client.execute_command("COMMAND", "INFO", *called)
    assert [each for each in kinds.values() if "write" in each["flags"]] == []
    assert outcome.code == 0
    text = (folder / "my-queue.toml").read_text()
    assert set(scenario_of(text).queues) == {"orders"}
    assert "reading commands" in outcome.out
    assert SECRET not in text + outcome.out + outcome.err


def test_the_file_names_its_schema_and_says_of_each_value_where_it_came_from(
    bench: Bench, client: Any, url: str, folder: Path
) -> None:
    fill(client, "runqy", "orders_high", 20)
    assert bench("init", *QUICK, "--redis-url", url, "--rate", "70/s").code == 0
    text = (folder / "my-queue.toml").read_text()
    assert text.startswith("#:schema ./scenario.schema.json\n")
    origins = comments_above_values(text)
    assert len(origins) == len(tomllib.loads(text))
    assert "# given: --rate" in origins
    assert scenario_of(text).rate_per_s == 70


def test_an_existing_file_is_kept_unless_forced(bench: Bench, folder: Path) -> None:
    file = folder / "mine.toml"
    file.write_text("mine")
    refused = bench("init", "--yes", "-o", "mine.toml")
    assert (refused.code, file.read_text()) == (2, "mine")
    assert "say --force" in refused.err
    assert bench("init", "--yes", "-o", "mine.toml", "--force").code == 0
    assert scenario_of(file.read_text()).layout == "runqy"


def test_an_existing_file_is_refused_before_the_server_is_asked(bench: Bench, folder: Path) -> None:
    (folder / "my-queue.toml").touch()
    assert bench("init", "--redis-url", "redis://127.0.0.1:1").code == 2


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--redis-url", "redis://127.0.0.1:1"], 6, "no server at"),
        ([], 2, "no terminal to ask on"),
        (["--yes", "--rate", "fast"], 2, "--rate"),
        (["--yes", "--layout", "bullmq"], 2, "bullmq"),
        (["--yes", "--sample", "0"], 2, "--sample"),
        (["--watch", "0s"], 2, "--watch"),
        (["--yes", "-o", "x" * 300], 2, "too long"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_leaves_no_file(
    bench: Bench, folder: Path, words: list[str], code: int, said: str
) -> None:
    outcome = bench("init", *words)
    lines = [each for each in outcome.err.splitlines() if "reading the queues" not in each]
    assert (outcome.code, len(lines)) == (code, 1)
    assert said in lines[0]
    assert list(folder.iterdir()) == []


def test_a_setting_for_all_runs_does_not_hide_what_the_server_has(
    bench: Bench, client: Any, url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(client, "runqy", "orders_high", 20)
    monkeypatch.setenv("BENCH_PAYLOAD_SIZE", "77B")
    assert bench("init", *QUICK, "--redis-url", url).code == 0
    assert scenario_of((folder / "my-queue.toml").read_text()).payload_size.mean == 500


def test_the_next_commands_are_command_lines_on_a_server_of_their_own(
    bench: Bench, client: Any, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(client, "runqy", "orders_high", 20)
    monkeypatch.setenv("BENCH_REDIS_URL", url)
    monkeypatch.setenv("COLUMNS", "200")
    out = bench("init", *QUICK).out
    lines = [each for each in out.splitlines() if "env -u BENCH_REDIS_URL bench " in each]
    commands = [shlex.split(each.partition(" bench ")[2]) for each in lines]
    assert [each[0] for each in commands] == ["run", "capacity", "ab"]
    for words in commands:
        try:
            app.parse_args(words, exit_on_error=False, print_error=False)
        except cyclopts.CycloptsError as error:
            pytest.fail(str(error))


def test_a_wrong_answer_is_asked_for_again_and_an_empty_one_is_the_usual_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("\nnoparent\n\n0/s\n50/s\n\n\n8\n\n"))
    draft = draft_of_answers({}, asks=True)
    assert (draft.value("layout"), draft.value("rate")) == ("runqy", "50/s")
    assert draft.value("concurrency") == 8
    assert draft.value("queues") == {
        "inference_high": 1,
        "inference_default": 2,
        "inference_low": 1,
    }
    said = capsys.readouterr().err
    assert "answer: rate: the rate must be above zero" in said
    assert "'noparent' is not a sub-queue" in said


def test_the_usual_queues_are_named_as_the_layout_names_them() -> None:
    draft = draft_of_answers({"layout": "asynq"}, asks=False)
    assert list(dict(draft.value("queues") or {})) == [
        "inference.high",
        "inference.default",
        "inference.low",
    ]


def test_answers_that_end_early_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("asynq\n"))
    with pytest.raises(UsageError, match="say --yes"):
        draft_of_answers({}, asks=True)


@pytest.mark.slow
def test_a_drafted_scenario_runs_as_it_stands(bench: Bench, folder: Path) -> None:
    assert bench("init", "--yes", "--duration", "1s").code == 0
    outcome = bench("run", "my-queue.toml", "-o", "run.json", "-q")
    assert outcome.code == expected_code(run_record.load(folder / "run.json"))
