"""Whether a server's keyspace events show everything that happens to a task."""

import pytest

from bench.observer import keyspace_events


@pytest.mark.parametrize(
    ("flags", "enough"),
    [
        ("Kgh$", True),
        ("KA", True),
        ("AKE", True),
        ("", False),
        ("Kh", False),
        ("Egh$", False),
        ("A", False),
    ],
)
def test_events_are_relied_on_only_where_the_server_tells_of_all(flags: str, enough: bool) -> None:
    assert keyspace_events.are_enough(flags) == enough
