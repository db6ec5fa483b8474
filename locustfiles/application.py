"""Does what an application does: enqueues a task, asks for its state, waits for its result.

    locust -f locustfiles/application.py --headless -u 50 -r 50 -t 1m --embedded --start-worker \
        --store-results true
"""

from locust import between

from bench.locust import ApplicationUser


class Caller(ApplicationUser):
    """A caller that pauses between its calls, as people and programs do."""

    wait_time = between(0.001, 0.02)
