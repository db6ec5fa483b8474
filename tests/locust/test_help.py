"""``locust --help`` tells what can be set, for locustfiles that use this package."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import configargparse  # type: ignore[import-untyped]
import pytest

from bench.locust import arguments
from bench.locust.options import BASE
from bench.workload.declaration import FrontEnd
from bench.workload.fields import Field, shown_by
from tests.locust.conftest import LOCUSTFILES

LOCUST = Path(sys.executable).with_name("locust")
FIELDS = pytest.mark.parametrize("field", shown_by(FrontEnd.LOCUST), ids=lambda field: field.name)


def entry_of(option: str) -> str:
    """What the help says of an option, in one line."""
    parser: Any = configargparse.ArgumentParser(prog="locust", add_env_var_help=False)
    arguments.add_options(parser)
    (action,) = (each for each in parser._actions if option in each.option_strings)
    formatter = parser._get_formatter()
    formatter.add_argument(action)
    return " ".join(formatter.format_help().replace("-\n", "-").split())


@FIELDS
def test_the_help_says_what_an_option_takes_and_what_holds_without_it(field: Field) -> None:
    entry = entry_of(field.option).replace("- ", "-")
    example, default = field.declared.example, arguments.default_of(field)
    assert entry.split()[1][0] in "<{"
    assert field.declared.help.replace("- ", "-") in entry
    assert example is None or f"Example: {example}." in entry
    assert not default or f"Default: {default}." in entry


@FIELDS
def test_a_default_that_is_shown_can_be_given(field: Field) -> None:
    if default := arguments.default_of(field):
        written = BASE.get(field.name, field.default_written)
        given = field.declared.type.from_option(default)
        assert field.read(given) == field.read(written)
        assert not (choices := arguments.choices_of(field)) or default in choices


def help_of(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Through the file that is installed beside the command; an older checkout has it not yet."""
    return subprocess.run(
        [str(LOCUST), *words, "--help"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.slow
def test_the_command_lists_our_options_in_groups_of_their_own(tmp_path: Path) -> None:
    done = help_of(tmp_path, "-f", str(LOCUSTFILES / "runqy.py"))
    assert (done.returncode, done.stderr) == (0, "")
    ours = done.stdout.partition("\nTask queue: server and record:\n")[2]
    for option in ("--redis-url", "--trace", *(each.option for each in shown_by(FrontEnd.LOCUST))):
        assert f"\n  {option} " in ours


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "error"),
    [
        (None, ""),
        ("raise SystemExit('a file of others')", ""),
        (
            "import bench.locust\nraise ValueError('two\\nlines')",
            "bench: locustfile.py: its options are not listed, as it cannot be loaded: "
            r"ValueError: two\nlines" + "\n",
        ),
    ],
)
def test_whatever_the_locustfile_is_there_is_help(
    tmp_path: Path, text: str | None, error: str
) -> None:
    """No file, one of others, which is not run, and one that cannot be loaded."""
    if text is not None:
        (tmp_path / "locustfile.py").write_text(text)
    done = help_of(tmp_path)
    assert (done.returncode, done.stderr) == (0, error)
    assert "--locustfile" in done.stdout


@pytest.mark.parametrize(
    ("words", "host"), [([], "127.0.0.1"), (["--web-host", "192.0.2.1"], "192.0.2.1")]
)
def test_the_page_is_for_this_machine_alone_unless_the_user_says_otherwise(
    words: list[str], host: str
) -> None:
    parser: Any = configargparse.ArgumentParser(prog="locust", add_env_var_help=False)
    parser.add_argument("--web-host", default="")  # as Locust does: all interfaces
    arguments.add_options(parser)
    assert parser.parse_args(words).web_host == host
