"""Every command line of the documentation is one that the program takes."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import cyclopts
import pytest

from bench.cli.app import app
from bench.cli.arguments import with_values
from tests.pages.blocks import bench_calls, blocks
from tests.sources import pages, relative


def _refusal(call: Sequence[str]) -> str | None:
    """What the parser has against the words of a call, or None."""
    try:
        app.parse_args(with_values(call[1:]), exit_on_error=False, print_error=False)
    except cyclopts.CycloptsError as error:
        return f"{shlex.join(call)}: {error}"
    return None


@pytest.mark.parametrize("page", pages(), ids=relative)
def test_the_parser_takes_every_command_line_of_a_page(page: Path) -> None:
    text = page.read_text(encoding="utf-8").replace("redis://…", "redis://127.0.0.1")
    calls = [call for block in blocks(text) for call in bench_calls(block.script)]
    assert [refusal for refusal in map(_refusal, calls) if refusal] == []


def test_a_call_with_a_flag_that_there_is_not_is_found() -> None:
    assert "--no-such" in str(_refusal(["bench", "run", "--no-such"]))
