"""Locust users and shapes that load a Redis task queue.

The first of these names that is used imports Locust, which patches the process for gevent, and
ties us to Locust's events. Importing the package alone, or its parts that know no Locust, does
neither.
"""

import contextlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.locust.shapes import DailySine, Ramp, RateShape, Spike, Steps, Trace
    from bench.locust.users import ApplicationUser, ClosedLoopUser, OpenLoopUser, QueueUser

__all__ = [
    "ApplicationUser",
    "ClosedLoopUser",
    "DailySine",
    "OpenLoopUser",
    "QueueUser",
    "Ramp",
    "RateShape",
    "Spike",
    "Steps",
    "Trace",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with _working_folder_last():
        importlib.import_module("bench.locust.hooks").register()
        module = "users" if name.endswith("User") else "shapes"
        return getattr(importlib.import_module(f"bench.locust.{module}"), name)


@contextlib.contextmanager
def _working_folder_last() -> Iterator[None]:
    """Let a file of the working folder, such as ``queue.py``, not be taken for a module of ours.

    Locust puts that folder first, so that a locustfile finds what lies beside it.
    """
    before = list(sys.path)
    here = ("", str(Path.cwd()))
    sys.path.sort(key=here.__contains__)
    try:
        yield
    finally:
        sys.path[:] = before
