"""The locustfile of ``bench run --distributed``. Workers fetch it with ``locust -f -``."""

from bench.locust import QueueUser


class BenchUser(QueueUser):
    """Enqueues the tasks of the scenario."""
