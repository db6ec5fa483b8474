"""The helps: as printed, complete, and with command lines that the parser takes."""

import re
import shlex

import cyclopts
import pytest
from rich.console import Console

from bench.cli import help as helps
from bench.cli.app import COMMANDS, app, main
from bench.cli.field_flags import default_in_help
from bench.workload import library
from bench.workload.fields import FIELDS
from tests import golden

WIDTHS = (80, 120)
PLACEHOLDERS = {"STR", "INT", "FLOAT", "PATH...", "STR..."}
"""What a help shows of a type of Python's, which says nothing to its reader."""


def printed(
    words: list[str], width: int, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch
) -> str:
    # Not COLUMNS: the application keeps the console, and its width, that another test made.
    patch.setattr(app, "console", Console(width=width))
    assert main([*words, "--help"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_a_help_is_as_a_person_has_read_it(
    command: str,
    width: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = printed([command] if command else [], width, capsys, monkeypatch)
    assert max(map(len, text.splitlines())) <= width
    name = f"help-{command}-{width}.txt" if command else f"help-{width}.txt"
    golden.check(name, "\n".join(line.rstrip() for line in text.splitlines()) + "\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_flag_says_what_its_value_is_and_gives_an_example_or_all_choices(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = printed([command], 400, capsys, monkeypatch)
    rows = re.findall(r"│ (--[\w-]+)(?: (-\w))?(?: ([^ ]+))?  +(.*?) *│", text)
    for flag, _, placeholder, description in rows:
        assert placeholder not in PLACEHOLDERS, flag
        if placeholder and "|" not in placeholder and flag != "--redis-url":
            assert "Example: " in description, flag


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_a_section_a_usage_and_examples(command: str) -> None:
    heading, place = helps.section_of(command)
    assert helps.SECTIONS[heading][place] == command
    assert command in helps.USAGE
    assert helps.EXAMPLES[command]


@pytest.mark.parametrize(
    "line", [line for lines in helps.EXAMPLES.values() for line, _ in lines if "source" not in line]
)
def test_an_example_is_a_command_line_that_the_parser_takes(line: str) -> None:
    words = shlex.split(line.split(" > ", maxsplit=1)[0])
    assert words[0] == "bench"
    try:
        _, bound, *_ = app.parse_args(words[1:], exit_on_error=False, print_error=False)
    except cyclopts.CycloptsError as error:
        pytest.fail(str(error))
    assert bound is not None


@pytest.mark.parametrize("short", ["-V", "--version"])
def test_the_version_has_a_short_flag(short: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([short]) == 0
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", capsys.readouterr().out)


def test_the_eight_concepts_fit_into_eighty_columns() -> None:
    lines = helps.CONCEPTS.splitlines()
    assert len(lines) == 8
    assert max(map(len, lines)) <= 80


def test_defaults_are_those_of_the_default_scenario_and_named_so() -> None:
    written = library.load(library.DEFAULT)[1]
    assert default_in_help(FIELDS["rate"], library.DEFAULT) == (
        f"{written['rate']}, from scenario default"
    )
    assert default_in_help(FIELDS["pipeline"], library.DEFAULT) == "256"
    assert default_in_help(FIELDS["failure_rate"], library.DEFAULT) == "0"
    assert default_in_help(FIELDS["payload_file"], library.DEFAULT) is None
