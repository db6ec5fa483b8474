"""Locust users and shapes that load a Redis task queue.

The first of these names that is used imports Locust, which patches the process for gevent, and
ties us to Locust's events. Importing the package alone, or its parts that know no Locust, does
neither.
"""

import importlib
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
    importlib.import_module("bench.locust.hooks").register()
    module = "users" if name.endswith("User") else "shapes"
    return getattr(importlib.import_module(f"bench.locust.{module}"), name)
