"""The locustfile of ``bench run --distributed``. Workers fetch it with ``locust -f -``."""

import os
import sys

if sys.flags.safe_path:  # Locust has put the working folder in front nevertheless
    sys.path[:] = [each for each in sys.path if each not in ("", os.getcwd())]  # noqa: PTH109

from bench.locust import QueueUser


class BenchUser(QueueUser):
    """Enqueues the tasks of the scenario."""
