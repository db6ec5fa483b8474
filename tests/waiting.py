"""Waiting for a condition in place of sleeping, however busy the machine is."""

import time
from collections.abc import Callable

_TIMEOUT_S = 60.0
_POLL_S = 0.01


def await_that(condition: Callable[[], bool], what: str = "what was awaited") -> None:
    """Wait until a condition holds; the test fails where it does not within a minute."""
    deadline_s = time.monotonic() + _TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline_s, f"never: {what}"
        time.sleep(_POLL_S)
