"""A flag that needs no value may stand without one anywhere."""

import pytest

from bench.cli.arguments import with_values


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ([], []),
        (["run"], ["run"]),
        (["run", "--pin"], ["run", "--pin=auto"]),
        (["run", "--pin", "--rate", "max"], ["run", "--pin=auto", "--rate", "max"]),
        (["run", "--pin", "server=0"], ["run", "--pin", "server=0"]),
        (["run", "--pin=server=0", "-q"], ["run", "--pin=server=0", "-q"]),
        (["--pin"], ["--pin=auto"]),
    ],
)
def test_what_it_stands_for_is_put_in_its_place(written: list[str], read: list[str]) -> None:
    assert with_values(written) == read
