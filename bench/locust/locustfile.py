"""What ``bench run --distributed`` gives to Locust; its workers fetch it with ``locust -f -``."""

from bench.locust import QueueUser


class BenchUser(QueueUser):
    """Enqueues what the scenario says."""
